package target_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// state is all that an operation can change, as readers see it.
func state(rig targettest.Faults) string {
	t := rig.Target()
	ports := t.Ports()
	for i := range ports {
		ports[i].Stats = target.Stats{}
	}
	drives := t.Drives()
	for i := range drives {
		drives[i].Stats = target.Stats{}
	}
	text := fmt.Sprintf("drives %+v\nports %+v\nblades %+v\nserved %v\nopen %s", drives, ports, t.Blades(), t.Served(), rig.Machine().Open())
	for _, n := range t.Interfaces() {
		addrs, devices := target.Homes(t, n.Name)
		n.Received, n.Sent = target.Traffic{}, target.Traffic{}
		text += fmt.Sprintf("\n%s: %+v\nhomes %v, devices %v, steered %v", n.Name, n, addrs, devices, rig.Machine().Steered(n.Name))
	}
	return text
}

// populated has the drives d (1.0 on eth0), e (2.0 on all) and idle, a
// read-only medium, and interfaces of all kinds.
func populated(t testing.TB) targettest.Faults {
	rig := newRig(t)
	rig.Interface("eth0", 1500)
	rig.Interface("eth1", 9000)
	rig.Machine().SetInfo(target.Interface{Name: "lo", Index: 9, MTU: 65536, Up: true, Loopback: true})
	rig.Machine().SetInfo(target.Interface{Name: "tun0", Index: 8, MTU: 1500, Up: true})
	for _, name := range []string{"d", "e", "idle"} {
		must(t, rig.Target().Do(target.AddDrive{Name: name, Path: rig.Disk(name, 1000, false)}))
	}
	rig.Disk("spare", 500, false)
	rig.Disk("readonly", 500, true)
	must(t, rig.Target().Do(target.AddDrive{Name: "shut", Path: rig.Disk("shut", 500, true)}))
	must(t, rig.Target().Do(target.AddPort{Drive: "d", Addr: aoe.Addr{Shelf: 1}, Interface: "eth0"}))
	must(t, rig.Target().Do(target.AddPort{Drive: "e", Addr: aoe.Addr{Shelf: 2}, Interface: target.EveryInterface}))
	return rig
}

