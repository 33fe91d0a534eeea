package nbd

import (
	"sync"

	"golang.org/x/sys/unix"

	"vbladefs/disk"
)

// This file carries out requests that take more than one command: those that cover blocks of the server in part, that are
// larger than it takes, durable writes to one that has no FUA, and zeros for one that does not know of ranges.

const (
	// compoundDepth is how many such requests of a store are carried out at a time.
	compoundDepth = 16
	blockStripes  = 64
)

// compound is such requests of one store.
type compound struct {
	store  *Store
	blocks [blockStripes]sync.Mutex // of those that are changed in part, by number; see disk/blocks.go

	mu      sync.Mutex
	more    sync.Cond
	waiting list
	idle    int
	alive   int
	closed  bool
	ended   sync.WaitGroup
}

// start takes a call over. It does not block.
func (c *compound) start(k *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting.push(k)
	switch {
	case c.waiting.length <= c.idle:
		c.more.Signal()
	case c.alive < compoundDepth:
		c.alive++
		c.idle++
		c.ended.Go(c.serve)
	}
}

// close ends the goroutines; nothing is in flight any more.
func (c *compound) close() {
	c.mu.Lock()
	c.closed = true
	c.more.Broadcast()
	c.mu.Unlock()
	c.ended.Wait()
}

func (c *compound) serve() {
	w := worker{c: c, s: c.store}
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for c.waiting.length == 0 {
			if c.closed {
				return
			}
			c.more.Wait()
		}
		k := c.waiting.pop()
		c.idle--
		c.mu.Unlock()
		k.err = w.carry(k)
		finish([]*call{k})
		c.mu.Lock()
		c.idle++
	}
}

// worker is one goroutine, with its memory.
type worker struct {
	c   *compound
	s   *Store
	e   *export
	buf []byte
}

// carry does a request, command by command.
func (w *worker) carry(k *call) error {
	w.e = w.s.export.Load()
	switch k.op {
	case disk.Read:
		return w.read(k.data, k.offset)
	case disk.Write:
		return w.durably(k.durable, func(fua bool) error { return w.write(k.data, k.offset, fua) })
	case disk.WriteZeroes:
		return w.durably(k.durable, func(fua bool) error { return w.zero(k.offset, k.offset+k.length, fua) })
	case disk.Discard:
		if !w.e.has(flagTrim) {
			return nil
		}
		return w.durably(k.durable, func(fua bool) error {
			start, end := w.within(k.offset, k.offset+k.length)
			return w.ranges(disk.Discard, start, end, fua)
		})
	}
	return unix.EINVAL
}

// durably does what it is given with FUA where the server has it, else with a flush after it.
func (w *worker) durably(durable bool, do func(fua bool) error) error {
	losses := w.s.Losses()
	err := do(durable && w.e.has(flagFUA))
	if err == nil && durable && !w.e.has(flagFUA) {
		err = w.s.roundTrip(&call{op: disk.Flush})
		if err == nil && w.s.Losses() != losses { // another was told
			err = unix.EIO
		}
	}
	return err
}

// within is the whole blocks in a range; empty if start is not below end.
func (w *worker) within(start, end int64) (int64, int64) {
	return (start + w.e.minBlock - 1) &^ (w.e.minBlock - 1), end &^ (w.e.minBlock - 1)
}

// around is the whole blocks around a range.
func (w *worker) around(start, end int64) (int64, int64) {
	return start &^ (w.e.minBlock - 1), (end + w.e.minBlock - 1) &^ (w.e.minBlock - 1)
}

// memory returns n bytes, which stay until the next call.
func (w *worker) memory(n int64) []byte {
	if int64(len(w.buf)) < n {
		w.buf = make([]byte, n)
	}
	return w.buf[:n]
}

func (w *worker) read(data []byte, offset int64) error {
	for len(data) > 0 {
		start, end := w.around(offset, offset+int64(len(data)))
		end = min(end, start+w.e.maxBlock)
		into := data
		if start != offset || end-start > int64(len(data)) {
			into = w.memory(end - start)
		}
		into = into[:end-start]
		if err := w.s.roundTrip(&call{op: disk.Read, data: into, offset: start, length: end - start}); err != nil {
			return err
		}
		n := min(int(end-offset), len(data))
		if &into[0] != &data[0] {
			copy(data[:n], into[offset-start:])
		}
		data, offset = data[n:], offset+int64(n)
	}
	return nil
}

// write writes data piece by piece, none of them across blocks that are covered in part.
func (w *worker) write(data []byte, offset int64, fua bool) error {
	for len(data) > 0 {
		start, end := w.around(offset, offset+int64(len(data)))
		wholeStart, wholeEnd := w.within(offset, offset+int64(len(data)))
		n := 0
		var err error
		if start == offset && wholeStart < wholeEnd {
			n = int(min(wholeEnd-offset, w.e.maxBlock))
			err = w.s.roundTrip(&call{op: disk.Write, data: data[:n], offset: offset, length: int64(n), durable: fua})
		} else {
			n = int(min(start+w.e.minBlock-offset, end-offset, int64(len(data))))
			err = w.writePart(data[:n], offset, start, fua)
		}
		if err != nil {
			return err
		}
		data, offset = data[n:], offset+int64(n)
	}
	return nil
}

// writePart changes a part of the block at start while nobody else does so.
func (w *worker) writePart(data []byte, offset, start int64, fua bool) error {
	lock := &w.c.blocks[start/w.e.minBlock%blockStripes]
	lock.Lock()
	defer lock.Unlock()
	block := w.memory(w.e.minBlock)
	err := w.s.roundTrip(&call{op: disk.Read, data: block, offset: start, length: w.e.minBlock})
	if err != nil {
		return err
	}
	copy(block[offset-start:], data)
	return w.s.roundTrip(&call{op: disk.Write, data: block, offset: start, length: w.e.minBlock, durable: fua})
}

// zero has whole blocks zeroed by the server, if it can do that, and writes the rest.
func (w *worker) zero(offset, end int64, fua bool) error {
	start, stop := w.within(offset, end)
	if start >= stop || !w.e.has(flagWriteZeroes) {
		return w.writeZeros(offset, end, fua)
	}
	err := w.writeZeros(offset, start, fua)
	if err == nil {
		err = w.ranges(disk.WriteZeroes, start, stop, fua)
	}
	if err == unix.EOPNOTSUPP {
		err = w.writeZeros(start, stop, fua)
	}
	if err == nil {
		err = w.writeZeros(stop, end, fua)
	}
	return err
}

// ranges does an operation without data on whole blocks.
func (w *worker) ranges(op disk.Op, start, end int64, fua bool) error {
	for start < end {
		n := min(end-start, w.e.maxBlock)
		if err := w.s.roundTrip(&call{op: op, offset: start, length: n, durable: fua}); err != nil {
			return err
		}
		start += n
	}
	return nil
}

// zeros is what is written where no range can be zeroed.
var zeros [64 << 10]byte

func (w *worker) writeZeros(offset, end int64, fua bool) error {
	for offset < end {
		n := min(end-offset, int64(len(zeros)))
		if err := w.write(zeros[:n], offset, fua); err != nil {
			return err
		}
		offset += n
	}
	return nil
}
