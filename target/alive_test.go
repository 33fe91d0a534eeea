package target_test

import (
	"sync/atomic"
	"testing"
	"time"

	"vbladefs/target"
	"vbladefs/target/targettest"
)

// slowQueue is a queue whose worker hangs in it from hang on, after a word to hangs, until goOn is closed.
type slowQueue struct {
	target.Queue
	hang        *atomic.Bool
	hangs, goOn chan struct{}
}

func (q slowQueue) Reap(tokens []uint64, errs []error) int {
	if q.hang.CompareAndSwap(true, false) {
		close(q.hangs)
		<-q.goOn
	}
	return q.Queue.Reap(tokens, errs)
}

// Alive does not wait for a disk, and returns when there is no worker.
func TestAlive(t *testing.T) {
	rig := serving(t)
	rig.Target().Alive()
	m := rig.Machine()
	m.SetMode(targettest.Held)
	if r := answers(rig, "eth0", readFrame(blade, 1, 5, 1)); len(r) != 0 {
		t.Fatal("a request that is held was answered")
	}
	rig.Target().Alive()
	m.SetMode(targettest.Inline)
	m.FinishAll()
	rig.Collect("eth0", 1)
	must(t, rig.Target().Do(target.RemoveBlade{Addr: blade}))
	rig.Target().Alive()
}

// Alive waits for a worker that hangs.
func TestNotAlive(t *testing.T) {
	m := targettest.NewMachine(t)
	slow := slowQueue{nil, new(atomic.Bool), make(chan struct{}), make(chan struct{})}
	c := m.Config()
	open := c.Parts.OpenQueue
	c.Parts.OpenQueue = func() (target.Queue, error) {
		q, err := open()
		slow.Queue = q
		return slow, err
	}
	made := target.New(c)
	m.AddMedium("/disks/d", 1000, false)
	made.InterfaceChanged(m.SetInterface("eth0", 1, 1500))
	must(t, made.Do(target.AddDrive{Name: "d", Path: "/disks/d"}))
	must(t, made.Do(target.AddPort{Drive: "d", Addr: blade, Interface: "eth0"}))
	made.Alive()
	slow.hang.Store(true)
	_, before := background(func() error { made.Alive(); return nil }) // wakes the worker, and may come before or after
	<-slow.hangs
	returned, result := background(func() error { made.Alive(); return nil })
	time.Sleep(20 * time.Millisecond)
	if returned() {
		t.Error("a worker that hangs is alive")
	}
	close(slow.goOn)
	must(t, <-before)
	must(t, <-result)
	targettest.CloseTarget(t, m, made)
}

// closingQueue is a queue whose worker hangs in its Close until it may end.
type closingQueue struct {
	target.Queue
	ending, end chan struct{}
}

func (q closingQueue) Close() error {
	close(q.ending)
	<-q.end
	return q.Queue.Close()
}

// Whoever asks workers that stop gets an answer, and does not keep the target from closing.
func TestAskedWhileClosing(t *testing.T) {
	m := targettest.NewMachine(t)
	ending, end := make(chan struct{}), make(chan struct{})
	c := m.Config()
	open := c.Parts.OpenQueue
	c.Parts.OpenQueue = func() (target.Queue, error) {
		q, err := open()
		return closingQueue{q, ending, end}, err
	}
	made := target.New(c)
	m.AddMedium("/disks/d", 1000, false)
	made.InterfaceChanged(m.SetInterface("eth0", 1, 1500))
	must(t, made.Do(target.AddDrive{Name: "d", Path: "/disks/d"}))
	must(t, made.Do(target.AddPort{Drive: "d", Addr: blade, Interface: "eth0"}))
	_, closed := background(func() error { return made.Close(t.Context()) })
	<-ending
	_, alive := background(func() error { made.Alive(); return nil })
	_, asked := background(func() error { made.Clients("eth0"); return nil })
	time.Sleep(20 * time.Millisecond) // they wait now
	close(end)
	for _, result := range []<-chan error{alive, asked, closed} {
		select {
		case err := <-result:
			must(t, err)
		case <-time.After(30 * time.Second):
			t.Fatal("a call does not return")
		}
	}
}
