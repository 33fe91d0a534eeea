package target_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// announced returns how many announcements of addr were sent on the interface.
func announced(rig targettest.Faults, netif string, addr aoe.Addr) (n int) {
	for _, f := range rig.Collect(netif, 0) {
		if h, _ := aoe.DecodeHeader(f); h.Tag == 0 && h.Addr == addr && h.Dst == aoe.Broadcast {
			n++
		}
	}
	return n
}

// identified is the size that IDENTIFY tells.
func identified(t *testing.T, rig targettest.Faults, addr aoe.Addr) uint64 {
	t.Helper()
	r := answers(rig, "eth0", commandFrame(addr, 9, 0xec, 0))
	if len(r) != 1 {
		t.Fatalf("%d replies to IDENTIFY", len(r))
	}
	_, data, _ := aoe.DecodeATA(r[0])
	return binary.LittleEndian.Uint64(data[200:])
}

// resizable has d and same on one medium, the latter on a quiet port of eth1.
func resizable(t *testing.T) (targettest.Faults, *targettest.Medium) {
	rig := newRig(t)
	rig.Interface("eth0", 4200)
	rig.Interface("eth1", 4200)
	medium := rig.Machine().AddMedium("/disks/d", 1000, false)
	do := rig.Target().Do
	must(t, do(target.AddDrive{Name: "d", Path: "/disks/d"}))
	must(t, do(target.AddDrive{Name: "same", Path: "/disks/d"}))
	must(t, do(target.AddPort{Drive: "d", Addr: blade, Interface: target.EveryInterface}))
	must(t, do(target.AddPort{Drive: "same", Addr: aoe.Addr{Shelf: 2}, Interface: "eth1", Quiet: true}))
	rig.Collect("eth0", 1)
	rig.Collect("eth1", 1)
	return rig, medium
}

// A device that grew is served with its new size, which initiators are told of
// on every interface, those of quiet ports too: once.
func TestResize(t *testing.T) {
	rig, medium := resizable(t)
	resize := func(want ...int) {
		t.Helper()
		must(t, rig.Target().Do(target.Resize{Drive: "d"}))
		got := []int{announced(rig, "eth0", blade), 0, 0}
		for _, f := range rig.Collect("eth1", 0) {
			if h, _ := aoe.DecodeHeader(f); h.Tag == 0 {
				got[h.Addr.Shelf]++
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("announced %v, want %v", got, want)
		}
	}
	resize(0, 0, 0)
	medium.Resize(2000)
	resize(1, 1, 1)
	resize(0, 0, 0)
	if n := identified(t, rig, blade); n != 2000 {
		t.Errorf("IDENTIFY tells %d sectors", n)
	}
	if d, _ := rig.Target().Drive("same"); d.Sectors != 2000 {
		t.Errorf("a drive of %d sectors", d.Sectors)
	}
	if _, is := failed(t, answers(rig, "eth0", readFrame(blade, 1, 1999, 1))); is {
		t.Error("the new last sector cannot be read")
	}
	medium.Resize(500)
	resize(1, 1, 1)
	if code, is := failed(t, answers(rig, "eth0", readFrame(blade, 1, 500, 1))); !is || code != idnf {
		t.Errorf("past the end: %v, error %#x", is, code)
	}
	log := rig.Machine().Log()
	for _, want := range []string{"drive d, /disks/d, grew from 1000 to 2000 sectors", "drive same, /disks/d, shrank from 2000 to 500 sectors"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log says nothing of %q:\n%s", want, log)
		}
	}
}

// What is in flight behind the new end, or comes before it is known, ends with
// an ATA error.
func TestShrunkUnderRequests(t *testing.T) {
	rig, medium := resizable(t)
	m := rig.Machine()
	m.SetMode(targettest.Held)
	answers(rig, "eth0", readFrame(blade, 1, 999, 1))
	medium.Resize(500)
	m.FinishAll()
	m.SetMode(targettest.Inline)
	for i, replies := range [][][]byte{rig.Collect("eth0", 1), answers(rig, "eth0", writeFrame(blade, 2, 999, make([]byte, 512)))} {
		if code, is := failed(t, replies); !is || code != []uint8{unc, abrt}[i] {
			t.Errorf("request %d: %v, error %#x", i, is, code)
		}
	}
}

func TestResizeRefused(t *testing.T) {
	rig, _ := resizable(t)
	if err := rig.Target().Do(target.Resize{Drive: "none"}); !errors.Is(err, target.ErrNoDrive) {
		t.Error(err)
	}
	rig.Machine().FailAfter(0)
	if err := rig.Target().Do(target.Resize{Drive: "d"}); !errors.Is(err, target.ErrStore) || !errors.Is(err, syscall.ENOMEM) {
		t.Error(err)
	}
	rig.Machine().FailAfter(-1)
}

// hangingSize is a store that is asked for its size until the test lets it.
type hangingSize struct {
	target.Store
	asked *atomic.Int32
	let   chan struct{}
}

func (s *hangingSize) Refresh() (int64, error) {
	s.asked.Add(1)
	<-s.let
	return s.Store.Refresh()
}

// unwrapping is a queue that knows the stores within.
type unwrapping struct{ target.Queue }

