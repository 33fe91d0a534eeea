package initiator

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"vbladefs/target/aoe"
)

func TestWindowAndSplit(t *testing.T) {
	s := newStub(1000)
	s.buffers = 4
	x := open(t, s, Options{})
	e := x.Engine()
	s.keep, s.answer = true, func(int, []byte) [][]byte { return nil }
	if err := e.Submit(&IO{Op: Read, LBA: 10, Data: make([]byte, 20*512)}); err != nil {
		t.Fatal(err)
	}
	if err := e.Submit(&IO{Op: Read, LBA: 100, Data: make([]byte, 20*512)}); err != nil {
		t.Fatal(err)
	}
	turn(t, e)
	if e.Outstanding() != 4 || len(s.seen) != 4 {
		t.Fatalf("%d frames outstanding, %d sent; want the window of 4", e.Outstanding(), len(s.seen))
	}
	tags := map[uint32]bool{}
	for i, want := range []struct{ lba, count int }{{10, 8}, {18, 8}, {26, 4}, {100, 8}} {
		a, _, _ := aoe.DecodeATA(s.seen[i])
		h, _ := aoe.DecodeHeader(s.seen[i])
		if lba(a) != uint64(want.lba) || int(a.Count) != want.count || a.Flags != aoe.ATAExtended || a.Command != ataReadExt {
			t.Errorf("frame %d: %+v, want LBA %d count %d", i, a, want.lba, want.count)
		}
		if h.Tag&ownTag == 0 || tags[h.Tag] || h.Dst != targetMAC || h.Src != ourMAC {
			t.Errorf("frame %d: header %+v", i, h)
		}
		tags[h.Tag] = true
	}
}

// outcome runs one read of two frames with a stub that errs in answer.
func outcome(t *testing.T, opt Options, answer func(n int, reply []byte) [][]byte) (*IO, *Engine) {
	t.Helper()
	s := newStub(100)
	for i := range s.disk {
		s.disk[i] = byte(i * 7)
	}
	c := &clock{}
	opt.Clock = c.read
	x := open(t, s, opt)
	e := x.Engine()
	s.requests, s.answer = 0, answer
	io := &IO{Op: Read, LBA: 4, Data: make([]byte, 16*512)}
	if err := e.Submit(io); err != nil {
		t.Fatal(err)
	}
	for range 20000 {
		if len(turn(t, e)) > 0 {
			if io.Err == nil && !bytes.Equal(io.Data, s.disk[4*512:20*512]) {
				t.Fatal("good read with wrong data")
			}
			turn(t, e) // what arrives after the end
			return io, e
		}
		c.now += 10 * time.Millisecond
	}
	t.Fatal("the read never ended")
	return nil, nil
}

