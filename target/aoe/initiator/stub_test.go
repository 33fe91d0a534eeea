package initiator

import (
	"encoding/binary"
	"testing"
	"time"

	"vbladefs/target/aoe"
)

// stub is a link with a target behind it, in memory. Its hooks make it err.
type stub struct {
	addr    aoe.Addr
	mac     aoe.MAC
	disk    []byte
	buffers uint16
	sectors uint8
	config  []byte
	masks   []aoe.MAC
	owners  []aoe.MAC

	lose   func(n int, frame []byte) bool     // request n is lost on its way
	answer func(n int, reply []byte) [][]byte // what becomes of the reply to request n

	requests  int
	seen      [][]byte // every request, when keep is set
	keep      bool
	in        [][]byte
	pool      [][]byte
	lent      [][]byte
	downSends int // sends that fail
}

var (
	ourMAC    = aoe.MAC{2, 0, 0, 0, 0, 1}
	targetMAC = aoe.MAC{2, 0, 0, 0, 0, 2}
	otherMAC  = aoe.MAC{2, 0, 0, 0, 0, 3}
	target    = aoe.Addr{Shelf: 7, Slot: 3}
)

func newStub(sectors int) *stub {
	return &stub{addr: target, mac: targetMAC, disk: make([]byte, sectors*aoe.SectorSize), buffers: 16, sectors: 8}
}

func (s *stub) Receive(frames [][]byte) (int, error) {
	n := copy(frames, s.in)
	s.lent = append(s.lent, s.in[:n]...)
	s.in = s.in[:copy(s.in, s.in[n:])]
	return n, nil
}

func (s *stub) Release() {
	s.pool = append(s.pool, s.lent...)
	s.lent = s.lent[:0]
}

func (s *stub) Send(headers, payloads [][]byte) (int, error) {
	if s.downSends > 0 {
		s.downSends--
		return 0, nil
	}
	for i, h := range headers {
		frame := append(append(s.buffer(), h...), payloads[i]...)
		n := s.requests
		s.requests++
		if s.keep {
			s.seen = append(s.seen, append([]byte(nil), frame...))
		}
		if s.lose == nil || !s.lose(n, frame) {
			s.deliver(n, s.reply(frame))
		}
		s.pool = append(s.pool, frame)
	}
	return len(headers), nil
}

func (s *stub) deliver(n int, reply []byte) {
	switch {
	case reply == nil:
	case s.answer == nil:
		s.in = append(s.in, reply)
	default:
		s.in = append(s.in, s.answer(n, reply)...)
	}
}

// buffer takes an empty buffer from the pool, so that the stub does not
// allocate in the steady state.
func (s *stub) buffer() []byte {
	if n := len(s.pool); n > 0 {
		b := s.pool[n-1]
		s.pool = s.pool[:n-1]
		return b[:0]
	}
	return make([]byte, 0, 16<<10)
}

func (s *stub) FD() int              { return -1 }
func (s *stub) ReceiveDrops() uint64 { return 0 }
func (s *stub) SendDrops() uint64    { return 0 }
func (s *stub) Kind() string         { return "stub" }
func (s *stub) Close() error         { return nil }

// reply is the well-behaved answer to a request.
func (s *stub) reply(frame []byte) []byte {
	h, ok := aoe.DecodeHeader(frame)
	if !ok || h.Response || !h.Addr.Matches(s.addr) {
		return nil
	}
	out := append(s.buffer(), make([]byte, aoe.MinFrame)...)
	h.Reply(s.addr, s.mac).Put(out)
	switch h.Command {
	case aoe.CmdATA:
		return s.ata(frame, out)
	case aoe.CmdConfig:
		return s.configure(h, frame, out)
	case aoe.CmdMaskList:
		return s.mask(frame, out)
	case aoe.CmdReserve:
		return s.reserve(frame, out)
	}
	h.Reply(s.addr, s.mac).Fail(aoe.ErrCommand).Put(out)
	return out
}

