package faultnet

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Link is what a Wire needs of its ends: netio's links have it.
type Link interface {
	Receive(frames [][]byte) (int, error)
	Release()
	Send(headers, payloads [][]byte) (sent int, err error)
	FD() int
}

// batchFrames is the most frames taken per Receive.
const batchFrames = 64

// turnMost is the longest sleep, so that Close is seen.
const turnMost = 5 * time.Millisecond

// Wire carries the frames between two links. Run it on one goroutine; the other
// methods are for any.
type Wire struct {
	ways    [2]way // from a, from b
	mtu     int
	closing atomic.Bool
	ended   chan struct{}
}

// way is one direction.
type way struct {
	from, to Link
	faults   atomic.Pointer[Faults]
	counts   counters
	rnd      *rand.Rand
	mtu      int

	frames [batchFrames][]byte
	out    [][]byte // what leaves in this turn
	none   [][]byte // as many empty payloads
	held   []held
	spare  [][]byte // buffers
}

// held is a frame that waits in the wire.
type held struct {
	frame  []byte
	came   time.Time
	due    time.Time
	behind int // frames that must leave before it, unless due comes first
}

// New makes a wire without faults between two links whose MTU is mtu. The links
// are the caller's to close, once Run has returned.
func New(a, b Link, mtu int, seed uint64) *Wire {
	w := &Wire{mtu: mtu, ended: make(chan struct{})}
	for i, link := range []Link{a, b} {
		v := &w.ways[i]
		v.from, v.to, v.mtu, v.rnd = link, []Link{b, a}[i], mtu, rand.New(rand.NewPCG(seed, uint64(i)))
		v.faults.Store(&Faults{})
	}
	return w
}

// SetFaults says what happens from now on to frames from a and from b. Frames
// that wait leave as they would have.
func (w *Wire) SetFaults(fromA, fromB Faults) error {
	for i, f := range []Faults{fromA, fromB} {
		if err := f.check(); err != nil {
			return err
		}
		w.ways[i].faults.Store(&f)
	}
	return nil
}

// Counts returns what happened so far to frames from a and from b.
func (w *Wire) Counts() (fromA, fromB Counts) {
	return w.ways[0].counts.counts(), w.ways[1].counts.counts()
}

// Run carries frames until Close, or until a link fails.
func (w *Wire) Run() error {
	defer close(w.ended)
	for !w.closing.Load() {
		wait := turnMost
		for i := range w.ways {
			busy, next, err := w.ways[i].turn()
			if err != nil {
				return fmt.Errorf("the wire's frames from link %c: %w", "ab"[i], err)
			}
			if busy {
				next = 0
			}
			wait = min(wait, next)
		}
		if wait > 0 {
			w.sleep(wait)
		}
	}
	return nil
}

// Close ends Run, and waits for it.
func (w *Wire) Close() {
	w.closing.Store(true)
	<-w.ended
}

func (w *Wire) sleep(wait time.Duration) {
	fds := []unix.PollFd{{Fd: int32(w.ways[0].from.FD()), Events: unix.POLLIN}, {Fd: int32(w.ways[1].from.FD()), Events: unix.POLLIN}}
	timeout := unix.NsecToTimespec(int64(wait))
	if _, err := unix.Ppoll(fds, &timeout, nil); err != nil && !errors.Is(err, unix.EINTR) {
		panic(os.NewSyscallError("ppoll", err)) // the arguments are wrong
	}
}

// turn takes one batch, and sends what is to leave. It returns when the next
// frame that waits is due.
func (v *way) turn() (busy bool, next time.Duration, err error) {
	n, err := v.from.Receive(v.frames[:])
	if err != nil {
		return false, 0, err
	}
	now := time.Now()
	v.out = v.out[:0]
	f := v.faults.Load()
	for _, frame := range v.frames[:n] {
		v.counts.frames.Add(1)
		v.meet(frame, f, now)
	}
	next = v.release(f, now)
	if err := v.send(); err != nil {
		return false, 0, err
	}
	v.from.Release()
	return n > 0, next, nil
}

// send carries what is to leave.
func (v *way) send() error {
	if len(v.out) == 0 {
		return nil
	}
	for len(v.none) < len(v.out) {
		v.none = append(v.none, nil)
	}
	sent, err := v.to.Send(v.out, v.none[:len(v.out)])
	v.counts.carried.Add(uint64(sent))
	v.counts.refused.Add(uint64(len(v.out) - sent))
	return err
}
