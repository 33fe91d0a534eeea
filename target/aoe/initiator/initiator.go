// Package initiator is a userspace AoE initiator for discover, tests, the demo and the
// benchmark: the client side of everything that target serves.
//
//	Initiator ── Discover, Exchange ──────────────────────────┐
//	    └ Open ─▶ Export ── ReadAt, WriteAt, Config, … ─▶ Engine ─▶ Link
//
// An Initiator is a link with an address of its own. Discover asks who is
// there; Exchange sends any bytes and collects what comes back, for tests that
// break rules; Open finds one export, identifies it and makes an Export of it.
//
// An Export has convenient synchronous calls. Below it is its Engine, which is
// what a load generator drives: the caller submits IO values that it owns, Push
// cuts them into frames within the window and sends them with one call, Poll
// takes one batch of replies, checks each of them against its request and
// returns the IOs that are done. In the steady state nothing allocates, and the
// clock is read once per call.
//
// It is not a disk for applications: there is no multipath (a host that takes an export over
// is followed if Options say so), no cache, no
// recovery beyond retransmission, and no type here may be used by two
// goroutines at once. Exports opened on one Initiator share its link, so one of
// them must be idle while another is used; those of one OpenAll share an Engine
// too, which loads them together.
//
// Facts are cited by section: "PROTOCOL §3" is the AoEr11 description that the
// project works from, "INITIATORS §2.5" its companion on how real clients
// behave.
package initiator

import (
	"errors"
	"fmt"
	"time"

	"vbladefs/target/aoe"
)

// Local is what an Initiator must know of its own interface.
type Local struct {
	MAC aoe.MAC // source of every frame; replies to any other address are ignored
	MTU int     // bytes, without the Ethernet header
}

// Initiator talks AoE over one link.
type Initiator struct {
	link  Link
	local Local
	tag   uint32 // of the last query sent outside an Engine
	batch [][]byte
}

// New makes an initiator of a link. The link stays the caller's to close, after
// the Initiator and its Exports are no longer used.
func New(link Link, local Local) (*Initiator, error) {
	if local.MAC.Group() || local.MAC == (aoe.MAC{}) {
		return nil, fmt.Errorf("initiator address %v is not a station's address", local.MAC)
	}
	if aoe.Sectors(local.MTU) == 0 {
		return nil, fmt.Errorf("MTU %d is too small for AoE: want at least %d", local.MTU, aoe.ATASize+aoe.SectorSize)
	}
	return &Initiator{link: link, local: local, tag: newTag(), batch: make([][]byte, receiveBatch)}, nil
}

// Exchange sends one frame as it stands, then collects copies of the frames
// that arrive, whatever they are, until it has most of them or wait has passed.
// With most 0 it collects until wait has passed. A nil frame sends nothing.
func (i *Initiator) Exchange(frame []byte, most int, wait time.Duration) ([][]byte, error) {
	if frame != nil {
		if err := sendOne(i.link, frame); err != nil {
			return nil, err
		}
	}
	var got [][]byte
	err := i.collect(wait, func(reply []byte) bool {
		got = append(got, append([]byte(nil), reply...))
		return most > 0 && len(got) >= most
	})
	return got, err
}

// collect calls each for every frame that arrives within wait, until each
// returns true. The frame is valid during the call only.
func (i *Initiator) collect(wait time.Duration, each func(frame []byte) bool) error {
	for deadline := time.Now().Add(wait); ; {
		n, err := i.link.Receive(i.batch)
		if err != nil {
			return fmt.Errorf("receiving: %w", err)
		}
		done := false
		for _, frame := range i.batch[:n] {
			if done = each(frame); done {
				break
			}
		}
		i.link.Release()
		left := time.Until(deadline)
		if done || left <= 0 {
			return nil
		}
		if n == 0 {
			waitReadable(i.link.FD(), left)
		}
	}
}

// Found is an export that answered a query.
type Found struct {
	Addr     aoe.Addr
	MAC      aoe.MAC
	Buffers  int // requests that it takes at a time, as advertised
	Sectors  int // most sectors of one request, as advertised; 0 means 2
	Firmware uint16
	Config   string // its config string: opaque bytes
}

