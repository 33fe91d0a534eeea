package main_test

import (
	"encoding/binary"
	"time"

	"vbladefs/target/aoe"
)

// frameMaker makes frame n of a flood in b, of which it returns a part.
type frameMaker func(o *overload, n int, b []byte) []byte

// overloadKinds are the floods.
var overloadKinds = []struct {
	name  string
	frame frameMaker
}{
	{"reads", func(o *overload, n int, b []byte) []byte {
		return o.ata(b, floodHost(0), n, aoe.ATA{Flags: aoe.ATAExtended, Count: 2, Command: 0x24, LBA: lba48(uint64(n) * 2 % 2040)})
	}},
	{"writes", func(o *overload, n int, b []byte) []byte {
		return o.ata(b, floodHost(0), n, aoe.ATA{Flags: aoe.ATAExtended | aoe.ATAWrite, Count: 2, Command: 0x34, LBA: lba48(uint64(n) * 2 % 2040)})
	}},
	{"flushes", func(o *overload, n int, b []byte) []byte {
		return o.ata(b, floodHost(0), n, aoe.ATA{Command: 0xea})
	}},
	{"flushes of the same disk", func(o *overload, n int, b []byte) []byte { // as another export
		b = o.ata(b, floodHost(0), n, aoe.ATA{Command: 0xea})
		b[18] = 3
		return b
	}},
	{"reads of other targets", func(o *overload, n int, b []byte) []byte { // sent here all the same
		b = o.ata(b, floodHost(0), n, aoe.ATA{Flags: aoe.ATAExtended, Count: 2, Command: 0x24, LBA: lba48(uint64(n) * 2 % 2040)})
		b[16], b[17] = 0x0f, byte(n)
		return b
	}},
	{"broadcasts", func(o *overload, n int, b []byte) []byte {
		return o.head(b[:aoe.MinFrame], floodHost(n%8), aoe.Addr{Shelf: aoe.AnyShelf, Slot: aoe.AnySlot}, aoe.CmdConfig, n)
	}},
	{"bad frames", func(o *overload, n int, b []byte) []byte {
		b = b[:aoe.EthernetSize+o.rnd.IntN(1400)]
		for i := 12; i < len(b); i += 8 {
			binary.BigEndian.PutUint64(b[i:][:8:8], o.rnd.Uint64())
		}
		copy(b, o.far[:])
		src := floodHost(n % 16)
		copy(b[6:], src[:])
		binary.BigEndian.PutUint16(b[12:], aoe.EtherType)
		if len(b) > 20 && n%2 == 0 { // half of them are to an export
			b[14], b[16], b[17], b[18] = 0x10, 0, 0, 2
		}
		if len(b) > 19 && b[19] <= byte(aoe.CmdReserve) {
			b[19] = 9 // no list is changed
		}
		return b
	}},
	{"10,000 sources", func(o *overload, n int, b []byte) []byte {
		return o.head(b[:aoe.MinFrame], floodHost(n%10_000), aoe.Addr{Slot: 2}, aoe.CmdConfig, n)
	}},
	{"replies of others", func(o *overload, n int, b []byte) []byte {
		b = o.head(b[:aoe.MinFrame], floodHost(n%10_000), aoe.Addr{Shelf: uint16(n / 200), Slot: uint8(n % 200)}, aoe.CmdConfig, n)
		b[14] |= 0x08
		return b
	}},
	{"config strings", func(o *overload, n int, b []byte) []byte {
		b = o.head(b[:aoe.ConfigSize+aoe.MaxConfigString], floodHost(n%16), o.anyExport(n), aoe.CmdConfig, n)
		aoe.Config{Command: aoe.ConfigForceSet, String: b[aoe.ConfigSize:]}.Put(b)
		binary.BigEndian.PutUint64(b[aoe.ConfigSize:], uint64(n))
		return b
	}},
	{"reservations", func(o *overload, n int, b []byte) []byte {
		b = o.head(b[:aoe.ReserveSize+6*aoe.MaxListed], floodHost(n%16), o.anyExport(n), aoe.CmdReserve, n)
		aoe.Reserve{Command: aoe.ReserveForceSet, Count: aoe.MaxListed}.Put(b)
		for i := range aoe.MaxListed {
			aoe.PutReserved(b, i, floodHost(n+i))
		}
		return b
	}},
	{"masks", func(o *overload, n int, b []byte) []byte {
		b = o.head(b[:aoe.MaskListSize+2*aoe.DirectiveSize], floodHost(0), o.anyExport(n), aoe.CmdMaskList, n)
		aoe.MaskList{Command: aoe.MaskEdit, Count: 2}.Put(b)
		aoe.PutDirective(b, 0, aoe.MaskAdd, floodHost(0))
		aoe.PutDirective(b, 1, aoe.MaskAdd, floodHost(n%10_000))
		return b
	}},
}

// elsewhere makes the same frames by another protocol, which the daemon is not given: what
// they take from an initiator the machine takes, which makes and sends them and carries
// them to the daemon's interface.
func elsewhere(frame frameMaker) frameMaker {
	return func(o *overload, n int, b []byte) []byte {
		b = frame(o, n, b)
		binary.BigEndian.PutUint16(b[12:], 0x88b5) // IEEE 802, local experiments
		return b
	}
}

// floodHost is a station of a flood.
func floodHost(n int) (mac aoe.MAC) {
	mac[0] = 2
	binary.BigEndian.PutUint32(mac[2:], uint32(n)+0x1000)
	return mac
}

// anyExport is one of those that only the flood uses.
func (o *overload) anyExport(n int) aoe.Addr {
	n %= overloadExports
	return aoe.Addr{Shelf: uint16(1 + n/250), Slot: uint8(n % 250)}
}

func (o *overload) head(b []byte, src aoe.MAC, addr aoe.Addr, command aoe.Command, n int) []byte {
	clear(b)
	dst := o.far
	if addr.Wildcard() {
		dst = aoe.Broadcast
	}
	aoe.Header{Dst: dst, Src: src, Version: aoe.Version, Addr: addr, Command: command, Tag: uint32(n)}.Put(b)
	return b
}

func (o *overload) ata(b []byte, src aoe.MAC, n int, a aoe.ATA) []byte {
	b = o.head(b[:aoe.ATASize+1024], src, aoe.Addr{Slot: 2}, aoe.CmdATA, n)
	a.Put(b)
	return b
}

// pouring is what to send.
type pouring struct {
	frame frameMaker // nil: nothing
	rate  float64    // frames a second; 0: as many as can be
}

// pour sends a flood, and returns how many frames.
func (o *overload) pour(end time.Time, f pouring) (sent int) {
	if f.frame == nil {
		return 0
	}
	begin := time.Now()
	batch, none, answers := make([][]byte, floodBatch), make([][]byte, floodBatch), make([][]byte, 64)
	room := make([]byte, floodBatch*2048)
	for time.Now().Before(end) || f.rate == 0 && pourOn(end, sent) {
		if ahead := float64(sent) - time.Since(begin).Seconds()*f.rate; f.rate > 0 && ahead > 0 {
			time.Sleep(time.Duration(ahead / f.rate * float64(time.Second)))
			continue
		}
		for i := range batch {
			batch[i] = f.frame(o, sent+i, room[i*2048:][:1514:2048])
		}
		n, err := o.link.Send(batch, none)
		if sent += n; err != nil {
			o.t.Error(err)
			break
		}
		for n, err := o.link.Receive(answers); n > 0 && err == nil; n, err = o.link.Receive(answers) {
			o.link.Release()
		}
	}
	return sent
}
