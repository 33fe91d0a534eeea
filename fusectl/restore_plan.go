package fusectl

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"vbladefs/compat/native"
	"vbladefs/compat/text"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// A restorer brings an engine to the state that a rehearsal has made. What is the
// same stays untouched; a value that differs is set in place. What is missing is
// added, and may wait for its device or interface, as at the start. What differs
// and cannot be changed is refused, or, if exact, replaced; and what the
// rehearsal does not have stays, or, if exact, goes.
type restorer struct {
	engine Engine
	wanted *rehearsal
	exact  bool
	did    func(step)
	failed func(m Mistake, column int) // of the bad word, in m.Text; 0: none
	closed bool                        // the engine is; all else would fail, too

	// Drives and addresses that are not as they should be: what depends on them
	// stays as it is.
	badDrives map[string]bool
	badBlades map[aoe.Addr]bool
}

// A step is an operation, as a command for a file of the tree, for the sake of a
// line; of none, if it removes something.
type step struct {
	op         target.Operation
	file, text string
	line       Mistake
}

func (r *restorer) run() {
	r.badDrives, r.badBlades = map[string]bool{}, map[aoe.Addr]bool{}
	want := r.wanted.outcome()
	if r.exact {
		r.remove(want)
	}
	for _, d := range want.Drives {
		r.drive(d)
	}
	for _, b := range want.Blades {
		r.blade(b)
	}
	r.limits(want.Limits)
	for _, p := range want.Ports {
		r.port(p)
	}
}

// do carries out a step, and reports whether it succeeded. An error that is
// fine is none.
func (r *restorer) do(s step, fine ...error) bool {
	if r.closed {
		return false
	}
	err := r.engine.Do(s.op)
	switch {
	case err == nil:
		r.did(s)
		return true
	case slices.ContainsFunc(fine, func(f error) bool { return errors.Is(err, f) }):
		return true
	case errors.Is(err, target.ErrAddressTaken) && !r.exact:
		err = fmt.Errorf("%w; %s", err, replaces)
	}
	r.closed = errors.Is(err, target.ErrClosed)
	if s.line.Line == 0 {
		r.failed(Mistake{File: s.file, Text: s.text, Err: err}, 0)
	} else {
		column := blamed(s.op, err, s.line.Text)
		r.failed(s.line.blame(column, err), column)
	}
	return false
}

const replaces = "`vbladefs restore -exact` replaces it"

// refuse tells that an object differs from what a line wants; what names it on
// that line.
func (r *restorer) refuse(line Mistake, what string, err error, format string, args ...any) {
	column := 1
	for _, w := range text.Fields(line.Text, " \t") {
		if w.Text == what {
			column = w.Column
			break
		}
	}
	r.failed(line.blame(column, fmt.Errorf("%w: %s; %s", err, fmt.Sprintf(format, args...), replaces)), column)
}

// drive makes or changes a drive.
func (r *restorer) drive(w target.DriveInfo) {
	line := r.wanted.from(origin{drive: w.Name})
	has, there := r.engine.Drive(w.Name)
	switch {
	case !there:
		add := target.AddDrive{Name: w.Name, Path: w.Path, Access: target.AccessReadWrite, Cache: w.Cache, Force: w.Forced,
			Offset: w.Offset, Length: w.Length, Thin: w.Thin, Wait: true,
			Identity: target.Identity{Model: w.Model, Serial: w.Serial, Firmware: w.Firmware}}
		switch {
		case w.Auto: // read-only is asked for afterwards
			add.Access = target.AccessAuto
		case w.ReadOnly:
			add.Access = target.AccessReadOnly
		}
		if !r.do(step{op: add, file: "vblade/drives", text: native.DriveCommand(w), line: line}) {
			r.badDrives[w.Name] = true
			return
		}
		has, _ = r.engine.Drive(w.Name)
		has.ReadOnly, has.Unwritable = w.ReadOnly && !w.Auto, false
	case !sameDisk(has, w):
		r.badDrives[w.Name] = true
		r.refuse(line, w.Path, target.ErrNameTaken, "drive %s is %s, and stays as it is with its addresses", w.Name, diskOf(has))
		return
	case has.Forced != w.Forced:
		r.refuse(line, "force", target.ErrInUse, "drive %s is open %s force, which stays so while it is", w.Name, map[bool]string{true: "with", false: "without"}[has.Forced])
	}
	r.values(w, has)
}

