package initiator

import (
	"fmt"

	"vbladefs/target/aoe"
)

// control sends one command that is not ATA and returns its reply, which is
// valid until the next call. An error reply is an *AoEError; its reply is
// returned too.
func (x *Export) control(command aoe.Command, size int, put func(frame []byte)) ([]byte, error) {
	frame := make([]byte, max(size, aoe.MinFrame))
	aoe.Header{Dst: x.MAC, Src: x.local.MAC, Version: aoe.Version, Addr: x.Addr, Command: command}.Put(frame)
	put(frame)
	x.io = IO{Op: Control, Peer: x.Peer, Frame: frame}
	err := x.engine.Do(&x.io)
	return x.io.Reply, err
}

// Config issues a config sub-command with a string and returns the answer, its
// string being the one stored after it. Test and prefix commands that do not
// match are not answered: they end in ErrTimeout. Setting another string over
// one that is there is an *AoEError, and the answer holds the one that is there.
func (x *Export) Config(command aoe.ConfigCommand, text string) (aoe.Config, error) {
	if len(text) > aoe.MaxConfigString {
		return aoe.Config{}, fmt.Errorf("config string of %d bytes: want at most %d", len(text), aoe.MaxConfigString)
	}
	reply, err := x.control(aoe.CmdConfig, aoe.ConfigSize+len(text), func(frame []byte) {
		aoe.Config{Command: command, String: []byte(text)}.Put(frame)
	})
	c, ok := aoe.DecodeConfig(reply)
	if err == nil && (!ok || !c.Valid()) {
		err = &ReplyError{Fault: ShortReply, Got: len(reply), Want: aoe.ConfigSize + c.Length}
	}
	return c, err
}

// MaskEdit is one directive of a mask list edit.
type MaskEdit struct {
	Do  aoe.MaskDirective
	MAC aoe.MAC
}

// MaskError is a mask list edit that the export did not finish.
type MaskError struct {
	Code aoe.MaskError
	Done int // directives that took effect
}

func (e *MaskError) Error() string {
	why := map[aoe.MaskError]string{aoe.MaskUnspecified: "unspecified", aoe.MaskBadDirective: "bad directive",
		aoe.MaskFull: "list full"}[e.Code]
	return fmt.Sprintf("mask list edit stopped after %d directives: error %d (%s)", e.Done, e.Code, why)
}

// MaskList applies edits, or with none only reads, and returns the list.
func (x *Export) MaskList(edits ...MaskEdit) ([]aoe.MAC, error) {
	command := aoe.MaskRead
	if len(edits) > 0 {
		command = aoe.MaskEdit
	}
	if len(edits) > aoe.MaxListed {
		return nil, fmt.Errorf("%d mask list edits: want at most %d at a time", len(edits), aoe.MaxListed)
	}
	reply, err := x.control(aoe.CmdMaskList, aoe.MaskListSize+len(edits)*aoe.DirectiveSize, func(frame []byte) {
		aoe.MaskList{Command: command, Count: uint8(len(edits))}.Put(frame)
		for i, e := range edits {
			aoe.PutDirective(frame, i, e.Do, e.MAC)
		}
	})
	if err != nil {
		return nil, err
	}
	m, ok := aoe.DecodeMaskList(reply)
	switch {
	case ok && m.Error != 0:
		return nil, &MaskError{Code: m.Error, Done: int(m.Count)}
	case !ok || !m.Valid():
		return nil, &ReplyError{Fault: ShortReply, Got: len(reply), Want: aoe.MaskListSize + int(m.Count)*aoe.DirectiveSize}
	}
	list := make([]aoe.MAC, m.Count)
	for i := range list {
		_, list[i] = m.Directive(i)
	}
	return list, nil
}

// Reserve issues a reserve sub-command with addresses and returns the list that
// is in force after it. Setting no address releases the export.
func (x *Export) Reserve(command aoe.ReserveCommand, macs ...aoe.MAC) ([]aoe.MAC, error) {
	if len(macs) > aoe.MaxListed {
		return nil, fmt.Errorf("reservation for %d addresses: want at most %d", len(macs), aoe.MaxListed)
	}
	reply, err := x.control(aoe.CmdReserve, aoe.ReserveSize+len(macs)*len(aoe.MAC{}), func(frame []byte) {
		aoe.Reserve{Command: command, Count: uint8(len(macs))}.Put(frame)
		for i, mac := range macs {
			aoe.PutReserved(frame, i, mac)
		}
	})
	if err != nil {
		return nil, err
	}
	r, ok := aoe.DecodeReserve(reply)
	if !ok || !r.Valid() {
		return nil, &ReplyError{Fault: ShortReply, Got: len(reply), Want: aoe.ReserveSize + int(r.Count)*len(aoe.MAC{})}
	}
	list := make([]aoe.MAC, r.Count)
	for i := range list {
		list[i] = r.MAC(i)
	}
	return list, nil
}