func TestEngineFaults(t *testing.T) {
	twice := func(reply []byte) [][]byte { return [][]byte{reply, append([]byte(nil), reply...)} }
	clone := func(b []byte) []byte { return append([]byte(nil), b...) }
	for _, c := range []struct {
		name   string
		opt    Options
		answer func(n int, reply []byte) [][]byte
		fails  func(error) bool
		counts Counters
	}{
		{"duplicate", Options{}, func(_ int, r []byte) [][]byte { return twice(r) }, nil, Counters{Duplicate: 2, Completed: 2}},
		{"lost once", Options{}, func(n int, r []byte) [][]byte {
			if n == 0 {
				return nil
			}
			return [][]byte{r}
		}, nil, Counters{Retransmits: 1, Completed: 2}},
		{"lost without retransmission", Options{Retransmit: RetransmitNone, Timeout: time.Second},
			func(n int, r []byte) [][]byte { return nil },
			func(err error) bool { return errors.Is(err, ErrTimeout) }, Counters{Timeouts: 2}},
		{"wrong source first", Options{}, func(_ int, r []byte) [][]byte {
			bad := clone(r)
			copy(bad[6:12], otherMAC[:])
			return [][]byte{bad, r}
		}, nil, Counters{Unexpected: 2, Completed: 2}},
		{"wrong slot first", Options{}, func(_ int, r []byte) [][]byte {
			bad := clone(r)
			bad[18]++
			return [][]byte{bad, r}
		}, nil, Counters{Unexpected: 2, Completed: 2}},
		{"never our tag", Options{}, func(_ int, r []byte) [][]byte {
			bad := clone(r)
			bad[20] ^= 0x55
			return [][]byte{bad, r}
		}, nil, Counters{Unexpected: 2, Completed: 2}},
		{"to others, a request, a stump", Options{}, func(_ int, r []byte) [][]byte {
			other, request := clone(r), clone(r)
			copy(other, otherMAC[:])
			request[14] = 0x10
			return [][]byte{other, request, r[:23:23], clone(r)}
		}, nil, Counters{Unexpected: 6, Completed: 2}},
		{"announcement", Options{}, func(_ int, r []byte) [][]byte {
			a := make([]byte, 60)
			aoe.Header{Dst: aoe.Broadcast, Src: targetMAC, Version: 1, Response: true, Addr: target, Command: aoe.CmdConfig}.Put(a)
			return [][]byte{a, r}
		}, nil, Counters{Announcements: 2, Completed: 2}},
		{"truncated", Options{}, func(_ int, r []byte) [][]byte { return [][]byte{r[:len(r)-1]} },
			isFault(RuntData), Counters{Malformed: 2}},
		{"no registers", Options{}, func(_ int, r []byte) [][]byte { return [][]byte{r[:30]} },
			isFault(ShortReply), Counters{Malformed: 2}},
		{"version 2", Options{}, func(_ int, r []byte) [][]byte { r[14] = 0x28; return [][]byte{r} },
			isFault(WrongVersion), Counters{Malformed: 2}},
		{"another command", Options{}, func(_ int, r []byte) [][]byte { r[19] = 1; return [][]byte{r} },
			isFault(WrongCommand), Counters{Malformed: 2}},
		{"remainder", Options{}, func(_ int, r []byte) [][]byte { r[26] = 1; return [][]byte{r} },
			isFault(Remainder), Counters{Malformed: 2}},
		{"trailing bytes", Options{}, func(_ int, r []byte) [][]byte { return [][]byte{append(r, 1, 2, 3)} },
			nil, Counters{Deviations: 2, Completed: 2}},
		{"ATA error", Options{}, func(_ int, r []byte) [][]byte {
			r[25], r[27] = 0x40, 0x41
			return [][]byte{r[:60]}
		}, func(err error) bool { var e *ATAError; return errors.As(err, &e) && e.Reg == 0x40 }, Counters{ATAErrors: 2, Deviations: 2}}, // the padding holds old data
		{"AoE error", Options{}, func(_ int, r []byte) [][]byte {
			r[14], r[15] = 0x1c, 3
			return [][]byte{r[:60]}
		}, func(err error) bool { var e *AoEError; return errors.As(err, &e) && e.Code == aoe.ErrUnavailable },
			Counters{AoEErrors: [7]uint64{3: 2}}},
		{"AoE errors, as Linux takes them", Options{Retransmit: RetransmitLinux, FirstRTO: time.Second}, func(n int, r []byte) [][]byte {
			if n < 4 {
				r[14], r[15] = 0x1c, 77
			}
			return [][]byte{r}
		}, nil, Counters{OtherAoE: 4, Retransmits: 4, Completed: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			io, e := outcome(t, c.opt, c.answer)
			if c.fails == nil && io.Err != nil || c.fails != nil && !c.fails(io.Err) {
				t.Errorf("ended with %v", io.Err)
			}
			got := *e.Counters()
			c.counts.Completed++ // IDENTIFY
			c.counts.Sent, c.counts.Received, c.counts.Faults = got.Sent, got.Received, got.Faults
			if c.counts.OtherAoE > 0 { // how often it was refused depends on the window
				c.counts.OtherAoE, c.counts.Retransmits = got.OtherAoE, got.Retransmits
			}
			if got != c.counts {
				t.Errorf("counters\n%+v, want\n%+v", got, c.counts)
			}
			if e.Outstanding() != 0 || !e.Idle() || len(e.free) != len(e.slots) {
				t.Errorf("%d outstanding at the end", e.Outstanding())
			}
		})
	}
}

func isFault(f Fault) func(error) bool {
	return func(err error) bool {
		var e *ReplyError
		return errors.As(err, &e) && e.Fault == f
	}
}