// values sets those of a drive that differ.
func (r *restorer) values(w, has target.DriveInfo) {
	set := func(what, value string, op target.Operation, fine ...error) {
		r.do(step{op: op, file: "vblade/" + w.Name + "/" + what, text: trimLine(value), line: r.wanted.from(origin{drive: w.Name, what: what})}, fine...)
	}
	if has.Model != w.Model {
		set(ofModel, native.ModelText(w), target.SetModel{Drive: w.Name, Model: w.Model})
	}
	if has.Serial != w.Serial {
		set(ofSerial, native.SerialText(w), target.SetSerial{Drive: w.Name, Serial: w.Serial})
	}
	if has.Firmware != w.Firmware {
		set(ofFirmware, native.FirmwareText(w), target.SetFirmware{Drive: w.Name, Firmware: w.Firmware})
	}
	if has.Implicit != w.Implicit {
		set(ofKeep, native.KeepText(w), target.SetKeep{Drive: w.Name, Keep: !w.Implicit})
	}
	if has.Thin != w.Thin {
		set(ofThin, native.ThinText(w), target.SetThin{Drive: w.Name, Thin: w.Thin})
	}
	if has.Cache != w.Cache {
		set(ofCache, string(w.Cache), target.SetCache{Drive: w.Name, Cache: w.Cache})
	}
	switch op := (target.SetReadOnly{Drive: w.Name, ReadOnly: w.ReadOnly}); {
	case w.ReadOnly && (!has.ReadOnly || has.Unwritable):
		set(ofReadOnly, native.ReadOnlyText(w), op)
	case !w.ReadOnly && w.Auto && has.ReadOnly && !has.Unwritable: // that the medium takes none is fine
		set(ofReadOnly, native.ReadOnlyText(w), op, unix.EROFS)
	case !w.ReadOnly && !w.Auto && has.ReadOnly:
		set(ofReadOnly, native.ReadOnlyText(w), op)
	}
}

// blade makes or changes an address, with what is kept for it.
func (r *restorer) blade(w target.BladeInfo) {
	name, line := native.FolderName(w.Addr), r.wanted.from(origin{addr: w.Addr, what: ofBlade})
	has, there := r.engine.Blade(w.Addr)
	switch {
	case r.badDrives[w.Drive]:
		r.badBlades[w.Addr] = true
		return
	case there && has.Drive != w.Drive:
		r.badBlades[w.Addr] = true
		r.refuse(line, w.Drive, target.ErrAddressTaken, "%s leads to drive %s, and stays as it is with its ports", name, has.Drive)
		return
	case !there && !r.do(step{target.AddBlade{Addr: w.Addr, Drive: w.Drive}, "targets/blades", "add " + name + " " + w.Drive, line}):
		r.badBlades[w.Addr] = true
		return
	}
	r.lists(w, has)
	if has.Loud != w.Loud {
		r.do(step{target.SetLoud{Addr: w.Addr, Loud: w.Loud}, "targets/" + name + "/loud",
			trimLine(native.LoudText(w)), r.wanted.from(origin{addr: w.Addr, what: ofLoud})})
	}
	if !bytes.Equal(has.Config, w.Config) {
		r.do(step{target.SetConfig{Addr: w.Addr, Config: w.Config}, "targets/" + name + "/config",
			trimLine(native.ConfigText(w)), r.wanted.from(origin{addr: w.Addr, what: ofConfig})})
	}
}

