package fusectl

import (
	"errors"
	"path"
	"strings"

	"vbladefs/compat/kvblade"
	"vbladefs/compat/native"
	"vbladefs/compat/text"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// This file keeps a check from telling of one mistake many times. What a
// mistaken line was to make, and what a line refers to in vain, is made in the dry
// run all the same, so that the lines after it are looked at for mistakes of
// their own.

// standIns are the objects that were made so.
type standIns struct {
	drives map[string]bool
	blades map[aoe.Addr]bool
	// How many mistaken lines were to make one whose name nobody can read: the
	// next unknown names are taken for theirs.
	lostDrives, lostBlades int
}

func newStandIns() standIns {
	return standIns{drives: map[string]bool{}, blades: map[aoe.Addr]bool{}}
}

// standIn makes what m lacks, or what its line was to make. again: the line is
// worth another try. consequence: only an earlier mistake is to blame for m.
func (r *rehearsal) standIn(m Mistake) (again, consequence bool) {
	lacks := errors.Is(m.Err, errNoFile) || errors.Is(m.Err, target.ErrNoDrive) || errors.Is(m.Err, target.ErrNoPort)
	if lacks {
		if made, lost := r.supply(m); made {
			return true, lost
		}
	}
	if r.takesPlace(m) {
		return false, true
	}
	r.replace(m)
	return false, false
}

// supply makes the object that m's line refers to in vain; lost: it is probably
// that of a line whose name nobody could read.
func (r *rehearsal) supply(m Mistake) (made, lost bool) {
	folders, words := strings.Split(m.File, "/"), wordsOf(m.Text)
	switch {
	case len(folders) == 3 && folders[0] == "vblade" && !r.hasDrive(folders[1]):
		return r.supplyDrive(folders[1])
	case len(folders) >= 3 && folders[0] == "targets":
		return r.supplyBlade(folders[1])
	case len(folders) == 3 && folders[0] == "kvblade":
		addr, netif, ok := kvblade.ParseExportName(folders[1])
		return ok && r.makePort(addr, netif), false
	case m.File == "targets/blades" && words[0] == "add" && errors.Is(m.Err, target.ErrNoDrive):
		return r.supplyDrive(words[2])
	case m.File == "targets/ports" && words[0] == "add" && errors.Is(m.Err, target.ErrNoPort):
		return r.supplyBlade(words[1])
	}
	return false, false
}

func (r *rehearsal) supplyDrive(name string) (made, lost bool) {
	made, lost = r.makeDrive(name), r.standIns.lostDrives > 0
	if made && lost {
		r.standIns.lostDrives--
	}
	return made, made && lost
}

func (r *rehearsal) supplyBlade(name string) (made, lost bool) {
	addr, ok := native.ParseFolderName(name)
	made, lost = ok && r.makeBlade(addr, ""), r.standIns.lostBlades > 0
	if made && lost {
		r.standIns.lostBlades--
	}
	return made, made && lost
}

// takesPlace reports whether m's line could not make what a stand-in is there
// for: the mistake was told of with that.
func (r *rehearsal) takesPlace(m Mistake) bool {
	words, s := wordsOf(m.Text), r.standIns
	switch {
	case m.File == "vblade/drives" && errors.Is(m.Err, target.ErrNameTaken) && s.drives[words[1]]:
		delete(s.drives, words[1])
		return true
	case errors.Is(m.Err, target.ErrAddressTaken):
		addr, ok := addressOf(m)
		if ok && s.blades[addr] {
			delete(s.blades, addr)
			return true
		}
	}
	return false
}

// replace makes what m's line was to make, as far as its words tell.
func (r *rehearsal) replace(m Mistake) {
	folder, file := path.Split(m.File)
	words := wordsOf(m.Text)
	if words[0] == "del" {
		return
	}
	switch {
	case file == "drives", folder == "vblade/":
		if !r.hasDrive(words[1]) && !r.makeDrive(words[1]) {
			r.standIns.lostDrives++
		}
	case file == "blades", folder == "targets/" && file != "ports" && file != "limits":
		if addr, ok := addressOf(m); ok {
			r.makeBlade(addr, words[2])
		} else {
			r.standIns.lostBlades++
		}
	case file == "ports" || m.File == "kvblade/add" || m.File == "aoeserver":
		if addr, ok := addressOf(m); ok {
			r.makePort(addr, netifOf(m))
		}
	}
}

// netifOf is the interface that m's line is to use.
func netifOf(m Mistake) string {
	words := wordsOf(m.Text)
	switch folder, _ := path.Split(m.File); {
	case folder == "targets/" || m.File == "kvblade/add":
		return words[2]
	case m.File == "aoeserver" && words[4] == "":
		return target.EveryInterface
	case m.File == "aoeserver":
		return words[4]
	}
	return words[1] // of vblade/NAME/ports
}

// addressOf is the address that m's line is to make or to use.
func addressOf(m Mistake) (addr aoe.Addr, ok bool) {
	words := wordsOf(m.Text)
	shelf, slot := words[2], words[3] // of vblade/NAME/ports and aoeserver
	switch folder, file := path.Split(m.File); {
	case folder == "targets/", file == "blades":
		return native.ParseFolderName(words[1])
	case m.File == "kvblade/add":
		shelf, slot = words[0], words[1]
	}
	addr, err := text.Addr(text.Word{Text: shelf}, text.Word{Text: slot})
	return addr, err == nil
}

// wordsOf are the words of a line, and empty ones where it has fewer than five.
func wordsOf(line string) []string { return append(strings.Fields(line), "", "", "", "", "") }

func (r *rehearsal) hasDrive(name string) bool {
	_, ok := r.Drive(name)
	return ok
}

// The makers report whether they made anything.

func (r *rehearsal) makeDrive(name string) bool {
	made := r.Target.Do(target.AddDrive{Name: name, Path: "/stand-in/" + name}) == nil
	if made {
		r.standIns.drives[name] = true
	}
	return made
}

func (r *rehearsal) makeBlade(addr aoe.Addr, drive string) bool {
	if !r.hasDrive(drive) && !r.makeDrive(drive) {
		drive = "stand-in"
		r.makeDrive(drive)
	}
	made := r.Target.Do(target.AddBlade{Addr: addr, Drive: drive}) == nil
	if made {
		r.standIns.blades[addr] = true
	}
	return made
}

func (r *rehearsal) makePort(addr aoe.Addr, netif string) bool {
	r.makeBlade(addr, "")
	return r.Target.Do(target.AddPort{Addr: addr, Interface: netif, Wait: true, Force: true}) == nil
}
