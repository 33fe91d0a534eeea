package target_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// keeper keeps nothing before the test says so.
type keeper struct {
	mu      sync.Mutex
	waiting []func(error) // guarded by mu
	told    int           // of changes that nobody waits for; guarded by mu
}

func (k *keeper) Changed(then func(error)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if then == nil {
		k.told++
	} else {
		k.waiting = append(k.waiting, then)
	}
}

// end ends what is waited for, and returns of how much that was.
func (k *keeper) end(err error) int {
	k.mu.Lock()
	waiting := k.waiting
	k.waiting = nil
	k.mu.Unlock()
	for _, then := range waiting {
		then(err)
	}
	return len(waiting)
}

func (k *keeper) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.told
}

// kept is a target on m with a keeper, serving d at blade on eth0 and eth1.
func kept(t *testing.T) (m *targettest.Machine, tgt *target.Target, k *keeper) {
	m, k = targettest.NewMachine(t), &keeper{}
	m.AddMedium("/disks/d", 1000, false)
	c := m.Config()
	c.Keeper = k
	tgt = target.New(c)
	t.Cleanup(func() { targettest.CloseTarget(t, m, tgt) })
	must(t, tgt.Do(target.AddDrive{Name: "d", Path: "/disks/d"}))
	for i, netif := range []string{"eth0", "eth1"} {
		m.SetInterface(netif, i+1, 4200)
		must(t, tgt.Do(target.AddPort{Drive: "d", Addr: blade, Interface: netif}))
	}
	m.Quiesce()
	m.Sent("eth0")
	m.Sent("eth1")
	return m, tgt, k
}

// said sends a frame, if there is one, and returns what has been sent since.
func said(m *targettest.Machine, frame []byte) [][]byte {
	if frame != nil {
		m.Inject("eth0", frame)
	}
	m.Quiesce()
	return m.Sent("eth0")
}

func configFrame(tag uint32, command aoe.ConfigCommand, text string) []byte {
	f := frameOf(blade, aoe.CmdConfig, tag, aoe.ConfigSize+len(text))
	aoe.Config{Command: command, String: []byte(text)}.Put(f)
	return f
}

func reserveFrame(tag uint32, command aoe.ReserveCommand, hosts ...aoe.MAC) []byte {
	f := frameOf(blade, aoe.CmdReserve, tag, aoe.ReserveSize+len(hosts)*len(aoe.MAC{}))
	aoe.Reserve{Command: command, Count: uint8(len(hosts))}.Put(f)
	for i, host := range hosts {
		aoe.PutReserved(f, i, host)
	}
	return f
}

// A change by an initiator is answered once it is durable, with the answer that
// it has without a keeper.
func TestChangesAreAnsweredWhenKept(t *testing.T) {
	for name, frame := range map[string][]byte{
		"config set":   configFrame(1, aoe.ConfigSet, "one"),
		"config force": configFrame(1, aoe.ConfigForceSet, "one"),
		"mask":         maskFrame(blade, aoe.MaskAdd, alice),
		"reserve":      reserveFrame(1, aoe.ReserveSet, alice),
	} {
		plain := serving(t)
		want := answers(plain, "eth0", frame)
		m, tgt, k := kept(t)
		if r := said(m, frame); len(r) != 0 {
			t.Errorf("%s: answered before it is kept", name)
		}
		// A repeat is no more durable than the first.
		if r := said(m, frame); len(r) != 0 {
			t.Errorf("%s: a repeat is answered before it is kept", name)
		}
		if r := said(m, queryFrame(blade, 9)); len(r) != 1 {
			t.Errorf("%s: a read waits, too", name)
		}
		if n := k.end(nil); n != 2 {
			t.Errorf("%s: the keeper was told %d times", name, n)
		}
		got := said(m, nil)
		if len(got) != 2 || string(got[0]) != string(want[0]) || string(got[1]) != string(want[0]) {
			t.Errorf("%s: answered with\n% x, want twice\n% x", name, got, want)
		}
		if r := said(m, frame); len(r) != 1 || k.end(nil) != 0 {
			t.Errorf("%s: what changes nothing has %d answers", name, len(r))
		}
		if p, _ := tgt.Port(blade, "eth0"); p.Stats.Others != 4 || p.Stats.Dropped+p.Stats.Errors != 0 {
			t.Errorf("%s: %+v", name, p.Stats)
		}
	}
}

// Reads, tests, and what is refused or changes nothing, are answered at once.
func TestWhatChangesNothingDoesNotWait(t *testing.T) {
	m, tgt, k := kept(t)
	must(t, tgt.Do(target.SetConfig{Addr: blade, Config: []byte("one")}))
	must(t, tgt.Do(target.SetHosts{Addr: blade, List: target.MaskList, Hosts: []aoe.MAC{alice}}))
	for i, f := range [][]byte{configFrame(1, aoe.ConfigRead, ""), configFrame(1, aoe.ConfigTest, "one"), configFrame(1, aoe.ConfigPrefix, "o"),
		configFrame(1, aoe.ConfigSet, "one"), configFrame(1, aoe.ConfigSet, "other"), maskFrame(blade, aoe.MaskAdd, alice),
		frameOf(blade, aoe.CmdMaskList, 1, 60), frameOf(blade, aoe.CmdReserve, 1, 60), reserveFrame(1, aoe.ReserveSet)} {
		if r := said(m, f); len(r) != 1 || k.end(nil) != 0 {
			t.Errorf("request %d: %d answers", i, len(r))
		}
	}
}

