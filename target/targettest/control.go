package targettest

import (
	"fmt"
	"syscall"

	"vbladefs/target"
)

// control changes the target as a line of a conversation says:
//
//	interface eth0 mtu 1500
//	disk d0 sectors 1000 [readonly]
//	drive d0 [of d1] [offset n] [length n] [readonly] [cache writeback|direct|durable] [model "…"] [firmware xxxx]
//	firmware d0 xxxx
//	blade d0 0.1, unblade 0.1
//	port d0 0.1 eth0 [buffers n] [sectors n] [quiet]
//	setport 0.1 eth0 [buffers n] [sectors n] [quiet]
//	unport 0.1 eth0
//	limit eth0 1500 (0: no limit)
//	export d0 0.1 eth0 [quiet] [config "…"]
//	accept 0.1 A, unaccept 0.1 A, deny 0.1 A, undeny 0.1 A
//	access 0.1 cfgread|cfgset|read|write [accept|reject [accept A|reject A]...] (else everyone may)
//	loud 0.1, unloud 0.1
//	announce
//
// and, over a Rig that has Faults:
//
//	down eth0, up eth0, remove eth0
//	hold, finish [n] (of what is held, the n-th, else all)
//	fail d0 read|write|flush, mend d0 read|write|flush
//
// Over * for an interface is every interface. A drive has the name of its disk, but for "of".
func (p *player) control(w *words) {
	verb := w.next("line")
	if f, ok := p.rig.(Faults); ok && p.fault(w, verb, f.Machine()) {
		return
	}
	switch verb {
	case "interface":
		name := w.next("interface")
		w.accept("mtu")
		if mtu := int(w.number("mtu", 10, 32)); w.err == nil {
			p.netifs[name] = p.rig.Interface(name, mtu)
		}
	case "disk":
		name := w.next("disk")
		sectors := int(w.option("sectors", 10, 20, 1000))
		p.disks[name] = p.rig.Disk(name, sectors, w.accept("readonly"))
	default:
		if op := p.operation(w, verb); w.err == nil && !w.more() {
			if err := p.rig.Target().Do(op); err != nil {
				w.fail("%v", err)
			}
		}
	}
}

func (p *player) operation(w *words, verb string) target.Operation {
	switch verb {
	case "drive":
		return p.addDrive(w)
	case "port":
		op := target.AddPort{Drive: w.next("drive"), Addr: w.addr(), Interface: w.next("interface")}
		op.Buffers, op.Sectors, op.Quiet = portOptions(w)
		return op
	case "setport":
		op := target.SetPort{Addr: w.addr(), Interface: w.next("interface")}
		op.Buffers, op.Sectors, op.Quiet = portOptions(w)
		return op
	case "limit":
		return target.LimitMTU{Interface: w.next("interface"), MTU: int(w.number("MTU", 10, 32))}
	case "loud", "unloud":
		return target.SetLoud{Addr: w.addr(), Loud: verb == "loud"}
	case "firmware":
		return target.SetFirmware{Drive: w.next("drive"), Firmware: uint16(w.number("firmware", 16, 16))}
	case "blade":
		return target.AddBlade{Drive: w.next("drive"), Addr: w.addr()}
	case "unblade":
		return target.RemoveBlade{Addr: w.addr()}
	case "unport":
		return target.RemovePort{Addr: w.addr(), Interface: w.next("interface")}
	case "export":
		op := target.Export{Path: p.disks[w.next("disk")], Addr: w.addr(), Interface: w.next("interface"), Quiet: w.accept("quiet")}
		if w.accept("config") {
			op.Config = w.text()
		}
		return op
	case "accept", "unaccept":
		return target.EditHosts{List: target.AcceptList, Addr: w.addr(), Host: p.mac(w), Remove: verb == "unaccept"}
	case "deny", "undeny":
		return target.EditHosts{List: target.DenyList, Addr: w.addr(), Host: p.mac(w), Remove: verb == "undeny"}
	case "access":
		return p.setAccess(w)
	case "announce":
		return target.Announce{}
	}
	w.fail("%q: want T, R, a question or a change", verb)
	return nil
}

func portOptions(w *words) (buffers uint16, sectors uint8, quiet bool) {
	buffers = uint16(w.option("buffers", 10, 16, 0))
	sectors = uint8(w.option("sectors", 10, 8, 0))
	return buffers, sectors, w.accept("quiet")
}

func (p *player) addDrive(w *words) target.Operation {
	name := w.next("drive")
	op := target.AddDrive{Name: name, Path: p.disks[name]}
	if w.accept("of") {
		op.Path = p.disks[w.next("disk")]
	}
	op.Offset, op.Length = w.option("offset", 10, 64, 0), w.option("length", 10, 64, 0)
	if w.accept("readonly") {
		op.Access = target.AccessReadOnly
	}
	op.Thin = w.accept("thin")
	if w.accept("cache") {
		op.Cache = target.Cache(w.next("cache"))
	}
	if w.accept("model") {
		op.Model = string(w.text())
	}
	op.Firmware = uint16(w.option("firmware", 16, 16, 0))
	return op
}

func (p *player) setAccess(w *words) target.Operation {
	op := target.SetAccess{Addr: w.addr()}
	for name := w.next("point"); op.Point < target.AccessPoints && op.Point.String() != name; op.Point++ {
	}
	if !w.more() {
		return op
	}
	verdict := func() bool {
		if w.accept("accept") {
			return true
		}
		if !w.accept("reject") {
			w.fail("want accept or reject")
		}
		return false
	}
	op.List = &target.AccessList{Accept: verdict()}
	for w.more() {
		accept := verdict()
		op.List.Rows = append(op.List.Rows, target.AccessRow{Host: p.mac(w), Accept: accept})
	}
	return op
}

// fault does what only a machine in memory can.
func (p *player) fault(w *words, verb string, m *Machine) bool {
	switch verb {
	case "down", "up":
		name := w.next("interface")
		info, err := m.lookupInterface(name)
		info.Up = verb == "up"
		if err != nil {
			w.fail("%v", err)
			return true
		}
		m.SetInfo(info)
		p.rig.Target().InterfaceChanged(info)
	case "remove":
		name := w.next("interface")
		info, _ := m.lookupInterface(name)
		m.RemoveInterface(name)
		p.rig.Target().InterfaceVanished(name, info.Index)
	case "hold":
		m.SetMode(Held)
	case "finish":
		p.finish(w, m)
	case "fail", "mend":
		d := m.media[p.disks[w.next("disk")]]
		ops := map[string][]target.Op{"read": {target.OpRead}, "write": {target.OpWrite, target.OpWriteDurable},
			"flush": {target.OpFlush}}[w.next("operation")]
		if d == nil || ops == nil {
			w.fail("want a disk, then read, write or flush")
			return true
		}
		for _, op := range ops {
			d.Fail(op, map[string]error{"fail": fmt.Errorf("medium error: %w", syscall.EIO)}[verb])
		}
	default:
		return false
	}
	return true
}

func (p *player) finish(w *words, m *Machine) {
	if !w.more() {
		m.FinishAll()
		return
	}
	pending := m.Pending()
	if n := w.number("transfer", 10, 16); n < uint64(len(pending)) {
		pending[n].Finish(nil)
	} else {
		w.fail("transfer %d: %d are held", n, len(pending))
	}
}
