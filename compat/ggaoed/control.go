package ggaoed

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// This file is the protocol of the control socket, sheet §4: a datagram with a
// command and names for each request, several datagrams for an answer. Numbers
// are in the machine's order, as those of programs in C.

// MaxDatagram is the longest either way, in bytes.
const MaxDatagram = 4096

// Command is what a request asks for.
type Command uint32

// The commands.
const (
	Hello Command = iota
	GetStats
	Reload
	GetConfig
	GetMasks
	GetReserve
	ClearStats
	ClearConfig
	ClearMasks
	ClearReserve
)

// Known reports whether c is a command of 1.1.
func (c Command) Known() bool { return c <= ClearReserve }

// NeedsNames reports whether c is only meant with names.
func (c Command) NeedsNames() bool { return c >= ClearConfig && c <= ClearReserve }

// Request is one datagram of a client.
type Request struct {
	Command Command
	Names   []string // patterns; none: everything
}

var native = binary.NativeEndian

// Datagram is r as it is sent.
func (r Request) Datagram() []byte {
	b := native.AppendUint32(nil, uint32(r.Command))
	for _, name := range r.Names {
		b = append(append(b, name...), 0)
	}
	return b
}

// ParseRequest reads a datagram. A last name may lack its NUL.
func ParseRequest(b []byte) (Request, error) {
	if len(b) < 4 || len(b) > MaxDatagram {
		return Request{}, fmt.Errorf("a request of %d bytes: want 4 to %d", len(b), MaxDatagram)
	}
	r := Request{Command: Command(native.Uint32(b))}
	for name := range strings.SplitSeq(string(b[4:]), "\x00") {
		if name != "" {
			r.Names = append(r.Names, name)
		}
	}
	return r, nil
}

// Selects reports whether a request is about what is called name.
func (r Request) Selects(name string) bool {
	for _, pattern := range r.Names {
		if covers(pattern, name) {
			return true
		}
	}
	return len(r.Names) == 0
}

// message is the kind of an answer.
type message uint32

const (
	helloMessage message = iota
	uptimeMessage
	deviceMessage
	netMessage
	okMessage
	listMessage
	configMessage
)

// helloVersion is that of the protocol.
const helloVersion = 1

// DeviceStats are the counters of a device, sheet §4.
type DeviceStats struct {
	Reads, ReadBytes   uint64
	ReadTime           time.Duration
	Writes, WriteBytes uint64
	WriteTime          time.Duration
	Others             uint32
	OtherTime          time.Duration
	IOSlots, IORuns    uint64
	QueueLength        uint64 // sum of what each request found
	QueueStall         uint32
	QueueOver          uint32
	ATAErrors          uint32
	ProtocolErrors     uint32
}

// NetStats are the counters of an interface.
type NetStats struct {
	Received, ReceivedBytes, ReceivedRuns uint64
	Sent, SentBytes, SentRuns             uint64
	ReceiveFull, SendFull                 uint32
	Dropped, Ignored, Broadcasts          uint32
}

// Answer is one datagram of an answer, of one of the types below.
type Answer interface{ datagram() []byte }

// The answers.
type (
	HelloAnswer  struct{ Version uint32 }
	UptimeAnswer struct{ Since time.Duration }
	DeviceAnswer struct {
		Name string
		DeviceStats
	}
	NetAnswer struct {
		Name string
		NetStats
	}
	OKAnswer   struct{}
	ListAnswer struct {
		Name string
		File []byte // ListFileSize bytes
	}
	ConfigAnswer struct {
		Name string
		File []byte // ConfigFileSize bytes
	}
)

// Greeting is what Hello is answered with.
var Greeting = HelloAnswer{helloVersion}

// Datagram is a as it is sent.
func Datagram(a Answer) []byte { return a.datagram() }

func start(m message, padding int) []byte {
	return append(native.AppendUint32(nil, uint32(m)), make([]byte, padding)...)
}

// Where the payload of a message begins: at a multiple of what it is made of.
const (
	wideGap   = 4 // behind the type, before 64-bit numbers
	narrowGap = 0
)

func named(b []byte, name string) []byte { return append(append(b, name...), 0) }

func (a HelloAnswer) datagram() []byte {
	return native.AppendUint32(start(helloMessage, narrowGap), a.Version)
}

func (a UptimeAnswer) datagram() []byte { return appendTime(start(uptimeMessage, wideGap), a.Since) }

func (a OKAnswer) datagram() []byte { return start(okMessage, narrowGap) }

func (a ListAnswer) datagram() []byte {
	return named(append(start(listMessage, wideGap), a.File...), a.Name)
}

func (a ConfigAnswer) datagram() []byte {
	return named(append(start(configMessage, narrowGap), a.File...), a.Name)
}

func appendTime(b []byte, d time.Duration) []byte {
	b = native.AppendUint64(b, uint64(d/time.Second))
	return native.AppendUint64(b, uint64(d%time.Second))
}