// Discover broadcasts a config query and returns every answer that arrives
// within wait, each address and MAC once, in order of arrival.
func (i *Initiator) Discover(wait time.Duration) ([]Found, error) {
	return i.query(aoe.Addr{Shelf: aoe.AnyShelf, Slot: aoe.AnySlot}, wait, false)
}

// query broadcasts one config query to addr and collects its answers.
func (i *Initiator) query(addr aoe.Addr, wait time.Duration, first bool) ([]Found, error) {
	var found []Found
	err := i.Ask(addr, wait, func(f Found, _ time.Duration) bool {
		if seen(found, f) {
			return false
		}
		found = append(found, f)
		return first
	})
	return found, err
}

// Ask broadcasts one config query to addr and calls each for every answer that
// arrives within wait, with the time since the query, until each returns true.
func (i *Initiator) Ask(addr aoe.Addr, wait time.Duration, each func(Found, time.Duration) bool) error {
	i.tag = ownTag | (i.tag + 1)
	asked := time.Now()
	if err := sendOne(i.link, i.queryFrame(addr)); err != nil {
		return err
	}
	return i.collect(wait, func(reply []byte) bool {
		f, ok := i.answer(reply, addr)
		return ok && each(f, time.Since(asked))
	})
}

// queryFrame asks addr who it is, under the tag of the last query.
func (i *Initiator) queryFrame(addr aoe.Addr) []byte {
	frame := make([]byte, aoe.MinFrame)
	aoe.Header{Dst: aoe.Broadcast, Src: i.local.MAC, Version: aoe.Version, Addr: addr, Command: aoe.CmdConfig, Tag: i.tag}.Put(frame)
	aoe.Config{Command: aoe.ConfigRead}.Put(frame)
	return frame
}

// answer reads the reply to the last query, if frame is one.
func (i *Initiator) answer(frame []byte, addr aoe.Addr) (Found, bool) {
	h, ok := aoe.DecodeHeader(frame)
	if !ok || !h.Response || h.Failed || h.Version != aoe.Version || h.Command != aoe.CmdConfig || h.Tag != i.tag {
		return Found{}, false
	}
	if h.Dst != i.local.MAC || h.Src.Group() || h.Addr.Wildcard() || !addr.Matches(h.Addr) {
		return Found{}, false
	}
	c, ok := aoe.DecodeConfig(frame)
	if !ok || !c.Valid() {
		return Found{}, false
	}
	return Found{Addr: h.Addr, MAC: h.Src, Buffers: int(c.Buffers), Sectors: int(c.Sectors), Firmware: c.Firmware,
		Config: string(c.String)}, true
}

func seen(found []Found, f Found) bool {
	for _, old := range found {
		if old.Addr == f.Addr && old.MAC == f.MAC {
			return true
		}
	}
	return false
}

// find asks for addr until something answers or wait has passed, first every
// 250 ms and then half as often each time, as iPXE does (INITIATORS §4).
func (i *Initiator) find(addr aoe.Addr, wait time.Duration) (Found, error) {
	deadline := time.Now().Add(wait)
	for pause := 250 * time.Millisecond; ; pause *= 2 {
		found, err := i.query(addr, min(pause, time.Until(deadline)), true)
		if errors.Is(err, ErrNotSent) {
			time.Sleep(min(pause, time.Until(deadline))) // the interface may come up
		} else if err != nil {
			return Found{}, err
		}
		if len(found) > 0 {
			return found[0], nil
		}
		if time.Until(deadline) <= 0 {
			return Found{}, fmt.Errorf("export %v: %w within %v: is it served on this segment, and is this address allowed?",
				addr, ErrNoAnswer, wait)
		}
	}
}

// sendOne sends one frame.
func sendOne(link Link, frame []byte) error {
	n, err := link.Send([][]byte{frame}, [][]byte{nil})
	if err == nil && n == 0 {
		err = ErrNotSent
	}
	if err != nil {
		return fmt.Errorf("sending: %w", err)
	}
	return nil
}
