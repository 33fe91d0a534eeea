// Package aoe is the wire format of ATA over Ethernet, protocol version 1,
// revision AoEr11: decoding and encoding over byte slices.
//
// A frame is the whole Ethernet frame, from the destination address on, so
// every offset here is counted from its first byte. Decoders return values and
// slices that alias the frame; encoders write into a slice that the caller
// owns. Nothing allocates, nothing is kept, nothing does I/O: receiving and
// sending is netio's work, meaning is target's and ata's.
//
//	0          14       24
//	| Ethernet | header | argument: ATA, Config, MaskList or Reserve … |
//
// Facts are cited by their section of the AoEr11 description that the project
// works from ("§2").
package aoe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Sizes and fixed values of the wire, §1 and §2.
const (
	EtherType  = 0x88a2
	Version    = 1   // the only protocol version there is
	SectorSize = 512 // bytes, always

	EthernetSize = 14 // destination, source, EtherType
	HeaderSize   = 24 // Ethernet and AoE header
	MinFrame     = 60 // what every reply is padded to; no virtual link does it for us

	MaxFrameSectors = 255 // a sector count is one byte
)

// MAC is an Ethernet address.
type MAC [6]byte

// Broadcast is the address of every host of the segment.
var Broadcast = MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// Group reports whether m is a multicast or the broadcast address, which
// nobody may send from.
func (m MAC) Group() bool { return m[0]&1 != 0 }

// String formats m as six lower-case hex pairs with colons.
func (m MAC) String() string {
	return string(m.Append(make([]byte, 0, len("00:00:00:00:00:00"))))
}

// Append appends what String returns to b.
func (m MAC) Append(b []byte) []byte {
	const digits = "0123456789abcdef"
	for i, octet := range m {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, digits[octet>>4], digits[octet&15])
	}
	return b
}

// ParseMAC reads six groups of one or two hex digits joined by colons.
func ParseMAC(s string) (MAC, error) {
	var m MAC
	groups := strings.Split(s, ":")
	if len(groups) != len(m) {
		return MAC{}, fmt.Errorf("bad MAC address %q: want six hex pairs such as 00:16:3e:00:00:01", s)
	}
	for i, g := range groups {
		n, err := strconv.ParseUint(g, 16, 8)
		if err != nil || len(g) > 2 {
			return MAC{}, fmt.Errorf("bad MAC address %q: %q is no hex pair", s, g)
		}
		m[i] = byte(n)
	}
	return m, nil
}

// Wildcards match any shelf or slot in a request, §2.3.
const (
	AnyShelf = 0xffff
	AnySlot  = 0xff
)

// Addr is the AoE address of an export: shelf (major) and slot (minor).
type Addr struct {
	Shelf uint16
	Slot  uint8
}

// Wildcard reports whether a asks for any shelf or any slot.
func (a Addr) Wildcard() bool { return a.Shelf == AnyShelf || a.Slot == AnySlot }

// Matches reports whether a request to a is meant for the export at own.
func (a Addr) Matches(own Addr) bool {
	return (a.Shelf == own.Shelf || a.Shelf == AnyShelf) && (a.Slot == own.Slot || a.Slot == AnySlot)
}

// String formats a as shelf.slot in decimal.
func (a Addr) String() string { return fmt.Sprintf("%d.%d", a.Shelf, a.Slot) }

// ErrAddr is wrapped by the errors of ParseAddr.
var ErrAddr = errors.New("bad AoE address")

// ParseAddr reads "shelf.slot" in decimal, with an optional "e" before it as in
// the names of the Linux initiator (e0.1). Wildcards are not addresses.
func ParseAddr(s string) (Addr, error) {
	shelf, slot, ok := strings.Cut(strings.TrimPrefix(s, "e"), ".")
	major, err1 := strconv.ParseUint(shelf, 10, 16)
	minor, err2 := strconv.ParseUint(slot, 10, 8)
	a := Addr{Shelf: uint16(major), Slot: uint8(minor)}
	if !ok || err1 != nil || err2 != nil || a.Wildcard() {
		return Addr{}, fmt.Errorf("%w %q: want shelf.slot with shelf 0-65534 and slot 0-254, such as e0.1", ErrAddr, s)
	}
	return a, nil
}

// Command is the AoE command of a frame, §2.1.
type Command uint8