func TestLateReplyIsNeverMatched(t *testing.T) {
	s := newStub(100)
	c := &clock{}
	x := open(t, s, Options{Window: 1, Retransmit: RetransmitNone, Timeout: time.Second, Clock: c.read})
	e := x.Engine()
	var kept []byte
	s.answer = func(_ int, r []byte) [][]byte { kept = append([]byte(nil), r...); return nil }
	first := &IO{Op: Read, LBA: 1, Data: make([]byte, 512)}
	e.Submit(first)
	turn(t, e)
	c.now += 2 * time.Second
	if done := turn(t, e); len(done) != 1 || !errors.Is(first.Err, ErrTimeout) {
		t.Fatalf("done %v, error %v; want a timeout", done, first.Err)
	}
	late := kept
	second := &IO{Op: Read, LBA: 1, Data: bytes.Repeat([]byte{9}, 512)}
	e.Submit(second)
	turn(t, e)
	s.in = append(s.in, late, append([]byte(nil), late...))
	if done := turn(t, e); len(done) != 0 || second.Data[0] != 9 {
		t.Fatal("a late reply completed the request that has its slot now")
	}
	s.in = append(s.in, kept)
	if done := turn(t, e); len(done) != 1 || second.Err != nil {
		t.Fatalf("the right reply: done %v, %v", done, second.Err)
	}
	if n := e.Counters(); n.Late != 1 || n.Duplicate != 1 || n.Timeouts != 1 {
		t.Fatalf("counters %+v, want 1 late, 1 duplicate, 1 timeout", n)
	}
}

func TestSameTagDoubles(t *testing.T) {
	s := newStub(100)
	c := &clock{}
	x := open(t, s, Options{Clock: c.read, Timeout: 4 * time.Second})
	e := x.Engine()
	s.keep, s.lose = true, func(int, []byte) bool { return true }
	io := &IO{Op: Write, LBA: 1, Data: make([]byte, 512)}
	e.Submit(io)
	var at []time.Duration
	for !io.doneForTest() && c.now < time.Minute {
		before := len(s.seen)
		turn(t, e)
		turn(t, e) // sends what that tick found expired
		if len(s.seen) > before {
			at = append(at, c.now)
		}
		c.now += 5 * time.Millisecond
	}
	if !errors.Is(io.Err, ErrTimeout) {
		t.Fatalf("ended with %v", io.Err)
	}
	if len(at) != 5 || at[1] != 250*time.Millisecond || at[2] != 750*time.Millisecond || at[3] != 1750*time.Millisecond {
		t.Fatalf("sent at %v, want 0, 250 ms, 750 ms, 1.75 s, 3.75 s", at)
	}
	for _, frame := range s.seen[1:] {
		if !bytes.Equal(frame, s.seen[0]) {
			t.Fatal("a retransmission differs from the first copy")
		}
	}
}

// With a bound the timeout stops there; the IO tells when its copies went out, as
// far as there is room.
func TestSameTagIsBounded(t *testing.T) {
	s := newStub(100)
	c := &clock{}
	const ms = time.Millisecond
	x := open(t, s, Options{Clock: c.read, Timeout: 4 * time.Second, FirstRTO: 100 * ms, MostRTO: 300 * ms})
	s.lose = func(int, []byte) bool { return true }
	io := &IO{Op: Write, LBA: 1, Data: make([]byte, 512), Copies: make([]time.Duration, 0, 6)}
	x.Engine().Submit(io)
	for !io.doneForTest() && c.now < time.Minute {
		turn(t, x.Engine())
		turn(t, x.Engine())
		c.now += 5 * ms
	}
	want := []time.Duration{0, 100 * ms, 300 * ms, 600 * ms, 900 * ms, 1200 * ms}
	if !errors.Is(io.Err, ErrTimeout) || !slices.Equal(io.Copies, want) {
		t.Errorf("sent at %v, want %v; ended with %v", io.Copies, want, io.Err)
	}
}

func (io *IO) doneForTest() bool { return !io.active }

func TestLinuxRetransmission(t *testing.T) {
	s := newStub(1000)
	s.buffers = 32
	c := &clock{}
	x := open(t, s, Options{Clock: c.read, Retransmit: RetransmitLinux})
	e := x.Engine()
	if rto := e.pace.rto(); rto < 14*time.Second || rto > 16500*time.Millisecond {
		t.Fatalf("RTO after one reply %v, want about 14.7 s (INITIATORS §2.5)", rto)
	}
	if e.pace.window != 17 && e.pace.window != 16 {
		t.Fatalf("window %d, want half of 32", e.pace.window)
	}
	// An outage: one request each tick, each under a new tag, window 1.
	s.keep, s.lose = true, func(int, []byte) bool { return true }
	ios := make([]IO, 20)
	for i := range ios {
		ios[i] = IO{Op: Read, LBA: uint64(i), Data: make([]byte, 512)}
		e.Submit(&ios[i])
	}
	turn(t, e)
	first := len(s.seen)
	c.now += 17 * time.Second
	turn(t, e)
	turn(t, e)
	if e.pace.window != 1 || len(s.seen) != first+1 {
		t.Fatalf("window %d and %d frames after the first timeout, want 1 and 1", e.pace.window, len(s.seen)-first)
	}
	a, _ := aoe.DecodeHeader(s.seen[0])
	b, _ := aoe.DecodeHeader(s.seen[first])
	if a.Tag == b.Tag || !bytes.Equal(s.seen[0][24:], s.seen[first][24:]) {
		t.Fatal("a Linux retransmission has a new tag and the same content")
	}
	// The target comes back: everything completes, nothing twice.
	s.lose = nil
	done := 0
	for range 4000 {
		c.now += 100 * time.Millisecond
		done += len(turn(t, e))
	}
	if done != len(ios) || e.Outstanding() != 0 || e.Counters().Late != 0 {
		t.Fatalf("%d of %d done, %d outstanding, %d late", done, len(ios), e.Outstanding(), e.Counters().Late)
	}
}

