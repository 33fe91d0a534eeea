package main

import (
	"encoding/binary"
	"sync/atomic"

	"vbladefs/target/aoe"
)

// fakeTarget is a target in memory that can be told to betray its client.
type fakeTarget struct {
	addr     aoe.Addr
	mac      aoe.MAC
	disk     []byte
	older    []byte // what each sector held before its last write
	betrayal betrayal
	reads    int
	writes   int
	requests atomic.Int64
}

// betrayal is what a fakeTarget does to every 20th request of a kind. It gets
// the part of the disk that is meant; a write has been done already.
type betrayal struct {
	write func(t *fakeTarget, at, size int)
	read  func(t *fakeTarget, at, size int, reply []byte)
	fail  bool // answer reads with an ATA error
}

const every = 20

var betrayals = map[string]betrayal{
	"lost": {write: func(t *fakeTarget, at, size int) { copy(t.disk[at:at+size], t.older[at:at+size]) }},
	"stale": {read: func(t *fakeTarget, at, size int, reply []byte) {
		copy(reply, t.older[at:at+size])
	}},
	"torn": {write: func(t *fakeTarget, at, size int) { copy(t.disk[at+256:at+512], t.older[at+256:at+512]) }},
	"misplaced": {write: func(t *fakeTarget, at, size int) {
		to := (at + len(t.disk)/2) % len(t.disk)
		copy(t.disk[to:to+size], t.disk[at:at+size])
		copy(t.disk[at:at+size], t.older[at:at+size])
	}},
	"damaged": {read: func(_ *fakeTarget, _, _ int, reply []byte) { reply[300] ^= 0x10 }},
	"errors":  {fail: true},
	"honest":  {},
}

func newFakeTarget(size int, b betrayal) *fakeTarget {
	return &fakeTarget{addr: aoe.Addr{Shelf: 3, Slot: 4}, mac: aoe.MAC{2, 0, 0, 0, 0, 9}, disk: make([]byte, size),
		older: make([]byte, size), betrayal: b}
}

// answer appends the reply to frame, if it gets one, to out.
func (t *fakeTarget) answer(frame, out []byte) []byte {
	h, ok := aoe.DecodeHeader(frame)
	if !ok || h.Response || !h.Addr.Matches(t.addr) {
		return out
	}
	t.requests.Add(1)
	var empty [aoe.MinFrame]byte
	out = append(out, empty[:]...)
	h.Reply(t.addr, t.mac).Put(out)
	switch h.Command {
	case aoe.CmdConfig:
		aoe.Config{Buffers: 32, Sectors: 16}.Put(out)
	case aoe.CmdATA:
		return t.ata(frame, out)
	}
	return out
}

func (t *fakeTarget) ata(frame, out []byte) []byte {
	a, data, ok := aoe.DecodeATA(frame)
	if !ok {
		return out
	}
	at := int(binary.LittleEndian.Uint32(a.LBA[:])) * aoe.SectorSize
	size := int(a.Count) * aoe.SectorSize
	aoe.ATA{Command: 0x40}.Put(out)
	switch a.Command {
	case 0xec:
		return append(out[:aoe.ATASize], t.identify()...)
	case 0x24:
		out = append(out[:aoe.ATASize], t.disk[at:at+size]...)
		if t.reads++; t.reads%every == 0 {
			if t.betrayal.read != nil {
				t.betrayal.read(t, at, size, out[aoe.ATASize:])
			}
			if t.betrayal.fail {
				aoe.ATA{Command: 0x41, Feature: 0x40, Count: a.Count}.Put(out)
			}
		}
	case 0x34:
		copy(t.older[at:at+size], t.disk[at:at+size])
		copy(t.disk[at:at+size], data[:size])
		if t.writes++; t.writes%every == 0 && t.betrayal.write != nil {
			t.betrayal.write(t, at, size)
		}
	}
	return out
}

func (t *fakeTarget) identify() []byte {
	b := make([]byte, 512)
	binary.LittleEndian.PutUint16(b[166:], 1<<10)
	binary.LittleEndian.PutUint64(b[200:], uint64(len(t.disk)/aoe.SectorSize))
	return b
}

// memLink is a link to a fakeTarget in the same goroutine.
type memLink struct {
	t     *fakeTarget
	in    [][]byte
	pool  [][]byte
	lent  [][]byte
	frame []byte
}

func (l *memLink) Receive(frames [][]byte) (int, error) {
	n := copy(frames, l.in)
	l.lent = append(l.lent, l.in[:n]...)
	l.in = l.in[:copy(l.in, l.in[n:])]
	return n, nil
}

func (l *memLink) Release() {
	l.pool = append(l.pool, l.lent...)
	l.lent = l.lent[:0]
}

func (l *memLink) Send(headers, payloads [][]byte) (int, error) {
	for i, h := range headers {
		l.frame = append(append(l.frame[:0], h...), payloads[i]...)
		var out []byte
		if n := len(l.pool); n > 0 {
			out, l.pool = l.pool[n-1][:0], l.pool[:n-1]
		} else {
			out = make([]byte, 0, 16<<10)
		}
		l.in = append(l.in, l.t.answer(l.frame, out))
	}
	return len(headers), nil
}

func (l *memLink) FD() int              { return -1 }
func (l *memLink) ReceiveDrops() uint64 { return 0 }
func (l *memLink) SendDrops() uint64    { return 0 }
func (l *memLink) Kind() string         { return "memory" }
func (l *memLink) Close() error         { return nil }
