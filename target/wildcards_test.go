package target_test

import (
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// One small frame to all makes a reply of every export. However many come, only so
// many are answered, and a request that names its export is answered among them.
func TestWildcardsOverTimeAreBounded(t *testing.T) {
	const exports, frames = 1000, 400
	rig := newRigOf(t, 1)
	rig.Interface("eth0", 1500)
	must(t, rig.Target().Do(target.AddDrive{Name: "d", Path: rig.Disk("d", 1000, false)}))
	for i := range exports {
		must(t, rig.Target().Do(target.AddPort{Drive: "d", Addr: aoe.Addr{Shelf: uint16(i)}, Interface: "eth0", Quiet: true}))
	}
	m := rig.Machine()
	m.Quiesce()
	m.Sent("eth0")
	made, named := 0, 0
	for tag := range uint32(frames) {
		m.Inject("eth0", queryFrame(wildcard, 1+tag), queryFrame(aoe.Addr{Shelf: 7}, 1<<20+tag))
		m.Quiesce()
		for _, reply := range m.Sent("eth0") {
			if h, _ := aoe.DecodeHeader(reply); h.Tag >= 1<<20 {
				named++
			} else if h.Tag > 0 {
				made++
			}
		}
	}
	if named != frames {
		t.Errorf("%d of %d requests are answered beside the flood", named, frames)
	}
	if made < 65536 || made >= exports*frames || made%exports != 0 {
		t.Errorf("%d replies to %d wildcards", made, frames)
	}
	t.Logf("%d replies to %d wildcards", made, frames)
}
