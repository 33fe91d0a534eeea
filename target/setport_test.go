package target_test

import (
	"errors"
	"fmt"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// portedRig serves one drive at 1.0 on eth0.
func portedRig(t *testing.T) targettest.Faults {
	rig := newRig(t)
	rig.Interface("eth0", 9000)
	must(t, rig.Target().Do(target.AddDrive{Name: "d", Path: rig.Disk("d", 100, false)}))
	must(t, rig.Target().Do(target.AddPort{Drive: "d", Addr: blade, Interface: "eth0"}))
	rig.Collect("eth0", 1)
	return rig
}

// Requests in flight when a port gets fewer buffers and sectors are answered; as
// many more as it has buffers are taken.
func TestSetPortUnderRequests(t *testing.T) {
	rig := portedRig(t)
	m := rig.Machine()
	m.SetMode(targettest.Held)
	for i := range 5 {
		rig.Send("eth0", readFrame(blade, uint32(i+1), 16*i, 16))
	}
	m.Quiesce()
	must(t, rig.Target().Do(target.SetPort{Addr: blade, Interface: "eth0", Buffers: 3, Sectors: 2, Quiet: true}))
	rig.Send("eth0", readFrame(blade, 6, 0, 1))
	m.Quiesce()
	if n := len(m.Pending()); n != 5 {
		t.Errorf("%d requests are in flight, want the 5 that were", n)
	}
	m.FinishAll()
	if got := tagged(rig.Collect("eth0", 5)); len(got) != 5 {
		t.Errorf("answered %v", got)
	}
	for i := range 5 {
		rig.Send("eth0", readFrame(blade, uint32(10+i), i, 1))
	}
	m.Quiesce()
	if n := len(m.Pending()); n != 3 {
		t.Errorf("%d requests are in flight, want as many as there are buffers", n)
	}
	m.FinishAll()
	rig.Collect("eth0", 3)
	want := target.PortInfo{Addr: blade, Interface: "eth0", Drive: "d", Buffers: 3, Sectors: 2, EffectiveSectors: 2, Quiet: true, Up: true}
	if p, _ := rig.Target().Port(blade, "eth0"); p.Stats.Reads != 8 || p.Stats.Dropped != 3 {
		t.Errorf("%+v", p.Stats)
	} else if p.Stats = (target.Stats{}); p != want {
		t.Errorf("%+v,\nwant %+v", p, want)
	}
}

// tagged are the tags of replies to alice.
func tagged(frames [][]byte) (tags []uint32) {
	for _, f := range frames {
		if h, _ := aoe.DecodeHeader(f); h.Response && h.Dst == alice {
			tags = append(tags, h.Tag)
		}
	}
	return tags
}

func TestSetPortRefused(t *testing.T) {
	rig := portedRig(t)
	other := aoe.Addr{Shelf: 9}
	for _, tt := range []struct {
		op  target.Operation
		err error
	}{
		{target.SetPort{Addr: blade, Interface: "eth1"}, target.ErrNoPort},
		{target.SetPort{Addr: blade}, target.ErrNoPort},
		{target.SetPort{Addr: other, Interface: "eth0"}, target.ErrNoPort},
		{target.SetLoud{Addr: other, Loud: true}, target.ErrNoPort},
		{target.LimitMTU{Interface: "eth0", MTU: target.MinMTULimit - 1}, target.ErrRange},
		{target.LimitMTU{Interface: "eth0", MTU: target.MaxMTULimit + 1}, target.ErrRange},
		{target.LimitMTU{Interface: "eth0", MTU: -1}, target.ErrRange},
		{target.LimitMTU{MTU: 1500}, target.ErrNoInterface},
		{target.LimitMTU{Interface: "a/b", MTU: 1500}, target.ErrNoInterface},
		{target.LimitMTU{Interface: "eth*", MTU: 1500}, target.ErrNoInterface},
	} {
		if err := rig.Target().Do(tt.op); !errors.Is(err, tt.err) {
			t.Errorf("%+v: %v, want %v", tt.op, err, tt.err)
		}
	}
	if s := rig.Target().State(); len(s.Limits) != 0 || s.Blades[0].Loud {
		t.Errorf("%+v", s)
	}
}

// Limits are of interfaces, whether these are there or not, and go along when one
// is renamed.
func TestLimits(t *testing.T) {
	rig := portedRig(t)
	do := rig.Target().Do
	must(t, do(target.LimitMTU{Interface: "eth9", MTU: 9000}))
	must(t, do(target.LimitMTU{Interface: "eth0", MTU: 1500}))
	must(t, do(target.LimitMTU{Interface: "eth1", MTU: 0}))
	sectors := func(want int) { // a link for the new MTU may be on its way
		t.Helper()
		until(t, fmt.Sprintf("requests have %d sectors", want), func() bool {
			p, _ := rig.Target().Port(blade, "lan0")
			return p.EffectiveSectors == want
		})
	}
	limits := func(want string) {
		t.Helper()
		if got := fmt.Sprint(rig.Target().State().Limits); got != want {
			t.Errorf("limits %s, want %s", got, want)
		}
	}
	limits("[{eth0 1500} {eth9 9000}]")
	info := rig.Machine().SetInterface("lan0", 1, 9000)
	rig.Machine().RemoveInterface("eth0")
	rig.Target().InterfaceChanged(info)
	limits("[{eth9 9000} {lan0 1500}]")
	sectors(2)
	must(t, do(target.LimitMTU{Interface: "lan0"}))
	limits("[{eth9 9000}]")
	sectors(16)
}

// Of what is longer than a request no frame is longer than the limit.
func TestLimitOfLists(t *testing.T) {
	rig := portedRig(t)
	list := target.SetHosts{Addr: blade, List: target.MaskList}
	for i := range aoe.MaxListed {
		list.Hosts = append(list.Hosts, host(i))
	}
	list.Hosts[0] = alice
	must(t, rig.Target().Do(list))
	must(t, rig.Target().Do(target.LimitMTU{Interface: "eth0", MTU: target.MinMTULimit}))
	for _, r := range answers(rig, "eth0", frameOf(blade, aoe.CmdMaskList, 1, aoe.MinFrame)) {
		if len(r) > target.MinMTULimit+aoe.EthernetSize || len(r) < target.MinMTULimit {
			t.Errorf("a reply of %d bytes", len(r))
		}
	}
}
