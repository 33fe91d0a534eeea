package nbd

import (
	"encoding/binary"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"vbladefs/disk"
)

// receive reads replies until one cannot be read, and returns why. Those that came together are handed back together.
func (c *conn) receive() error {
	for {
		if c.r.Buffered() < simpleBytes || len(c.ended) == cap(c.ended) {
			c.deliver()
		}
		b, err := c.r.Peek(4)
		if err != nil && c.leaving.Load() {
			return errShutdown
		}
		if err != nil {
			return err
		}
		switch magic := binary.BigEndian.Uint32(b); magic {
		case magicSimple:
			err = c.simple()
		case magicStructured:
			err = c.structured()
		default:
			err = violation("a reply begins with %#x", magic)
		}
		if err == nil && c.left() {
			err = errShutdown
		}
		if err != nil {
			return err
		}
	}
}

// find is the call that a reply is for.
func (c *conn) find(cookie uint64) (*call, error) {
	k := c.slots[cookie%depth].Load()
	if k == nil || k.cookie != cookie {
		return nil, violation("a reply to request %#x, which is not in flight", cookie)
	}
	if k.serial > c.sent.Load() && !c.awaitSent(k.serial) {
		return nil, violation("a reply to request %#x, which is not sent", cookie)
	}
	return k, nil
}

// awaitSent waits until a call is sent as a whole: a reply may overtake the news of that, and a server must not have its data
// replaced while that is sent.
func (c *conn) awaitSent(serial uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.sending && !c.broken && c.sent.Load() < serial {
		c.still.Wait()
	}
	return c.sent.Load() >= serial
}

// simple reads a simple reply ("Simple reply message").
func (c *conn) simple() error {
	b, err := c.r.Peek(simpleBytes)
	if err != nil {
		return err
	}
	value, cookie := binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint64(b[8:])
	_, _ = c.r.Discard(simpleBytes)
	k, err := c.find(cookie)
	if err != nil {
		return err
	}
	errno := errnoOf(value)
	switch {
	case k.op == disk.Read && c.export.structured:
		return violation("a simple reply to a read, although structured ones were agreed on")
	case errno == errShutdown:
		c.leave(k) // unanswered: the next server does it
		return nil
	case errno == nil && k.op == disk.Read:
		if err := c.read(k.data); err != nil {
			return err
		}
	}
	c.end(k, errno)
	return nil
}

// structured reads one chunk of a structured reply ("Structured reply chunk message").
func (c *conn) structured() error {
	b, err := c.r.Peek(structuredBytes)
	if err != nil {
		return err
	}
	flags, kind := binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:])
	cookie, length := binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint32(b[16:])
	_, _ = c.r.Discard(structuredBytes)
	k, err := c.find(cookie)
	if err != nil {
		return err
	}
	last := flags&replyFlagDone != 0
	switch {
	case !c.export.structured:
		err = violation("a structured reply, which was not agreed on")
	case kind == chunkNone && length == 0 && last:
	case kind == chunkOffsetData && k.op == disk.Read && length > 8:
		err = c.chunkData(k, int64(length)-8)
	case kind == chunkOffsetHole && k.op == disk.Read && length == 12:
		err = c.chunkHole(k)
	case kind&chunkErrorBit != 0 && length >= 6 && length <= maxErrorChunk:
		err = c.chunkError(k, int(length))
	default:
		err = violation("a chunk of type %d and %d bytes", kind, length)
	}
	if err != nil || !last {
		return err
	}
	if k.failed == nil && k.op == disk.Read && k.got != len(k.data) {
		k.failed = unix.EIO
	}
	if k.failed == errShutdown {
		c.leave(k)
		return nil
	}
	c.end(k, k.failed)
	return nil
}

// place is the part of a read's data that a chunk is for. What no chunk brings is zero, and nothing that was in the memory
// before.
func (k *call) place(offset uint64, length int64) ([]byte, error) {
	if k.got == 0 && length < int64(len(k.data)) {
		clear(k.data)
	}
	at := int64(offset) - k.offset
	if int64(offset) < 0 || length <= 0 || at < 0 || at > int64(len(k.data)) || length > int64(len(k.data)-k.got) || length > int64(len(k.data))-at {
		return nil, violation("%d bytes from byte %d on, in reply to a read of %d from byte %d", length, offset, len(k.data), k.offset)
	}
	k.got += int(length)
	return k.data[at : at+length], nil
}

func (c *conn) chunkData(k *call, length int64) error {
	b, err := c.r.Peek(8)
	if err != nil {
		return err
	}
	to, err := k.place(binary.BigEndian.Uint64(b), length)
	if err != nil {
		return err
	}
	_, _ = c.r.Discard(8)
	return c.read(to)
}

func (c *conn) chunkHole(k *call) error {
	b, err := c.r.Peek(12)
	if err != nil {
		return err
	}
	hole, err := k.place(binary.BigEndian.Uint64(b), int64(binary.BigEndian.Uint32(b[8:])))
	if err != nil {
		return err
	}
	clear(hole)
	_, _ = c.r.Discard(12)
	return nil
}

// chunkError notes the error of a chunk; the text that comes with it is for nobody here.
func (c *conn) chunkError(k *call, length int) error {
	b, err := c.r.Peek(6)
	if err != nil {
		return err
	}
	errno := errnoOf(binary.BigEndian.Uint32(b))
	switch {
	case errno == nil:
		return violation("an error chunk without an error")
	case int(binary.BigEndian.Uint16(b[4:])) > length-6:
		return violation("an error chunk that is shorter than its text")
	}
	if k.failed == nil {
		k.failed = errno
	}
	_, err = c.r.Discard(length)
	return err
}

// read fills b. Before it has to wait, it hands back what is answered.
func (c *conn) read(b []byte) error {
	if c.r.Buffered() < len(b) {
		c.deliver()
	}
	_, err := io.ReadFull(c.r, b)
	return err
}

// end notes that a call is answered.
func (c *conn) end(k *call, err error) {
	switch {
	case err != nil && k.own:
		c.store.log.lose(fmt.Sprintf("its server cannot flush: %v; changes that it had acknowledged may be lost", err))
	case err != nil && k.op == disk.Flush:
		c.store.log.losses.Add(1)
		if err == unix.ENOMEM { // nobody is to take it for one that a repetition mends
			err = unix.EIO
		}
	case err == nil && k.op != disk.Read && c.export.has(flagFlush): // reads take no lock of the store
		err = c.store.log.ended(k)
	}
	k.err = err
	c.slots[k.cookie%depth].Store(nil)
	c.ended = append(c.ended, k)
}

// deliver hands back what is answered, and lets in what waits for room.
func (c *conn) deliver() {
	if len(c.ended) == 0 {
		return
	}
	c.mu.Lock()
	for _, k := range c.ended {
		c.free = append(c.free, uint16(k.cookie%depth))
	}
	c.mu.Unlock()
	finish(c.ended)
	clear(c.ended)
	c.ended = c.ended[:0]
	c.store.dispatch()
}