// Every refusal says why, in a way that programs and people understand, and
// changes nothing.
func TestRefusals(t *testing.T) {
	one, two, free := aoe.Addr{Shelf: 1}, aoe.Addr{Shelf: 2}, aoe.Addr{Shelf: 3}
	rig := populated(t)
	for i := range aoe.MaxListed {
		must(t, rig.Target().Do(target.EditHosts{List: target.AcceptList, Addr: two, Host: aoe.MAC{4, 0, 0, 0, 0, byte(i)}}))
	}
	for _, tt := range []struct {
		op   target.Operation
		want error
		word string // the bad word, which the message repeats
	}{
		{target.AddDrive{Name: "", Path: "/disks/spare"}, target.ErrMalformed, `""`},
		{target.AddDrive{Name: "a b", Path: "/disks/spare"}, target.ErrMalformed, "a b"},
		{target.AddDrive{Name: "a/b", Path: "/disks/spare"}, target.ErrMalformed, "a/b"},
		{target.AddDrive{Name: "ä", Path: "/disks/spare"}, target.ErrMalformed, "ä"},
		{target.AddDrive{Name: "..", Path: "/disks/spare"}, target.ErrMalformed, ".."},
		{target.AddDrive{Name: ".", Path: "/disks/spare"}, target.ErrMalformed, "."},
		{target.AddDrive{Name: "drives", Path: "/disks/spare"}, target.ErrMalformed, "drives"},
		{target.AddDrive{Name: "stats", Path: "/disks/spare"}, target.ErrMalformed, "stats"},
		{target.AddDrive{Name: strings.Repeat("x", 32), Path: "/disks/spare"}, target.ErrMalformed, "xxx"},
		{target.AddDrive{Name: "d", Path: "/disks/spare"}, target.ErrNameTaken, "d"},
		{target.AddDrive{Name: "new", Path: "disks/spare"}, target.ErrMalformed, "disks/spare"},
		{target.AddDrive{Name: "new", Path: ""}, target.ErrMalformed, `""`},
		{target.AddDrive{Name: "new", Path: "/disks/none"}, target.ErrStore, "/disks/none"},
		{target.AddDrive{Name: "new", Path: "/disks/none"}, syscall.ENOENT, "/disks/none"},
		{target.AddDrive{Name: "new", Path: "/disks/spare", Cache: "fast"}, target.ErrMalformed, "fast"},
		{target.AddDrive{Name: "new", Path: "/disks/readonly", Access: target.AccessReadWrite}, syscall.EROFS, "/disks/readonly"},
		{target.AddDrive{Name: "new", Path: "/disks/shut", Access: target.AccessReadWrite}, syscall.EROFS, "/disks/shut"},

		{target.AddDrive{Name: "new", Path: "/disks/idle", Cache: target.CacheDurable}, target.ErrInUse, "/disks/idle"},

		{target.RemoveDrive{Name: "none"}, target.ErrNoDrive, "none"},
		{target.RemoveDrive{Name: "d"}, target.ErrInUse, "d"},

		{target.AddPort{Drive: "none", Addr: free, Interface: "eth0"}, target.ErrNoDrive, "none"},
		{target.AddPort{Drive: "idle", Addr: aoe.Addr{Shelf: 65535}, Interface: "eth0"}, target.ErrRange, "65535.0"},
		{target.AddPort{Drive: "idle", Addr: aoe.Addr{Slot: 255}, Interface: "eth0"}, target.ErrRange, "0.255"},
		{target.AddPort{Drive: "idle", Addr: aoe.Addr{Slot: 255}, Interface: target.EveryInterface}, target.ErrRange, "0.255"},
		{target.AddPort{Drive: "idle", Addr: free, Interface: "eth9"}, target.ErrNoInterface, "eth9"},
		{target.AddPort{Drive: "idle", Addr: free, Interface: ""}, target.ErrNoInterface, `""`},
		{target.AddPort{Drive: "idle", Addr: free, Interface: "tun0"}, target.ErrNotEthernet, "tun0"},
		{target.AddPort{Drive: "d", Addr: one, Interface: "eth0"}, target.ErrAddressTaken, "1.0"},
		{target.AddPort{Drive: "d", Addr: one, Interface: target.EveryInterface}, target.ErrAddressTaken, "1.0"},
		{target.AddPort{Drive: "e", Addr: two, Interface: "eth0"}, target.ErrAddressTaken, "2.0"},
		{target.AddPort{Drive: "idle", Addr: one, Interface: "eth1"}, target.ErrAddressTaken, "1.0"},

		{target.AddPort{Addr: free, Interface: "eth0"}, target.ErrNoPort, "targets/blades"},
		{target.RemovePort{Addr: free}, target.ErrNoPort, "3.0"},
		{target.RemovePort{Addr: one, Interface: "eth1"}, target.ErrNoPort, "eth1"},
		{target.RemovePort{Addr: two, Interface: "eth0"}, target.ErrNoPort, "eth0"},
		{target.RemovePort{Addr: one, Drive: "e"}, target.ErrNoPort, "1.0"},

		{target.Export{Path: "/disks/spare", Addr: aoe.Addr{Shelf: 65535}, Interface: "eth0"}, target.ErrRange, "65535.0"},
		{target.Export{Path: "/disks/spare", Addr: free, Interface: "eth9"}, target.ErrNoInterface, "eth9"},
		{target.Export{Path: "/disks/spare", Addr: free, Interface: "tun0"}, target.ErrNotEthernet, "tun0"},
		{target.Export{Path: "/disks/none", Addr: free, Interface: "eth0"}, target.ErrStore, "/disks/none"},
		{target.Export{Path: "spare", Addr: free, Interface: "eth0"}, target.ErrMalformed, "spare"},
		{target.Export{Path: "/disks/readonly", Addr: free, Interface: "eth0", Access: target.AccessReadWrite}, syscall.EROFS, "/disks/readonly"},
		{target.Export{Path: "/disks/spare", Addr: free, Interface: "eth0", Config: make([]byte, aoe.MaxConfigString+1)}, target.ErrTooLong, "1025"},
		{target.Export{Path: "/disks/d", Addr: one, Interface: "eth1", Unique: true}, target.ErrAddressTaken, "1.0"},
		{target.Export{Path: "/disks/d", Addr: one, Interface: "eth0"}, target.ErrAddressTaken, "1.0"},
		{target.Export{Path: "/disks/spare", Addr: one, Interface: "eth1"}, target.ErrAddressTaken, "1.0"},
		{target.Export{Path: "/disks/none", Addr: one, Interface: "eth1"}, target.ErrStore, "/disks/none"},

		{target.AddBlade{Drive: "none", Addr: free}, target.ErrNoDrive, "none"},
		{target.AddBlade{Drive: "idle", Addr: aoe.Addr{Shelf: 65535}}, target.ErrRange, "65535.0"},
		{target.AddBlade{Drive: "d", Addr: one}, target.ErrAddressTaken, "1.0"},
		{target.AddBlade{Drive: "idle", Addr: one}, target.ErrAddressTaken, "drive d"},
		{target.RemoveBlade{Addr: free}, target.ErrNoPort, "3.0"},
		{target.RemoveDrive{Name: "e"}, target.ErrInUse, "e2.0"},
		{target.AddDrive{Name: "d", Path: "/disks/none", Wait: true}, target.ErrNameTaken, "d"},
		{target.AddDrive{Name: "new", Path: "none", Wait: true}, target.ErrMalformed, `"none"`},
		{target.AddDrive{Name: "new", Path: "/disks/none", Wait: true, Cache: "fast"}, target.ErrMalformed, "fast"},
		{target.AddPort{Drive: "none", Addr: free, Interface: "eth0", Wait: true}, target.ErrNoDrive, "none"},
		{target.AddPort{Drive: "d", Addr: one, Interface: "eth0", Wait: true}, target.ErrAddressTaken, "1.0"},
		{target.AddPort{Drive: "idle", Addr: free, Wait: true}, target.ErrNoInterface, `""`},

		{target.Rebind{Addr: free, Interface: "eth0", Path: "/disks/spare"}, target.ErrNoPort, "3.0"},
		{target.Rebind{Addr: one, Interface: "eth1", Path: "/disks/spare"}, target.ErrNoPort, "eth1"},
		{target.Rebind{Addr: one, Interface: "eth0", Path: "/disks/none"}, target.ErrStore, "/disks/none"},
		{target.Rebind{Addr: one, Interface: "eth0", Path: "spare"}, target.ErrMalformed, "spare"},

		{target.EditHosts{List: target.AcceptList, Addr: free, Host: alice}, target.ErrNoPort, "3.0"},
		{target.EditHosts{List: target.AcceptList, Addr: free, Host: alice, Remove: true}, target.ErrNoPort, "3.0"},
		{target.EditHosts{List: target.AcceptList, Addr: two, Host: alice}, target.ErrFull, "185"},

		{target.SetModel{Drive: "none", Model: "m"}, target.ErrNoDrive, "none"},
		{target.SetSerial{Drive: "none", Serial: "s"}, target.ErrNoDrive, "none"},
		{target.SetFirmware{Drive: "none"}, target.ErrNoDrive, "none"},
		{target.SetKeep{Drive: "none"}, target.ErrNoDrive, "none"},
		{target.SetCache{Drive: "none", Cache: target.CacheDirect}, target.ErrNoDrive, "none"},
		{target.SetCache{Drive: "d", Cache: "fast"}, target.ErrMalformed, "fast"},
		{target.SetCache{Drive: "d", Cache: ""}, target.ErrMalformed, `""`},
	} {
		before := state(rig)
		err := rig.Target().Do(tt.op)
		op := fmt.Sprintf("%T%+v", tt.op, tt.op)
		if !errors.Is(err, tt.want) || !strings.Contains(fmt.Sprint(err), tt.word) {
			t.Errorf("%.120s:\n %v, want %v and %s", op, err, tt.want, tt.word)
		}
		if after := state(rig); after != before {
			t.Fatalf("%.120s was refused and changed\n%s\nto\n%s", op, before, after)
		}
	}
	must(t, rig.Target().Do(target.RemovePort{Addr: free, MissingOK: true}))
}