// What cannot be made durable is not answered, nor are repeats of it, until it
// can.
func TestChangeThatCannotBeKept(t *testing.T) {
	m, _, k := kept(t)
	frame := configFrame(1, aoe.ConfigSet, "one")
	for range 2 {
		if r := said(m, frame); len(r) != 0 {
			t.Error("answered before it is kept")
		}
		k.end(errors.New("the disk is full"))
		if r := said(m, nil); len(r) != 0 {
			t.Error("answered though it cannot be kept")
		}
	}
	said(m, frame)
	k.end(nil)
	if r := said(m, nil); len(r) != 1 {
		t.Errorf("%d answers", len(r))
	}
}

// A port that is gone answers nothing, and its successor at the address not for
// it.
func TestRemovedPortAnswersNoChange(t *testing.T) {
	m, tgt, k := kept(t)
	said(m, configFrame(1, aoe.ConfigSet, "one"))
	must(t, tgt.Do(target.RemovePort{Addr: blade, Interface: "eth0"}))
	must(t, tgt.Do(target.AddPort{Drive: "d", Addr: blade, Interface: "eth0", Quiet: true}))
	if k.end(nil) != 1 || len(said(m, nil)) != 0 {
		t.Error("a port that is gone has answered")
	}
	said(m, configFrame(2, aoe.ConfigForceSet, "two"))
	must(t, tgt.Do(target.RemovePort{Addr: blade}))
	if k.end(nil) != 1 || m.Open() == targettest.Nothing {
		t.Error("the change was not kept")
	}
}

// Only so many replies wait; what would make more is dropped and counted, and
// not made.
func TestTooManyChanges(t *testing.T) {
	m, tgt, k := kept(t)
	const more = 5
	for i := range target.MaxKeeping + more {
		said(m, configFrame(uint32(i+1), aoe.ConfigForceSet, fmt.Sprint("text ", i)))
	}
	if b, _ := tgt.BladeToSave(blade); string(b.Config) != fmt.Sprint("text ", target.MaxKeeping-1) {
		t.Errorf("the config string is %q", b.Config)
	}
	if p, _ := tgt.Port(blade, "eth0"); p.Stats.Dropped != more {
		t.Errorf("%d dropped, want %d", p.Stats.Dropped, more)
	}
	if k.end(nil); len(said(m, nil)) != target.MaxKeeping {
		t.Error("not all that waited is answered")
	}
	said(m, configFrame(1, aoe.ConfigForceSet, "last"))
	if k.end(nil); len(said(m, nil)) != 1 {
		t.Error("no answer after all have been given")
	}
}

// Of two hosts that reserve at one time, over two interfaces, one wins, and the
// other is told at once.
func TestReserveRaceWithKeeper(t *testing.T) {
	m, tgt, k := kept(t)
	bob := aoe.MAC{2, 0, 0, 0, 0, 0xb}
	for round := range 100 {
		var both sync.WaitGroup
		for netif, host := range map[string]aoe.MAC{"eth0": alice, "eth1": bob} {
			f := reserveFrame(1, aoe.ReserveSet, host)
			copy(f[6:12], host[:])
			both.Go(func() { m.Inject(netif, f) })
		}
		both.Wait()
		m.Quiesce()
		k.end(nil)
		m.Quiesce()
		won, lost := 0, 0
		for _, netif := range []string{"eth0", "eth1"} {
			for _, r := range m.Sent(netif) {
				if h, _ := aoe.DecodeHeader(r); h.Failed {
					lost++
				} else {
					won++
				}
			}
		}
		if b, _ := tgt.Blade(blade); won != 1 || lost != 1 || len(b.Reserve) != 1 {
			t.Fatalf("round %d: %d won, %d lost, reserved for %v", round, won, lost, b.Reserve)
		}
		must(t, tgt.Do(target.SetHosts{Addr: blade, List: target.ReserveList}))
	}
}

// The keeper learns of every operation that changes what is kept, and of no
// other.
func TestKeeperLearnsOfOperations(t *testing.T) {
	_, tgt, k := kept(t)
	for _, tt := range []struct {
		op   target.Operation
		told int
		err  string
	}{
		{target.SetConfig{Addr: blade, Config: []byte("x")}, 1, ""},
		{target.SetModel{Drive: "d", Model: "x"}, 1, ""},
		{target.SetReadOnly{Drive: "d", ReadOnly: true}, 1, ""},
		{target.SetPaused{Drive: "d", Paused: true}, 0, ""},
		{target.SetPaused{Drive: "d"}, 0, ""},
		{target.Resize{Drive: "d"}, 0, ""},
		{target.SetTrace{Addr: blade, Requests: 1, Length: func(*target.TraceEvent) int { return 1 }}, 0, ""},
		{target.SetTrace{Addr: blade}, 0, ""},
		{target.Announce{}, 0, ""},
		{target.SetModel{Drive: "none", Model: "x"}, 0, "no such drive"},
	} {
		before := k.count()
		err := tgt.Do(tt.op)
		if (tt.err == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%+v: %v", tt.op, err)
		}
		if n := k.count() - before; n != tt.told {
			t.Errorf("%T: told %d times, want %d", tt.op, n, tt.told)
		}
	}
}