func TestLinuxAcceptsOnlyTheNewestCopy(t *testing.T) {
	s := newStub(100)
	c := &clock{}
	x := open(t, s, Options{Clock: c.read, Retransmit: RetransmitLinux, FirstRTO: 200 * time.Millisecond})
	e := x.Engine()
	var held [][]byte
	s.answer = func(_ int, r []byte) [][]byte { held = append(held, append([]byte(nil), r...)); return nil }
	io := &IO{Op: Write, LBA: 1, Data: make([]byte, 512)}
	e.Submit(io)
	for len(held) < 2 {
		c.now += 100 * time.Millisecond
		turn(t, e)
	}
	s.in = append(s.in, held[0])
	if done := turn(t, e); len(done) != 0 || e.Counters().Late != 1 {
		t.Fatalf("the first copy's reply: %d done, %d late; want it ignored", len(done), e.Counters().Late)
	}
	s.in = append(s.in, held[len(held)-1])
	if done := turn(t, e); len(done) != 1 || io.Err != nil {
		t.Fatalf("the newest copy's reply: %d done, %v", len(done), io.Err)
	}
}

func TestSendDropsAreLosses(t *testing.T) {
	s := newStub(100)
	c := &clock{}
	x := open(t, s, Options{Clock: c.read})
	e := x.Engine()
	s.downSends = 1
	io := &IO{Op: Read, Data: make([]byte, 512)}
	e.Submit(io)
	turn(t, e)
	c.now += time.Second
	turn(t, e)
	if turn(t, e); io.active || io.Err != nil || e.Counters().SendDrops != 1 || e.Counters().Retransmits != 1 {
		t.Fatalf("after a drop: %v, counters %+v", io.Err, e.Counters())
	}
}

func TestSubmitRefuses(t *testing.T) {
	x := open(t, newStub(100), Options{})
	e := x.Engine()
	for name, io := range map[string]*IO{
		"half a sector": {Op: Read, Data: make([]byte, 100)},
		"nothing":       {Op: Write},
		"the end":       {Op: Read, LBA: 99, Data: make([]byte, 1024)},
		"overflow":      {Op: Read, LBA: 1<<64 - 1, Data: make([]byte, 1024)},
		"no header":     {Op: Control, Frame: make([]byte, 23)},
		"large command": {Op: ATA, Data: make([]byte, 9*512)},
	} {
		if err := e.Submit(io); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	io := &IO{Op: Read, Data: make([]byte, 512)}
	if err := errors.Join(e.Submit(io)); err != nil || !errors.Is(e.Submit(io), ErrBusy) {
		t.Error("an IO that is outstanding was accepted again")
	}
}

func TestEngineDoesNotAllocate(t *testing.T) {
	for _, mode := range []Retransmit{RetransmitSame, RetransmitNone, RetransmitLinux} {
		s := newStub(1000)
		x := open(t, s, Options{Retransmit: mode})
		e := x.Engine()
		ios := make([]IO, 8)
		for i := range ios {
			ios[i] = IO{Op: Op(i % 2), LBA: uint64(i * 32), Data: make([]byte, 20*512)}
			e.Submit(&ios[i])
		}
		step := func() {
			if e.Push() != nil {
				t.Error("push failed")
			}
			done, err := e.Poll()
			if err != nil {
				t.Error(err)
			}
			for _, io := range done {
				if io.Err != nil {
					t.Error(io.Err)
				}
				e.Submit(io)
			}
		}
		for range 100 {
			step()
		}
		before := e.Counters().Completed
		if n := testing.AllocsPerRun(1000, step); n != 0 {
			t.Errorf("%v: %v allocations per turn, want 0", mode, n)
		}
		if e.Counters().Completed-before < 1000 {
			t.Errorf("%v: only %d frames completed", mode, e.Counters().Completed-before)
		}
	}
}