// lists sets those of an address that differ.
func (r *restorer) lists(w, has target.BladeInfo) {
	name := native.FolderName(w.Addr)
	for i, file := range []string{target.AcceptList: "accept", target.DenyList: "deny", target.MaskList: "masks", target.ReserveList: "reserve"} {
		list := target.HostList(i)
		hosts := native.Hosts(w, list)
		if slices.Equal(hosts, native.Hosts(has, list)) {
			continue
		}
		r.do(step{target.SetHosts{Addr: w.Addr, List: list, Hosts: hosts}, "targets/" + name + "/" + file,
			native.HostsCommand(hosts), r.wanted.from(origin{addr: w.Addr, what: list.String()})})
	}
	for i, list := range w.Access {
		point := target.AccessPoint(i)
		if reflect.DeepEqual(list, has.Access[i]) {
			continue
		}
		command := strings.ReplaceAll(trimLine(string(native.ListAccess(list))), "\n", "; ")
		if list == nil {
			command = "clear"
		}
		r.do(step{target.SetAccess{Addr: w.Addr, Point: point, List: list}, "targets/" + name + "/" + point.String(),
			shortened(command, maxReason), r.wanted.from(origin{addr: w.Addr, what: point.String()})})
	}
}

// limits sets those that differ; others go if exact.
func (r *restorer) limits(wanted []target.MTULimit) {
	surplus := map[string]int{}
	for _, l := range r.engine.Limits() {
		surplus[l.Interface] = l.MTU
	}
	for _, l := range wanted {
		if surplus[l.Interface] != l.MTU {
			r.do(step{target.LimitMTU(l), "targets/limits", native.LimitCommand(l), r.wanted.from(origin{netif: l.Interface, what: ofLimit})})
		}
		delete(surplus, l.Interface)
	}
	for _, netif := range slices.Sorted(maps.Keys(surplus)) {
		if r.exact {
			r.do(step{op: target.LimitMTU{Interface: netif}, file: "targets/limits", text: "del " + netif})
		}
	}
}

// port makes or changes a port.
func (r *restorer) port(w target.PortInfo) {
	line := r.wanted.from(origin{addr: w.Addr, netif: w.Interface, what: ofPort})
	has, there := r.engine.Port(w.Addr, w.Interface)
	switch {
	case r.badBlades[w.Addr]:
	case there && has.Forced == w.Forced && !samePort(has, w):
		r.do(step{target.SetPort{Addr: w.Addr, Interface: w.Interface, Buffers: w.Buffers, Sectors: w.Sectors, Quiet: w.Quiet},
			"targets/ports", native.SetPortCommand(w), line})
	case there && has.Forced != w.Forced:
		r.refuse(line, w.Interface, target.ErrAddressTaken, "the port of e%s on %s is there with other words, %q", w.Addr, w.Interface, native.PortCommand(has))
	case !there:
		r.do(step{target.AddPort{Addr: w.Addr, Interface: w.Interface, Buffers: w.Buffers, Sectors: w.Sectors,
			Quiet: w.Quiet, Force: w.Forced, Wait: true}, "targets/ports", native.PortCommand(w), line})
	}
}

// sameDisk reports whether two drives have the same data.
func sameDisk(a, b target.DriveInfo) bool {
	return a.Path == b.Path && a.Offset == b.Offset && a.Length == b.Length
}

// diskOf names the data of a drive.
func diskOf(d target.DriveInfo) string {
	if d.Offset == 0 && d.Length == 0 {
		return d.Path
	}
	return fmt.Sprintf("%s offset=%d length=%d", d.Path, d.Offset, d.Length)
}

// samePort reports whether two ports are configured alike.
func samePort(a, b target.PortInfo) bool {
	return a.Buffers == b.Buffers && a.Sectors == b.Sectors && a.Quiet == b.Quiet && a.Forced == b.Forced
}

// trimLine is a value without the newline that reading it gives.
func trimLine(s string) string { return string(bytes.TrimSuffix([]byte(s), []byte("\n"))) }
