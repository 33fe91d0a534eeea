package target_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// altered is a target on m whose parts were changed.
func altered(t *testing.T, m *targettest.Machine, change func(*target.Parts)) *target.Target {
	t.Helper()
	c := m.Config()
	change(&c.Parts)
	tgt := target.New(c)
	t.Cleanup(func() { targettest.CloseTarget(t, m, tgt) })
	return tgt
}

// A path that leads elsewhere between two looks at it must not give one drive
// the store of another.
func TestPathThatChangesWhileItIsOpened(t *testing.T) {
	m := targettest.NewMachine(t)
	m.AddMedium("/disks/one", 100, false)
	m.AddMedium("/disks/two", 200, false)
	swapped := false
	tgt := altered(t, m, func(p *target.Parts) {
		open := p.OpenStore
		p.OpenStore = func(path string, o target.StoreOptions) (target.Store, error) {
			if swapped {
				path = "/disks/two"
			}
			return open(path, o)
		}
	})
	swapped = true
	if err := tgt.Do(target.AddDrive{Name: "a", Path: "/disks/one"}); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("a path that led elsewhere: %v", err)
	}
	swapped = false
	must(t, tgt.Do(target.AddDrive{Name: "b", Path: "/disks/one"}))
	if d, _ := tgt.Drive("b"); d.Sectors != 100 {
		t.Errorf("/disks/one has %d sectors", d.Sectors)
	}
}

// A stricter write policy holds for whatever is answered after it returned:
// writes that began before it are awaited and flushed.
func TestSetCacheWaitsForWrites(t *testing.T) {
	rig := serving(t)
	m := rig.Machine()
	m.SetMode(targettest.Held)
	answers(rig, "eth0", writeFrame(blade, 1, 5, make([]byte, 512)))
	returned, result := background(func() error {
		return rig.Target().Do(target.SetCache{Drive: "d", Cache: target.CacheDurable})
	})
	m.Quiesce()
	if returned() {
		t.Error("SetCache returned while a write of the old policy was in flight")
	}
	m.Pending()[0].Finish(nil)
	must(t, <-result)

	defer target.SetDrainGrace(target.SetDrainGrace(20 * time.Millisecond))
	answers(rig, "eth0", writeFrame(blade, 2, 5, make([]byte, 512)))
	if err := rig.Target().Do(target.SetCache{Drive: "d", Cache: target.CacheWriteback}); !errors.Is(err, target.ErrNotDrained) {
		t.Errorf("with a write stuck: %v", err)
	}
	if d, _ := rig.Target().Drive("d"); d.Cache != target.CacheDurable {
		t.Errorf("a refused SetCache left %s", d.Cache)
	}
	m.FinishAll()
}

// unclosable is a queue that cannot tell that nothing is in flight.
type unclosable struct{ target.Queue }

func (q unclosable) Close() error { return errors.Join(q.Queue.Close(), syscall.EBUSY) }

// Memory that the kernel may be using still is not given back.
func TestQueueThatDoesNotClose(t *testing.T) {
	m := targettest.NewMachine(t)
	m.AddMedium("/disks/d", 100, false)
	m.SetInterface("eth0", 1, 1500)
	freed := 0
	var keptFor []byte
	var free func([]byte) error
	tgt := altered(t, m, func(p *target.Parts) {
		open, alloc := p.OpenQueue, p.AllocBuffers
		p.OpenQueue = func() (target.Queue, error) {
			q, err := open()
			return unclosable{q}, err
		}
		p.AllocBuffers = func(bytes int) (memory []byte, err error) {
			keptFor, err = alloc(bytes)
			return keptFor, err
		}
		free = p.FreeBuffers
		p.FreeBuffers = func([]byte) error { freed++; return nil }
	})
	must(t, tgt.Do(target.Export{Path: "/disks/d", Addr: blade, Interface: "eth0"}))
	must(t, tgt.Do(target.RemovePort{Addr: blade, Interface: "eth0"}))
	if freed != 0 {
		t.Error("the memory of a queue that may be in use was freed")
	}
	must(t, free(keptFor))
}

