package fusectl

import (
	"slices"

	"vbladefs/compat/native"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// surplus is what an exact restore removes: what is not wanted, and what is
// wanted otherwise and cannot be changed.
type surplus struct {
	drives map[string]bool
	blades map[aoe.Addr]bool
	ports  map[portKey]bool
}

// remove removes the surplus, ports first and drives last, the newest first.
func (r *restorer) remove(want target.State) {
	has := r.engine.State()
	gone := surplusOf(has, want)
	r.keepDrives(has, gone)
	for _, p := range slices.Backward(has.Ports) {
		if gone.ports[portKey{p.Addr, p.Interface}] && !gone.blades[p.Addr] {
			r.do(step{op: target.RemovePort{Addr: p.Addr, Interface: p.Interface}, file: "targets/ports",
				text: "del " + native.FolderName(p.Addr) + " " + p.Interface}, target.ErrNoPort)
		}
	}
	for _, b := range slices.Backward(has.Blades) {
		if gone.blades[b.Addr] {
			r.do(step{op: target.RemoveBlade{Addr: b.Addr}, file: "targets/blades", text: "del " + native.FolderName(b.Addr)}, target.ErrNoPort)
		}
	}
	for _, d := range slices.Backward(has.Drives) {
		if gone.drives[d.Name] { // one that Export made has gone with its last address
			r.do(step{op: target.RemoveDrive{Name: d.Name}, file: "vblade/drives", text: "del " + d.Name}, target.ErrNoDrive)
		}
	}
}

// keepDrives has drives that stay outlive their addresses that go. What keep is
// to be, it is set to later.
func (r *restorer) keepDrives(has target.State, gone surplus) {
	loses := map[string]bool{}
	for _, b := range has.Blades {
		loses[b.Drive] = loses[b.Drive] || gone.blades[b.Addr]
	}
	for _, d := range has.Drives {
		if d.Implicit && loses[d.Name] && !gone.drives[d.Name] {
			r.do(step{op: target.SetKeep{Drive: d.Name, Keep: true}, file: "vblade/" + d.Name + "/keep", text: "1"}, target.ErrNoDrive)
		}
	}
}

func surplusOf(has, want target.State) surplus {
	gone := surplus{map[string]bool{}, map[aoe.Addr]bool{}, map[portKey]bool{}}
	drives, blades, ports := map[string]target.DriveInfo{}, map[aoe.Addr]string{}, map[portKey]target.PortInfo{}
	for _, d := range want.Drives {
		drives[d.Name] = d
	}
	for _, b := range want.Blades {
		blades[b.Addr] = b.Drive
	}
	for _, p := range want.Ports {
		ports[portKey{p.Addr, p.Interface}] = p
	}
	for _, d := range has.Drives {
		w, ok := drives[d.Name]
		gone.drives[d.Name] = !ok || !sameDisk(w, d) || w.Forced != d.Forced || w.Auto != d.Auto
	}
	had, stay := map[aoe.Addr]bool{}, map[aoe.Addr]bool{} // ports
	for _, p := range has.Ports {
		key := portKey{p.Addr, p.Interface}
		w, ok := ports[key]
		gone.ports[key] = !ok || p.Forced != w.Forced
		had[p.Addr], stay[p.Addr] = true, stay[p.Addr] || !gone.ports[key]
	}
	for _, b := range has.Blades { // an address goes with its last port
		drive, ok := blades[b.Addr]
		gone.blades[b.Addr] = !ok || drive != b.Drive || gone.drives[b.Drive] || had[b.Addr] && !stay[b.Addr]
	}
	return gone
}
