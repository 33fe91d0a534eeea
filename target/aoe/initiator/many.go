package initiator

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"vbladefs/target/aoe"
)

// OpenAll finds and identifies the exports at addrs, many at a time, and makes
// one Engine for all of them: IO.Peer is the place in addrs, and the smallest
// buffer count is the window of all together. It gives up when no further export
// answers within opt.FindTimeout.
func (i *Initiator) OpenAll(addrs []aoe.Addr, opt Options) ([]*Export, error) {
	if len(addrs) == 0 {
		return nil, errors.New("no exports to open: name at least one")
	}
	found, err := i.findAll(addrs, opt.findTimeout())
	if err != nil {
		return nil, err
	}
	exports, err := i.join(found, opt)
	if err != nil {
		return nil, err
	}
	return exports, identifyAll(exports)
}

// join makes exports with one engine of what was found.
func (i *Initiator) join(found []Found, opt Options) ([]*Export, error) {
	if opt.Window <= 0 {
		fewest := slices.MinFunc(found, func(a, b Found) int { return a.Buffers - b.Buffers })
		opt.Window = max(fewest.Buffers, 1)
	}
	if opt.Window > maxWindow {
		return nil, fmt.Errorf("window of %d frames: want at most %d", opt.Window, maxWindow)
	}
	peers, exports := make([]peer, len(found)), make([]*Export, len(found))
	engine := newEngine(i.link, i.local.MAC, peers, opt)
	for n, f := range found {
		sectors := i.sectors(f, opt)
		peers[n] = peer{addr: f.Addr, mac: f.MAC, sectors: sectors, lba28: opt.LBA28}
		exports[n] = &Export{Found: f, SectorsPerFrame: sectors, Peer: n, local: i.local, engine: engine, edge: make([]byte, aoe.SectorSize)}
	}
	return exports, nil
}

// maxWindow leaves 2^19 generations to each slot.
const maxWindow = 4096

// sectors is the most that one frame to f may carry.
func (i *Initiator) sectors(f Found, opt Options) int {
	sectors := f.Sectors
	if sectors == 0 {
		sectors = 2 // PROTOCOL §1.2
	}
	sectors = min(sectors, aoe.Sectors(i.local.MTU))
	if opt.MaxSectors > 0 {
		sectors = min(sectors, opt.MaxSectors)
	}
	return sectors
}

// queryBatch is how many addresses are asked for at once: the answers fit into
// any receive ring. queryPause is how long they may take, as iPXE's first timeout
// (INITIATORS §4). Ours.
const (
	queryBatch = 64
	queryPause = 250 * time.Millisecond
)

// findAll asks for the addresses, a batch at a time, and again for those that
// did not answer, until all have or none has for wait. Its result is in the
// order of addrs.
func (i *Initiator) findAll(addrs []aoe.Addr, wait time.Duration) ([]Found, error) {
	found, place := make([]Found, len(addrs)), make(map[aoe.Addr]int, len(addrs))
	for n, a := range addrs {
		if _, twice := place[a]; twice {
			return nil, fmt.Errorf("export %v is named twice", a)
		}
		place[a] = n
	}
	missing, last := slices.Clone(addrs), time.Now()
	for first := 0; len(missing) > 0; {
		if first >= len(missing) {
			first = 0
		}
		batch := missing[first:min(first+queryBatch, len(missing))]
		answered, err := i.queryAll(batch, min(queryPause, wait), place, found)
		if err != nil && !errors.Is(err, ErrNotSent) {
			return nil, err
		}
		if answered > 0 {
			last = time.Now()
		} else if time.Since(last) >= wait {
			return nil, fmt.Errorf("%s: %w within %v: served on this segment, and is this address allowed?",
				names(missing), ErrNoAnswer, wait)
		}
		kept := slices.DeleteFunc(batch, func(a aoe.Addr) bool { _, open := place[a]; return !open })
		missing = slices.Delete(missing, first+len(kept), first+len(batch))
		first += len(kept)
	}
	return found, nil
}

// queryAll asks for each address of a batch and puts the answers in their
// places, which it then forgets.
func (i *Initiator) queryAll(batch []aoe.Addr, wait time.Duration, place map[aoe.Addr]int, found []Found) (int, error) {
	i.tag = ownTag | (i.tag + 1)
	frames := make([][]byte, len(batch))
	for n, a := range batch {
		frames[n] = i.queryFrame(a)
	}
	sent, err := i.link.Send(frames, make([][]byte, len(frames)))
	if err == nil && sent == 0 {
		time.Sleep(wait) // the interface may come up
		err = ErrNotSent
	}
	if err != nil {
		return 0, fmt.Errorf("sending: %w", err)
	}
	answered := 0
	err = i.collect(wait, func(reply []byte) bool {
		f, ok := i.answer(reply, aoe.Addr{Shelf: aoe.AnyShelf, Slot: aoe.AnySlot})
		if n, asked := place[f.Addr]; ok && asked {
			found[n] = f
			delete(place, f.Addr)
			answered++
		}
		return answered == len(batch)
	})
	return answered, err
}

// names is a list of addresses for an error.
func names(list []aoe.Addr) string {
	if len(list) == 1 {
		return fmt.Sprintf("export %v", list[0])
	}
	return fmt.Sprintf("export %v and %d others", list[0], len(list)-1)
}

// identifyAll identifies exports of one engine, a window at a time.
func identifyAll(exports []*Export) error {
	e := exports[0].engine
	ios, data := make([]IO, len(exports)), make([]byte, len(exports)*aoe.SectorSize)
	for n := range exports {
		ios[n] = IO{Op: ATA, Peer: n, Regs: identifyRegs, Data: data[n*aoe.SectorSize:][:aoe.SectorSize:aoe.SectorSize]}
		if err := e.Submit(&ios[n]); err != nil {
			return err
		}
	}
	for !e.Idle() {
		if err := e.Push(); err != nil {
			return err
		}
		done, err := e.Poll()
		if err != nil {
			return err
		}
		if len(done) == 0 {
			e.Wait(time.Second)
		}
	}
	for n, x := range exports {
		if err := x.identified(ios[n].Data, ios[n].Err); err != nil {
			return err
		}
	}
	return nil
}