// Nothing is in flight while the policy changes, as the page cache and direct
// I/O would undo each other's changes to parts of a page: what arrives meanwhile
// waits, and starts also if the change is given up.
func TestSetCacheHoldsWhatArrives(t *testing.T) {
	rig := serving(t)
	m := rig.Machine()
	m.SetMode(targettest.Held)
	pending := func(want ...string) {
		t.Helper()
		m.Quiesce()
		var got []string
		for _, x := range m.Pending() {
			got = append(got, x.String())
		}
		if !slices.Equal(got, want) {
			t.Fatalf("in flight: %q, want %q", got, want)
		}
	}
	answers(rig, "eth0", writeFrame(blade, 1, 5, make([]byte, 512)))
	answers(rig, "eth0", writeFrame(blade, 2, 5, make([]byte, 512)))
	pending("write 5+1")
	d := m.Pending()[0].Medium
	before := d.Cache()
	returned, result := background(func() error {
		return rig.Target().Do(target.SetCache{Drive: "d", Cache: target.CacheDurable})
	})
	until(t, "the change takes its turn", func() bool { return target.InOrder(rig.Target(), "d") == 3 })
	answers(rig, "eth0", writeFrame(blade, 3, 9, make([]byte, 512)))
	pending("write 5+1")
	m.Pending()[0].Finish(nil)
	pending("write 5+1") // the one that waited for it
	if d.Cache() != before || returned() {
		t.Errorf("the policy is %s while writes of the old one are in flight", d.Cache())
	}
	m.Pending()[0].Finish(nil)
	must(t, <-result)
	pending("write 9+1")
	if d.Cache() != target.CacheDurable {
		t.Errorf("a write began with the policy %s", d.Cache())
	}
	answers(rig, "eth0", writeFrame(blade, 4, 9, make([]byte, 512)))
	defer target.SetDrainGrace(target.SetDrainGrace(20 * time.Millisecond))
	if err := rig.Target().Do(target.SetCache{Drive: "d", Cache: target.CacheWriteback}); !errors.Is(err, target.ErrNotDrained) {
		t.Errorf("with a write stuck: %v", err)
	}
	pending("write 9+1") // the one that waits for it still does
	answers(rig, "eth0", writeFrame(blade, 5, 30, make([]byte, 512)))
	pending("write 9+1", "write 30+1")
	m.FinishAll()
}

// Changes of the policy at one time leave the store with what is told of it.
func TestSetCacheAtOneTime(t *testing.T) {
	rig := serving(t)
	m := rig.Machine()
	m.SetMode(targettest.Held)
	answers(rig, "eth0", readFrame(blade, 1, 5, 1))
	d := m.Pending()[0].Medium
	m.FinishAll()
	for range 200 {
		var both sync.WaitGroup
		for _, c := range []target.Cache{target.CacheWriteback, target.CacheDurable} {
			both.Go(func() { must(t, rig.Target().Do(target.SetCache{Drive: "d", Cache: c})) })
		}
		both.Wait()
		if told, _ := rig.Target().Drive("d"); told.Cache != d.Cache() {
			t.Fatalf("the store has %s, and %s is told", d.Cache(), told.Cache)
		}
	}
}

// Ports whose drives are stuck leave requests for the others.
func TestStuckDrivesLeaveRequestsForOthers(t *testing.T) {
	rig := serving(t)
	m := rig.Machine()
	m.SetMode(targettest.Held)
	for i := range 32 {
		name := fmt.Sprintf("stuck%d", i)
		addr := aoe.Addr{Shelf: 9, Slot: uint8(i)}
		must(t, rig.Target().Do(target.AddDrive{Name: name, Path: rig.Disk(name, 1000, false)}))
		must(t, rig.Target().Do(target.AddPort{Drive: name, Addr: addr, Interface: "eth0", Buffers: 1000}))
		for tag := range uint32(100) {
			m.Inject("eth0", readFrame(addr, tag+1, int(tag)*8, 8))
		}
		m.Quiesce()
	}
	m.Sent("eth0")
	before := len(m.Pending())
	m.Inject("eth0", readFrame(blade, 7, 0, 1))
	m.Quiesce()
	if after := len(m.Pending()); after != before+1 {
		t.Errorf("%d requests are stuck; the read of another drive was dropped", before)
	}
	m.FinishAll()
}