func (s *stub) ata(frame, out []byte) []byte {
	a, data, _ := aoe.DecodeATA(frame)
	at, size := lba(a), int(a.Count)*aoe.SectorSize
	if a.Command == ataRead || a.Command == ataWrite {
		at &= 0x0fffffff
	}
	done := aoe.ATA{Flags: a.Flags, Command: 0x40, LBA: a.LBA}
	switch a.Command {
	case ataIdentify:
		out = append(out[:aoe.ATASize], identifyData(uint64(len(s.disk)/aoe.SectorSize))...)
	case ataRead, ataReadExt, ataWrite, ataWriteExt:
		switch {
		case at > uint64(len(s.disk)/aoe.SectorSize) || at*aoe.SectorSize+uint64(size) > uint64(len(s.disk)):
			done.Command, done.Feature, done.Count = 0x41, 0x10, a.Count
		case a.Flags&aoe.ATAWrite != 0:
			copy(s.disk[at*aoe.SectorSize:], data[:size])
		default:
			out = append(out[:aoe.ATASize], s.disk[at*aoe.SectorSize:][:size]...)
		}
	case ataFlush, ataFlushExt:
	case 0xe5:
		done.Count = 0xff
	default:
		done.Command, done.Feature = 0x41, 0x04
	}
	done.Put(out)
	return out
}

func (s *stub) configure(h aoe.Header, frame, out []byte) []byte {
	c, _ := aoe.DecodeConfig(frame)
	if c.Command == aoe.ConfigTest && string(c.String) != string(s.config) {
		return nil
	}
	if c.Command == aoe.ConfigSet && len(s.config) > 0 && string(c.String) != string(s.config) {
		h.Reply(s.addr, s.mac).Fail(aoe.ErrConfigString).Put(out)
	} else if c.Command == aoe.ConfigSet || c.Command == aoe.ConfigForceSet {
		s.config = append([]byte(nil), c.String...)
	}
	out = append(out, make([]byte, len(s.config))...)
	end := aoe.Config{Buffers: s.buffers, Firmware: 0x4025, Sectors: s.sectors, Command: c.Command, String: s.config}.Put(out)
	return out[:max(end, aoe.MinFrame)]
}

func (s *stub) mask(frame, out []byte) []byte {
	m, _ := aoe.DecodeMaskList(frame)
	for i := range int(m.Count) {
		do, mac := m.Directive(i)
		if do > aoe.MaskDelete {
			aoe.MaskList{Command: m.Command, Error: aoe.MaskBadDirective, Count: uint8(i)}.Put(out)
			return out
		}
		s.masks = append(s.masks, mac)
	}
	out = append(out, make([]byte, len(s.masks)*aoe.DirectiveSize)...)
	aoe.MaskList{Command: m.Command, Count: uint8(len(s.masks))}.Put(out)
	for i, mac := range s.masks {
		aoe.PutDirective(out, i, aoe.MaskNone, mac)
	}
	return out
}

func (s *stub) reserve(frame, out []byte) []byte {
	r, _ := aoe.DecodeReserve(frame)
	if r.Command != aoe.ReserveRead {
		s.owners = nil
		for i := range int(r.Count) {
			s.owners = append(s.owners, r.MAC(i))
		}
	}
	out = append(out, make([]byte, len(s.owners)*6)...)
	aoe.Reserve{Command: r.Command, Count: uint8(len(s.owners))}.Put(out)
	for i, mac := range s.owners {
		aoe.PutReserved(out, i, mac)
	}
	return out
}

func identifyData(sectors uint64) []byte {
	b := make([]byte, 512)
	put := func(word int, v uint16) { binary.LittleEndian.PutUint16(b[2*word:], v) }
	put(0, 0x40)
	for i, c := range []byte("SERIAL-1            ") {
		b[20+i^1] = c
	}
	put(60, uint16(sectors))
	put(61, uint16(sectors>>16))
	put(83, 0x7400)
	put(85, 1<<5)
	binary.LittleEndian.PutUint64(b[200:], sectors)
	b[510] = 0xa5
	var sum byte
	for _, v := range b {
		sum += v
	}
	b[511] = -sum
	return b
}

// clock is a clock that the test moves.
type clock struct{ now time.Duration }

func (c *clock) read() time.Duration { return c.now }

// open opens the stub's export.
func open(t *testing.T, s *stub, opt Options) *Export {
	t.Helper()
	i, err := New(s, Local{MAC: ourMAC, MTU: 9000})
	if err != nil {
		t.Fatal(err)
	}
	x, err := i.Open(target, opt)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// turn is one Push and as many Polls as bring something.
func turn(t *testing.T, e *Engine) []*IO {
	t.Helper()
	if err := e.Push(); err != nil {
		t.Fatal(err)
	}
	var all []*IO
	for {
		received := e.counters.Received
		done, err := e.Poll()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, done...)
		if e.counters.Received == received {
			return all
		}
	}
}
