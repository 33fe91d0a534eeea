package nbd

import (
	"golang.org/x/sys/unix"

	"vbladefs/disk"
)

// outgoing is what is being sent: the headers and data of a batch of calls.
type outgoing struct {
	headers [batch * requestBytes]byte
	vectors [2 * batch]unix.Iovec
	message unix.Msghdr
	first   int        // vector that is not sent yet
	n       int        // vectors
	serial  uint64     // of the last call that was sent as a whole
	ends    [batch]int // of each call, in bytes
	calls   int
	told    int    // of them: sent as a whole
	sent    int    // bytes
	flat    []byte // for TLS
}

// push sends what is in out, and ends sending; or leaves it to sendStalled when the server does not take it at once.
func (c *conn) push() {
	if !c.plain || !c.pushSome() {
		c.stalled <- struct{}{} // there is room: one is sending at a time
	}
}

// pushSome is push as long as the socket takes something, and reports whether all is done.
func (c *conn) pushSome() (done bool) {
	o := &c.outgoing
	for {
		if o.first == o.n && !c.fill() {
			return true
		}
		n, errno := sendVectors(c.fd, &o.message, o.vectors[o.first:o.n])
		switch errno {
		case 0:
			o.advance(n)
			c.noteSent(n)
		case unix.EINTR:
		case unix.EAGAIN:
			return false
		default:
			c.breakUp() // what reads finds out, too
			c.stopSending()
			return true
		}
	}
}

// fill takes the next batch from out. If there is none, sending ends.
func (c *conn) fill() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := &c.outgoing
	o.first, o.n, o.calls, o.told, o.sent = 0, 0, 0, 0, 0
	if c.broken || c.out.length == 0 {
		c.sending = false
		c.still.Broadcast()
		return false
	}
	var header []byte // of neighbours without data
	end := 0
	for i := 0; i < batch && c.out.length > 0; i++ {
		k := c.out.pop()
		at := i * requestBytes
		k.putRequest(o.headers[at : at+requestBytes])
		if header == nil {
			header = o.headers[at:at]
		}
		header = header[:len(header)+requestBytes]
		end += requestBytes
		if k.op == disk.Write {
			end += len(k.data)
			o.add(header)
			o.add(k.data)
			header = nil
		}
		o.ends[i], o.serial, o.calls = end, k.serial, i+1
	}
	o.serial -= uint64(o.calls) // they are numbered one after the other
	if header != nil {
		o.add(header)
	}
	return true
}

func (o *outgoing) add(b []byte) {
	v := &o.vectors[o.n]
	v.Base = &b[0]
	v.SetLen(len(b))
	o.n++
}

// advance notes that n bytes were sent.
func (o *outgoing) advance(n int) {
	for ; o.first < o.n; o.first++ {
		v := &o.vectors[o.first]
		if uint64(n) < uint64(v.Len) {
			if n > 0 {
				v.Base = after(v.Base, n)
				v.SetLen(int(v.Len) - n)
			}
			return
		}
		n -= int(v.Len)
		v.Base = nil // lets go of the data
	}
}

// noteSent tells what reads that replies may come to the calls that n more bytes complete. Not only to all of a batch: a
// server may take no more of that until its replies are read.
func (c *conn) noteSent(n int) {
	o := &c.outgoing
	before := o.told
	for o.sent += n; o.told < o.calls && o.ends[o.told] <= o.sent; o.told++ {
		o.serial++
	}
	if o.told == before {
		return
	}
	c.sent.Store(o.serial)
	c.mu.Lock()
	c.still.Broadcast()
	c.mu.Unlock()
}

func (c *conn) stopSending() {
	c.mu.Lock()
	c.sending = false
	c.still.Broadcast()
	c.mu.Unlock()
}

// sendStalled sends what push could not, each time that it is told to.
func (c *conn) sendStalled() {
	some := func(uintptr) bool { return c.pushSome() }
	for range c.stalled {
		if c.plain {
			if c.raw.Write(some) != nil { // waits for room
				c.breakUp()
				c.stopSending()
			}
			continue
		}
		for c.fill() {
			if !c.sendFlat() {
				c.breakUp()
				c.stopSending()
				break
			}
		}
	}
}

// sendFlat sends a batch through TLS, which has use for one piece.
func (c *conn) sendFlat() bool {
	o := &c.outgoing
	o.flat = o.flat[:0]
	for i := range o.vectors[:o.n] {
		o.flat = append(o.flat, bytesOf(&o.vectors[i])...)
	}
	if _, err := c.net.Write(o.flat); err != nil {
		return false
	}
	o.advance(len(o.flat))
	c.noteSent(len(o.flat))
	return true
}