// What says nothing about the drive is answered with silence: the initiator
// repeats it.
func TestTransientFailureIsSilent(t *testing.T) {
	for errno, replies := range map[syscall.Errno]int{syscall.ENOMEM: 0, syscall.EAGAIN: 0, syscall.EIO: 1, syscall.ENOSPC: 1} {
		rig := serving(t)
		m := rig.Machine()
		m.SetMode(targettest.Held)
		answers(rig, "eth0", writeFrame(blade, 1, 5, make([]byte, 512)))
		m.Pending()[0].Finish(errno)
		m.Quiesce()
		if n := len(m.Sent("eth0")); n != replies {
			t.Errorf("%v: %d replies, want %d", errno, n, replies)
		}
	}
}

// One small frame must not buy a reply for every export again and again.
func TestWildcardsAreBounded(t *testing.T) {
	rig := serving(t)
	m := rig.Machine()
	const exports = 200
	for i := range exports {
		must(t, rig.Target().Do(target.AddPort{Drive: "d", Addr: aoe.Addr{Shelf: 3, Slot: uint8(i)}, Interface: "eth0"}))
	}
	m.Quiesce()
	m.Sent("eth0")
	frames := make([][]byte, 0, 64)
	for tag := range uint32(63) {
		frames = append(frames, queryFrame(aoe.Addr{Shelf: aoe.AnyShelf, Slot: aoe.AnySlot}, tag+1))
	}
	frames = append(frames, readFrame(blade, 99, 0, 1))
	m.Inject("eth0", frames...)
	m.Quiesce()
	sent := m.Sent("eth0")
	if len(sent) < exports || len(sent) > 4*exports+65*63 {
		t.Errorf("%d replies to one batch", len(sent))
	}
	i, _ := rig.Target().Interface("eth0")
	if i.Ignored == 0 {
		t.Error("no query was ignored")
	}
	found := false
	for _, r := range sent {
		if h, _ := aoe.DecodeHeader(r); h.Tag == 99 {
			found = true
		}
	}
	if !found {
		t.Error("the read behind them was not answered")
	}
}

// A config string that came over large frames does not hide the export on an
// interface with small ones.
func TestLongConfigStringOnSmallFrames(t *testing.T) {
	rig := newRig(t)
	rig.Interface("eth0", 9000)
	rig.Interface("eth1", 600)
	text := strings.Repeat("x", aoe.MaxConfigString)
	must(t, rig.Target().Do(target.Export{Path: rig.Disk("d", 1000, false), Addr: blade,
		Interface: target.EveryInterface, Config: []byte(text), Quiet: true}))
	for netif, want := range map[string]int{"eth0": aoe.MaxConfigString, "eth1": 600 + 14 - 32} {
		r := answers(rig, netif, queryFrame(blade, 1))
		if len(r) != 1 {
			t.Fatalf("%d replies on %s", len(r), netif)
		}
		if c, _ := aoe.DecodeConfig(r[0]); len(c.String) != want {
			t.Errorf("%s: %d bytes of the string, want %d", netif, len(c.String), want)
		}
	}
}

// slowToClose is a store that takes its time to close.
type slowToClose struct {
	target.Store
	closing func()
	closed  func()
}

func (s slowToClose) Close() error {
	s.closing()
	defer s.closed()
	return s.Store.Close()
}

// Who adds a device that is being closed gets it, and is not refused because of
// our own claim.
func TestAddOfADeviceThatIsBeingClosed(t *testing.T) {
	m := targettest.NewMachine(t)
	m.AddMedium("/disks/d", 100, false)
	closing, goOn := make(chan struct{}, 2), make(chan struct{})
	var claimed atomic.Bool
	tgt := altered(t, m, func(p *target.Parts) {
		open := p.OpenStore
		p.OpenStore = func(path string, o target.StoreOptions) (target.Store, error) {
			if claimed.Swap(true) {
				return nil, syscall.EBUSY
			}
			s, err := open(path, o)
			return slowToClose{s, func() { closing <- struct{}{}; <-goOn }, func() { claimed.Store(false) }}, err
		}
	})
	must(t, tgt.Do(target.AddDrive{Name: "d", Path: "/disks/d"}))
	_, removed := background(func() error { return tgt.Do(target.RemoveDrive{Name: "d"}) })
	<-closing
	_, added := background(func() error { return tgt.Do(target.AddDrive{Name: "d", Path: "/disks/d"}) })
	time.AfterFunc(50*time.Millisecond, func() { close(goOn) })
	must(t, <-added)
	must(t, <-removed)
}