func inner(s target.Store) target.Store {
	if h, ok := s.(*hangingSize); ok {
		return h.Store
	}
	return s
}

func (q unwrapping) Try(s target.Store, op target.Op, data []byte, offset int64) (bool, error) {
	return q.Queue.Try(inner(s), op, data, offset)
}

func (q unwrapping) SubmitRange(s target.Store, op target.Op, offset, length int64, token uint64) {
	q.Queue.SubmitRange(inner(s), op, offset, length, token)
}

func (q unwrapping) Submit(s target.Store, op target.Op, data []byte, offset int64, token uint64) {
	q.Queue.Submit(inner(s), op, data, offset, token)
}

// polled is a target on m that asks for sizes without pause; stores below
// /hung hang there until let is closed.
func polled(t *testing.T, m *targettest.Machine) (tgt *target.Target, asked *atomic.Int32, let chan struct{}) {
	asked, let = new(atomic.Int32), make(chan struct{})
	c := m.Config()
	c.Sizes = time.Millisecond
	open, queue := c.Parts.OpenStore, c.Parts.OpenQueue
	c.Parts.OpenStore = func(path string, o target.StoreOptions) (target.Store, error) {
		s, err := open(path, o)
		if err == nil && strings.HasPrefix(path, "/hung/") {
			s = &hangingSize{s, asked, let}
		}
		return s, err
	}
	c.Parts.OpenQueue = func() (target.Queue, error) {
		q, err := queue()
		return unwrapping{q}, err
	}
	return target.New(c), asked, let
}

// Sizes are noticed by themselves, though other stores hang, which hold up
// neither operations nor the end.
func TestSizesAreNoticed(t *testing.T) {
	m := targettest.NewMachine(t)
	m.SetInterface("eth0", 1, 4200)
	medium := m.AddMedium("/disks/d", 1000, false)
	tgt, asked, let := polled(t, m)
	must(t, tgt.Do(target.AddDrive{Name: "d", Path: "/disks/d"}))
	must(t, tgt.Do(target.AddPort{Drive: "d", Addr: blade, Interface: "eth0"}))
	const hung = 5
	for i := range hung {
		name := fmt.Sprintf("h%d", i)
		m.AddMedium("/hung/"+name, 1000, false)
		must(t, tgt.Do(target.AddDrive{Name: name, Path: "/hung/" + name}))
	}
	until(t, "all stores that hang are asked", func() bool { return asked.Load() == hung })
	m.Quiesce()
	m.Sent("eth0")
	medium.Resize(3000)
	until(t, "the size is noticed", func() bool {
		d, _ := tgt.Drive("d")
		return d.Sectors == 3000
	})
	until(t, "the size is announced", func() bool { m.Quiesce(); return len(m.Sent("eth0")) > 0 })

	defer target.SetDrainGrace(target.SetDrainGrace(20 * time.Millisecond))
	if err := tgt.Do(target.Resize{Drive: "h0"}); !errors.Is(err, syscall.ETIMEDOUT) {
		t.Errorf("Resize of a store that hangs: %v", err)
	}
	must(t, tgt.Do(target.RemoveDrive{Name: "h1"}))
	must(t, tgt.Close(context.Background()))
	if asked.Load() != hung {
		t.Errorf("%d stores were asked, want each of %d once", asked.Load(), hung)
	}
	close(let)
	until(t, "what hung is closed", func() bool { return m.Open() == targettest.Nothing })
}

// Only so many stores that hang are waited for, and once they do not, all is as
// it was.
func TestManyStoresHang(t *testing.T) {
	m := targettest.NewMachine(t)
	tgt, asked, let := polled(t, m)
	defer target.SetDrainGrace(target.SetDrainGrace(20 * time.Millisecond))
	var media []*targettest.Medium
	for i := range 40 {
		name := fmt.Sprintf("h%d", i)
		media = append(media, m.AddMedium("/hung/"+name, 1000, false))
		must(t, tgt.Do(target.AddDrive{Name: name, Path: "/hung/" + name}))
	}
	until(t, "as many as may be are asked", func() bool { return asked.Load() == target.MostRounds })
	time.Sleep(20 * time.Millisecond) // for more, if there were any
	if n := asked.Load(); n != target.MostRounds {
		t.Errorf("%d stores are waited for", n)
	}
	media[17].Resize(2000)
	close(let)
	until(t, "the size is noticed", func() bool {
		d, _ := tgt.Drive("h17")
		return d.Sectors == 2000
	})
	targettest.CloseTarget(t, m, tgt)
}

// Without drives nobody is asked.
func TestNoPollingWithoutDrives(t *testing.T) {
	m := targettest.NewMachine(t)
	m.AddMedium("/disks/d", 1000, false)
	tgt, _, _ := polled(t, m)
	if target.Polls(tgt) {
		t.Error("sizes are asked for before anything is exported")
	}
	for range 2 {
		must(t, tgt.Do(target.AddDrive{Name: "d", Path: "/disks/d"}))
		if !target.Polls(tgt) {
			t.Error("sizes are not asked for")
		}
		must(t, tgt.Do(target.RemoveDrive{Name: "d"}))
		until(t, "that ends", func() bool { return !target.Polls(tgt) })
	}
	targettest.CloseTarget(t, m, tgt)
}
