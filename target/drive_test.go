package target_test

import (
	"strings"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// One device under two drives is opened once, and closed with the last.
func TestDeviceIsOpenedOnce(t *testing.T) {
	rig := newRig(t)
	rig.Interface("eth0", 1500)
	rig.Disk("d", 100, false)
	d := rig.Machine().AddMedium("/disks/one", 100, false)
	d.Alias("/disks/by-id/one")
	must(t, rig.Target().Do(target.AddDrive{Name: "a", Path: "/disks/one"}))
	must(t, rig.Target().Do(target.AddDrive{Name: "b", Path: "/disks/by-id/one", Access: target.AccessReadOnly}))
	must(t, rig.Target().Do(target.Export{Path: "/disks/one", Addr: blade, Interface: "eth0"}))
	if d.Opened() != 1 {
		t.Errorf("opened %d times", d.Opened())
	}
	a, _ := rig.Target().Drive("a")
	b, _ := rig.Target().Drive("b")
	if a.ReadOnly || !b.ReadOnly {
		t.Errorf("read-only: a %v, b %v; want b alone", a.ReadOnly, b.ReadOnly)
	}
	must(t, rig.Target().Do(target.SetCache{Drive: "b", Cache: target.CacheDurable}))
	if a, _ := rig.Target().Drive("a"); a.Cache != target.CacheDurable || d.Cache() != target.CacheDurable {
		t.Errorf("the policy of one drive is not that of the other: %s, %s", a.Cache, d.Cache())
	}
	must(t, rig.Target().Do(target.RemovePort{Addr: blade}))
	must(t, rig.Target().Do(target.RemoveDrive{Name: "a"}))
	if open := rig.Machine().Open(); !strings.Contains(open, "store /disks/one") {
		t.Errorf("open: %s, want the store that drive b uses", open)
	}
	must(t, rig.Target().Do(target.RemoveDrive{Name: "b"}))
	if rig.Machine().Open() != targettest.Nothing {
		t.Errorf("open: %s", rig.Machine().Open())
	}
}

// What Export made goes with its last port; what was there before stays.
func TestImplicitDrives(t *testing.T) {
	rig := newRig(t)
	rig.Interface("eth0", 1500)
	rig.Interface("eth1", 1500)
	path := rig.Disk("d", 100, false)
	other := rig.Disk("odd name!", 100, false)
	rig.Machine().AddMedium("/other/d", 100, false)
	two, three, four := aoe.Addr{Shelf: 2}, aoe.Addr{Shelf: 3}, aoe.Addr{Shelf: 4}
	must(t, rig.Target().Do(target.Export{Path: path, Addr: blade, Interface: "eth0"}))
	must(t, rig.Target().Do(target.Export{Path: path, Addr: blade, Interface: "eth1", Config: []byte("not for a second port")}))
	must(t, rig.Target().Do(target.Export{Path: "/other/d", Addr: two, Interface: "eth0"}))
	must(t, rig.Target().Do(target.Export{Path: other, Addr: three, Interface: "eth0", Unique: true}))
	must(t, rig.Target().Do(target.AddDrive{Name: "explicit", Path: path}))
	must(t, rig.Target().Do(target.AddPort{Drive: "explicit", Addr: four, Interface: "eth0"}))
	var names []string
	for _, d := range rig.Target().Drives() {
		names = append(names, d.Name)
		if d.Implicit != (d.Name != "explicit") {
			t.Errorf("%s: implicit %v", d.Name, d.Implicit)
		}
	}
	if got := strings.Join(names, " "); got != "d d-2.0 odd_name_ explicit" {
		t.Errorf("drives %s", got)
	}
	if b, _ := rig.Target().Blade(blade); len(b.Config) != 0 {
		t.Errorf("a second port has set the config string to %q", b.Config)
	}
	must(t, rig.Target().Do(target.RemovePort{Addr: blade, Interface: "eth0"}))
	if d, ok := rig.Target().Drive("d"); !ok || d.Ports != 1 {
		t.Errorf("drive d went with the first of its ports, or %+v", d)
	}
	for _, addr := range []aoe.Addr{blade, two, three, four} {
		must(t, rig.Target().Do(target.RemovePort{Addr: addr}))
	}
	if list := rig.Target().Drives(); len(list) != 1 || list[0].Name != "explicit" {
		t.Errorf("left: %+v", list)
	}
}

// Identities are cut to what IDENTIFY holds, and a drive has a serial number.
func TestIdentities(t *testing.T) {
	rig := newRig(t)
	long := strings.Repeat("0123456789", 5)
	must(t, rig.Target().Do(target.AddDrive{Name: "d", Path: rig.Disk("d", 100, false), Identity: target.Identity{Model: long}}))
	d, _ := rig.Target().Drive("d")
	if d.Serial != "d" || d.Model != long[:target.MaxModel] {
		t.Errorf("serial %q, model %q", d.Serial, d.Model)
	}
	must(t, rig.Target().Do(target.SetModel{Drive: "d", Model: "m"}))
	must(t, rig.Target().Do(target.SetSerial{Drive: "d", Serial: long}))
	if d, _ = rig.Target().Drive("d"); d.Serial != long[:target.MaxSerial] || d.Model != "m" {
		t.Errorf("serial %q, model %q", d.Serial, d.Model)
	}
}

// Lists as long as they may be; one more is refused by the protocol's error.
func TestFullLists(t *testing.T) {
	rig := newRig(t)
	rig.Interface("eth0", 1500)
	must(t, rig.Target().Do(target.Export{Path: rig.Disk("d", 100, false), Addr: blade, Interface: "eth0"}))
	mac := func(i int) aoe.MAC {
		if i == 0 {
			return alice
		}
		return aoe.MAC{4, 0, 0, 0, byte(i >> 8), byte(i)}
	}
	edit := func(tag uint32, directive aoe.MaskDirective, from, to int) aoe.MaskList {
		frame := frameOf(blade, aoe.CmdMaskList, tag, aoe.MaskListSize+aoe.DirectiveSize*(to-from))
		aoe.MaskList{Command: aoe.MaskEdit, Count: uint8(to - from)}.Put(frame)
		for i := from; i < to; i++ {
			aoe.PutDirective(frame, i-from, directive, mac(i))
		}
		replies := answers(rig, "eth0", frame)
		if len(replies) != 1 {
			t.Fatalf("%d replies to a mask edit", len(replies))
		}
		m, _ := aoe.DecodeMaskList(replies[0])
		return m
	}
	edit(1, aoe.MaskAdd, 0, 100)
	if m := edit(2, aoe.MaskAdd, 100, aoe.MaxListed); int(m.Count) != aoe.MaxListed || !m.Valid() || m.Error != 0 {
		t.Errorf("a full list: %d entries, error %d", m.Count, m.Error)
	}
	if m := edit(3, aoe.MaskAdd, aoe.MaxListed-1, aoe.MaxListed+1); m.Error != aoe.MaskFull || m.Count != 1 {
		t.Errorf("one more: error %d after %d directives, want %d after 1", m.Error, m.Count, aoe.MaskFull)
	}
	if m := edit(4, aoe.MaskDelete, 1, 180); m.Error != 0 || int(m.Count) != aoe.MaxListed-179 {
		t.Errorf("deleting: error %d, %d left", m.Error, m.Count)
	}
	frame := frameOf(blade, aoe.CmdReserve, 5, aoe.ReserveSize+6*aoe.MaxListed)
	aoe.Reserve{Command: aoe.ReserveSet, Count: aoe.MaxListed}.Put(frame)
	for i := range aoe.MaxListed {
		aoe.PutReserved(frame, i, mac(i))
	}
	replies := answers(rig, "eth0", frame)
	if len(replies) != 1 || string(replies[0][aoe.HeaderSize:]) != string(frame[aoe.HeaderSize:]) {
		t.Errorf("a full reserve list does not come back")
	}
}