func (a DeviceAnswer) datagram() []byte {
	b := start(deviceMessage, wideGap)
	s := &a.DeviceStats
	b = native.AppendUint64(native.AppendUint64(b, s.Reads), s.ReadBytes)
	b = appendTime(b, s.ReadTime)
	b = native.AppendUint64(native.AppendUint64(b, s.Writes), s.WriteBytes)
	b = appendTime(b, s.WriteTime)
	b = native.AppendUint32(native.AppendUint32(b, s.Others), 0) // aligns what follows
	b = appendTime(b, s.OtherTime)
	for _, v := range []uint64{s.IOSlots, s.IORuns, s.QueueLength} {
		b = native.AppendUint64(b, v)
	}
	for _, v := range []uint32{s.QueueStall, s.QueueOver, s.ATAErrors, s.ProtocolErrors} {
		b = native.AppendUint32(b, v)
	}
	return named(b, a.Name)
}

func (a NetAnswer) datagram() []byte {
	b := start(netMessage, wideGap)
	s := &a.NetStats
	for _, v := range []uint64{s.Received, s.ReceivedBytes, s.ReceivedRuns, s.Sent, s.SentBytes, s.SentRuns} {
		b = native.AppendUint64(b, v)
	}
	for _, v := range []uint32{s.ReceiveFull, s.SendFull, s.Dropped, s.Ignored, s.Broadcasts, 0} {
		b = native.AppendUint32(b, v)
	}
	return named(b, a.Name)
}

// ParseAnswer reads a datagram of a daemon.
func ParseAnswer(b []byte) (Answer, error) {
	r := reader{b: b}
	switch m := message(r.u32()); m {
	case helloMessage:
		return r.whole(HelloAnswer{Version: r.u32()})
	case okMessage:
		return r.whole(OKAnswer{})
	case uptimeMessage:
		r.skip(wideGap)
		return r.whole(UptimeAnswer{Since: r.time()})
	case deviceMessage:
		r.skip(wideGap)
		return r.whole(r.device())
	case netMessage:
		r.skip(wideGap)
		return r.whole(r.net())
	case listMessage:
		r.skip(wideGap)
		file := r.skip(ListFileSize)
		return r.whole(ListAnswer{File: file, Name: r.name()})
	case configMessage:
		file := r.skip(ConfigFileSize)
		return r.whole(ConfigAnswer{File: file, Name: r.name()})
	default:
		return nil, fmt.Errorf("message %d: want one of 0 to %d", m, configMessage)
	}
}

// reader takes a datagram apart; one that is too short is bad, and gives zeros.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) skip(n int) []byte {
	if len(r.b) < n {
		r.bad, r.b = true, nil
		return make([]byte, n)
	}
	taken := r.b[:n:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) u32() uint32 { return native.Uint32(r.skip(4)) }
func (r *reader) u64() uint64 { return native.Uint64(r.skip(8)) }

func (r *reader) time() time.Duration {
	s, ns := r.u64(), r.u64()
	const most = uint64(1<<63-1) / uint64(time.Second)
	if s >= most || ns >= uint64(time.Second) {
		r.bad = true
		return 0
	}
	return time.Duration(s)*time.Second + time.Duration(ns)
}

// name takes the rest, which ends in the only NUL.
func (r *reader) name() string {
	name, rest, ok := bytes.Cut(r.b, []byte{0})
	r.bad = r.bad || !ok || len(rest) > 0 || len(name) == 0
	r.b = nil
	return string(name)
}

func (r *reader) whole(a Answer) (Answer, error) {
	if r.bad || len(r.b) > 0 {
		return nil, fmt.Errorf("a message of the wrong length for its type")
	}
	return a, nil
}

func (r *reader) device() DeviceAnswer {
	var a DeviceAnswer
	a.Reads, a.ReadBytes, a.ReadTime = r.u64(), r.u64(), r.time()
	a.Writes, a.WriteBytes, a.WriteTime = r.u64(), r.u64(), r.time()
	a.Others = r.u32()
	r.skip(4)
	a.OtherTime = r.time()
	a.IOSlots, a.IORuns, a.QueueLength = r.u64(), r.u64(), r.u64()
	a.QueueStall, a.QueueOver, a.ATAErrors, a.ProtocolErrors = r.u32(), r.u32(), r.u32(), r.u32()
	a.Name = r.name()
	return a
}

func (r *reader) net() NetAnswer {
	var a NetAnswer
	a.Received, a.ReceivedBytes, a.ReceivedRuns = r.u64(), r.u64(), r.u64()
	a.Sent, a.SentBytes, a.SentRuns = r.u64(), r.u64(), r.u64()
	a.ReceiveFull, a.SendFull = r.u32(), r.u32()
	a.Dropped, a.Ignored, a.Broadcasts = r.u32(), r.u32(), r.u32()
	r.skip(4)
	a.Name = r.name()
	return a
}