// Whatever an operation opens may fail: then nothing has changed, nothing is
// left open, and the operation succeeds when it is tried again.
func TestEveryStepMayFail(t *testing.T) {
	two := target.AddPort{Drive: "d", Addr: aoe.Addr{Shelf: 1}, Interface: "eth1"}
	for name, op := range map[string]target.Operation{
		"drive":           target.AddDrive{Name: "new", Path: "/disks/spare"},
		"port":            target.AddPort{Drive: "idle", Addr: aoe.Addr{Shelf: 3}, Interface: "lo"},
		"second path":     two,
		"export":          target.Export{Path: "/disks/spare", Addr: aoe.Addr{Shelf: 3}, Interface: "lo"},
		"export in use":   target.Export{Path: "/disks/d", Addr: aoe.Addr{Shelf: 3}, Interface: "eth0"},
		"second export":   target.Export{Path: "/disks/d", Addr: aoe.Addr{Shelf: 1}, Interface: "lo"},
		"rebind":          target.Rebind{Addr: aoe.Addr{Shelf: 1}, Interface: "eth0", Path: "/disks/spare"},
		"rebind to other": target.Rebind{Addr: aoe.Addr{Shelf: 1}, Interface: "eth0", Path: "/disks/e"},
		"set cache":       target.SetCache{Drive: "d", Cache: target.CacheDurable},
	} {
		t.Run(name, func(t *testing.T) {
			for n := 0; ; n++ {
				rig := populated(t)
				before := state(rig)
				rig.Machine().FailAfter(n)
				err := rig.Target().Do(op)
				step := rig.Machine().Refused()
				rig.Machine().FailAfter(-1)
				if step == "" {
					if err != nil || n == 0 {
						t.Errorf("after %d steps: %v", n, err)
					}
					return
				}
				if err == nil || !errors.Is(err, syscall.ENOMEM) {
					t.Errorf("%s failed: %v", step, err)
				}
				if after := state(rig); after != before {
					t.Errorf("%s failed, and changed\n%s\nto\n%s", step, before, after)
				}
				if err := rig.Target().Do(op); err != nil {
					t.Errorf("again after %s had failed: %v", step, err)
				}
			}
		})
	}
}

// The first failure of all leaves a target that has never served anything.
func TestNothingServedByAFailure(t *testing.T) {
	rig := newRig(t)
	rig.Interface("eth0", 1500)
	path := rig.Disk("d", 100, false)
	for n := range 6 {
		rig.Machine().FailAfter(n)
		err := rig.Target().Do(target.Export{Path: path, Addr: aoe.Addr{}, Interface: "eth0"})
		step := rig.Machine().Refused()
		rig.Machine().FailAfter(-1)
		if err == nil || rig.Target().Served() || rig.Machine().Open() != targettest.Nothing {
			t.Errorf("%s failed: %v, served %v, open %s", step, err, rig.Target().Served(), rig.Machine().Open())
		}
	}
	if list := rig.Target().Drives(); !reflect.DeepEqual(list, []target.DriveInfo{}) {
		t.Errorf("drives %+v", list)
	}
}
