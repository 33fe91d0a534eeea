package qaoed

import (
	"encoding/binary"
	"errors"
	"fmt"

	"vbladefs/target"
)

// This file and api_structs.go are the protocol of qaoed's API socket (sheet §3):
// on a stream, a header and an argument ask for something, and a header and a
// payload answer. Numbers are in the byte order of the machine.

// HeaderSize is how long a header is.
const HeaderSize = 8

// MaxArgument is how long the argument of a request may be; with a longer one the
// connection is closed.
const MaxArgument = 2048

// Command is what is asked for.
type Command uint8

// The commands. Those that no client is known to send are not named.
const (
	CmdStatus          Command = 0
	CmdInterfaceList   Command = 1
	CmdInterfaceStatus Command = 2
	CmdSetMTU          Command = 5
	CmdTargetList      Command = 6
	CmdTargetStatus    Command = 7
	CmdTargetAdd       Command = 8
	CmdTargetDelete    Command = 9
	CmdSetACLs         Command = 11
	CmdACLList         Command = 12
	lastCommand        Command = 19 // set the policy of an access list
)

// Code is how a request went.
type Code uint8

// The codes of replies.
const (
	CodeOK      Code = 0
	CodeUnknown Code = 1 // there is no such command
	CodeFailure Code = 2
)

// isReply is the type of a header that answers; that of a request is 0.
const isReply = 1

// Header begins each request and reply.
type Header struct {
	Command Command
	Type    uint8
	Error   Code
	Pad     uint8  // returned as it came
	Length  uint32 // bytes behind the header
}

// DecodeHeader reads a header of HeaderSize bytes.
func DecodeHeader(b []byte) Header {
	return Header{Command(b[0]), b[1], Code(b[2]), b[3], binary.NativeEndian.Uint32(b[4:HeaderSize])}
}

// Append writes h behind b.
func (h Header) Append(b []byte) []byte {
	return binary.NativeEndian.AppendUint32(append(b, byte(h.Command), h.Type, byte(h.Error), h.Pad), h.Length)
}

// Actions are what the API can have done. Errors are for the log: a client only
// learns that there was one.
type Actions interface {
	Status() Status
	Interfaces() []InterfaceInfo
	// SetMTU sets the MTU of an interface, -1 for its own, and returns what it is then.
	SetMTU(netif string, mtu int32) (int32, error)
	Targets() []Target
	Target(Target) (Detail, error)
	AddTarget(Target) (Target, error)
	RemoveTarget(Target) error
	SetACLs(Detail) error
	Lists() []ListInfo
}

var errUnknown = fmt.Errorf("%w: there is no such command", target.ErrMalformed)

// Answer has a request done and returns the reply, header and payload. Every
// request has one; the error says why it is one of failure.
func Answer(h Header, argument []byte, a Actions) ([]byte, error) {
	payload, err := answer(h.Command, argument, a)
	h.Type, h.Error, h.Length = isReply, CodeOK, uint32(len(payload))
	switch {
	case errors.Is(err, errUnknown):
		h.Error = CodeUnknown
	case err != nil:
		h.Error = CodeFailure
	}
	if err != nil {
		err = fmt.Errorf("API command %d: %w", h.Command, err)
	}
	return append(h.Append(nil), payload...), err
}

func answer(command Command, argument []byte, a Actions) ([]byte, error) {
	switch command {
	case CmdStatus:
		return a.Status().Append(nil), nil
	case CmdInterfaceList:
		return appendAll(a.Interfaces()), nil
	case CmdTargetList:
		return appendAll(a.Targets()), nil
	case CmdACLList:
		return appendAll(a.Lists()), nil
	case CmdInterfaceStatus, CmdSetMTU:
		return answerInterface(command, argument, a)
	case CmdTargetStatus, CmdTargetAdd, CmdTargetDelete:
		return answerTarget(command, argument, a)
	case CmdSetACLs:
		d, err := DecodeDetail(argument)
		if err != nil {
			return nil, err
		}
		return argument, a.SetACLs(d)
	}
	if command > lastCommand {
		return nil, errUnknown
	}
	return nil, fmt.Errorf("%w: no known client sends it, and it is not implemented", target.ErrMalformed)
}

func answerInterface(command Command, argument []byte, a Actions) ([]byte, error) {
	c, err := DecodeInterfaceCommand(argument)
	if err != nil {
		return nil, err
	}
	if command == CmdSetMTU {
		c.MTU, err = a.SetMTU(c.Name, c.MTU)
		return c.Append(nil), err
	}
	for _, i := range a.Interfaces() {
		if i.Name == c.Name {
			return i.Append(nil), nil
		}
	}
	return InterfaceInfo{}.Append(nil), fmt.Errorf("%w: %q: want one that is configured", target.ErrNoInterface, c.Name)
}

func answerTarget(command Command, argument []byte, a Actions) ([]byte, error) {
	t, err := DecodeTarget(argument)
	if err != nil {
		return nil, err
	}
	switch command {
	case CmdTargetAdd:
		if t.Writecache < Unset || t.Writecache > On || t.Broadcast < Unset || t.Broadcast > On {
			return nil, fmt.Errorf("%w: writecache %d, broadcast %d: want 0, 1, or -1 for the default", target.ErrMalformed, t.Writecache, t.Broadcast)
		}
		t, err = a.AddTarget(t)
		return t.Append(nil), err
	case CmdTargetDelete:
		return nil, a.RemoveTarget(t)
	}
	d, err := a.Target(t)
	if err != nil {
		return nil, err
	}
	return d.Append(nil), nil
}

func appendAll[T interface{ Append([]byte) []byte }](all []T) (b []byte) {
	for _, one := range all {
		b = one.Append(b)
	}
	return b
}
