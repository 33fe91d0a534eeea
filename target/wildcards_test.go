package target_test

import (
	"slices"
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

// exportsRig lends the worker of a target with that many exports of one drive, one a
// shelf.
func exportsRig(t *testing.T, exports int) *target.Borrowed {
	rig := newRigOf(t, 1)
	rig.Interface("eth0", 1500)
	must(t, rig.Target().Do(target.AddDrive{Name: "d", Path: rig.Disk("d", 1000, false)}))
	for i := range exports {
		must(t, rig.Target().Do(target.AddPort{Drive: "d", Addr: aoe.Addr{Shelf: uint16(i)}, Interface: "eth0", Quiet: true}))
	}
	rig.Machine().Quiesce()
	worker := target.Borrow(rig.Target(), "eth0")
	t.Cleanup(worker.Return)
	return worker
}

// However many exports a wildcard names, other requests are answered in between, and
// each export once.
func TestWildcardsLeaveTurnsToOthers(t *testing.T) {
	const exports, named, all = 5000, 1 << 20, 7
	worker := exportsRig(t, exports)
	link := &crowdedLink{loopLink: loopLink{frames: [][]byte{queryFrame(wildcard, all)}}}
	for i := range 500 {
		link.frames = append(link.frames, queryFrame(aoe.Addr{Shelf: uint16(i)}, named+uint32(i)))
	}
	worker.With(link, &loopQueue{}, func() {
		for worker.Turn() {
		}
	})
	last, answered := slices.Index(link.tags, named+499), 0
	for _, tag := range link.tags {
		if tag == all {
			answered++
		}
	}
	if answered != exports {
		t.Errorf("%d exports answer a wildcard, want %d", answered, exports)
	}
	if last < 0 || last > 500+9*128 {
		t.Errorf("the last of 500 requests is answered as number %d: it waited for the wildcard", last)
	}
}

// Of one host two wildcards wait, of all together 32; more are ignored.
func TestWildcardsThatWaitAreBounded(t *testing.T) {
	const exports = 1000
	for _, c := range []struct{ frames, hosts, want int }{{10, 1, 2}, {20, 10, 20}, {200, 200, 32}} {
		worker := exportsRig(t, exports)
		link := &crowdedLink{}
		for i := range c.frames {
			link.frames = append(link.frames, fromHost(queryFrame(wildcard, uint32(i+1)), i%c.hosts))
		}
		worker.With(link, &loopQueue{}, func() {
			for worker.Turn() {
			}
		})
		if c.frames > 64 { // they came in batches: more was answered meanwhile
			if link.sent < c.want*exports || link.sent >= c.frames*exports {
				t.Errorf("%d replies to %d wildcards of %d hosts", link.sent, c.frames, c.hosts)
			}
		} else if link.sent != c.want*exports {
			t.Errorf("%d replies to %d wildcards of %d hosts, want %d", link.sent, c.frames, c.hosts, c.want*exports)
		}
	}
}