// The commands of AoEr11. 0xf0 and above are vendor specific.
const (
	CmdATA      Command = 0
	CmdConfig   Command = 1
	CmdMaskList Command = 2
	CmdReserve  Command = 3
)

// ErrorCode is what an error reply says, §2.2.
type ErrorCode uint8

// The error codes of AoEr11.
const (
	ErrCommand      ErrorCode = 1 // unrecognized command code
	ErrArgument     ErrorCode = 2 // bad argument parameter
	ErrUnavailable  ErrorCode = 3 // device unavailable
	ErrConfigString ErrorCode = 4 // config string present
	ErrVersion      ErrorCode = 5 // unsupported version
	ErrReserved     ErrorCode = 6 // target is reserved
)

// String names the error as the specification does.
func (e ErrorCode) String() string {
	names := [...]string{0: "no error", ErrCommand: "unrecognized command code", ErrArgument: "bad argument parameter",
		ErrUnavailable: "device unavailable", ErrConfigString: "config string present",
		ErrVersion: "unsupported version", ErrReserved: "target is reserved"}
	if int(e) < len(names) {
		return names[e]
	}
	return "AoE error " + strconv.Itoa(int(e))
}

// Bits of byte 14, below the version, §2.
const (
	flagResponse = 1 << 3
	flagError    = 1 << 2
)

// Header is the first 24 bytes of every frame: Ethernet and AoE header, §2.
type Header struct {
	Dst, Src MAC
	Version  uint8 // 4 bits
	Response bool
	Failed   bool // the E flag: Error holds a code
	Error    ErrorCode
	Addr     Addr
	Command  Command
	Tag      uint32
}

// DecodeHeader reads the header of frame. It is false when frame is shorter
// than a header or of another EtherType.
func DecodeHeader(frame []byte) (Header, bool) {
	if len(frame) < HeaderSize || binary.BigEndian.Uint16(frame[12:]) != EtherType {
		return Header{}, false
	}
	b := frame[:HeaderSize]
	return Header{
		Dst:      MAC(b[0:6]),
		Src:      MAC(b[6:12]),
		Version:  b[14] >> 4,
		Response: b[14]&flagResponse != 0,
		Failed:   b[14]&flagError != 0,
		Error:    ErrorCode(b[15]),
		Addr:     Addr{Shelf: binary.BigEndian.Uint16(b[16:]), Slot: b[18]},
		Command:  Command(b[19]),
		Tag:      binary.BigEndian.Uint32(b[20:]),
	}, true
}

// PeekAddr reads only the address of frame, whatever the rest says. It is false
// when frame is shorter than a header.
func PeekAddr(frame []byte) (Addr, bool) {
	if len(frame) < HeaderSize {
		return Addr{}, false
	}
	return Addr{Shelf: binary.BigEndian.Uint16(frame[16:]), Slot: frame[18]}, true
}

// Put writes h into the first 24 bytes of frame; reserved bits become zero.
func (h Header) Put(frame []byte) {
	b := frame[:HeaderSize]
	copy(b[0:6], h.Dst[:])
	copy(b[6:12], h.Src[:])
	binary.BigEndian.PutUint16(b[12:], EtherType)
	b[14] = h.Version << 4
	if h.Response {
		b[14] |= flagResponse
	}
	if h.Failed {
		b[14] |= flagError
	}
	b[15] = uint8(h.Error)
	binary.BigEndian.PutUint16(b[16:], h.Addr.Shelf)
	b[18] = h.Addr.Slot
	b[19] = uint8(h.Command)
	binary.BigEndian.PutUint32(b[20:], h.Tag)
}

// Reply is the header that answers h from the export at own, over the
// interface whose address is src: built from scratch, so that no reserved bit
// of the request comes back, §2.
func (h Header) Reply(own Addr, src MAC) Header {
	return Header{Dst: h.Src, Src: src, Version: Version, Response: true, Addr: own, Command: h.Command, Tag: h.Tag}
}

// Fail turns h into an error reply.
func (h Header) Fail(code ErrorCode) Header {
	h.Failed, h.Error = true, code
	return h
}

// Sectors is how many sectors of data a frame carries on an interface of the
// given MTU in bytes, by the conservative rule that every initiator uses, §1.2:
// 0 when the MTU is too small to serve.
func Sectors(mtu int) int {
	return min(max((mtu-ATASize)/SectorSize, 0), MaxFrameSectors)
}
