package nbd

import (
	"time"

	"golang.org/x/sys/unix"
)

// This file ends connections without a harm to a server that lives on, or that is ending. nbdkit up to 1.32 at least ends with
// a failed assertion when a client hangs up while replies to it are under way ("raw_send_socket: Assertion `sock >= 0'").

const (
	// farewellTime is how long Close waits for the replies that are under way.
	farewellTime = time.Second
	// retireTime is how long a connection that another takes the place of waits for them. What a living server that is slow has
	// got, and is not waited for, it may write after the repeat of it, and after what is newer. So it is as long as a silent
	// server has in any case, which is below Patience.
	retireTime = userTimeout
)

// leave notes that the server does no more, beginning with k (NBD_ESHUTDOWN). What it has not got is not sent any more, and k
// is for the next server.
func (c *conn) leave(k *call) {
	c.slots[k.cookie%depth].Store(nil)
	c.undone = append(c.undone, k)
	c.retire()
}

// retire has the connection end when what was sent is answered, or after retireTime. Any goroutine may call it.
func (c *conn) retire() {
	c.hush()
	if c.leaving.Swap(true) {
		return
	}
	if c.net != nil {
		_ = c.net.SetReadDeadline(time.Now().Add(retireTime))
	}
	if c.fd >= 0 && !c.busy() {
		c.breakUp() // else what reads sees it with the next reply
	}
}

// left reports whether the server is ending, and has replied to all that it got.
func (c *conn) left() bool {
	if !c.leaving.Load() {
		return false
	}
	last := c.last.Load()
	for i := range c.slots {
		if k := c.slots[i].Load(); k != nil && k.serial <= last {
			return false
		}
	}
	return true
}

// hush has nothing more be taken. What was to be sent stays in its slot.
func (c *conn) hush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hushed {
		return
	}
	c.hushed = true
	c.last.Store(c.serial)
	if c.out.length > 0 {
		c.last.Store(c.out.first.serial - 1)
	}
	c.out = list{}
}

// drop ends a connection that was not put into use.
func (c *conn) drop() {
	c.disconnect()
	_ = c.net.Close()
}

// disconnect tells the server that no more comes (NBD_CMD_DISC), once it has replied to what it got, and ends the connection.
func (c *conn) disconnect() {
	c.hush()
	for end := time.Now().Add(farewellTime); c.busy() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	var b [requestBytes]byte
	(&call{}).putRequest(b[:])
	b[7] = cmdDisconnect
	c.mu.Lock()
	idle := !c.sending && !c.broken
	c.sending = c.sending || idle
	c.mu.Unlock()
	if idle {
		_ = c.net.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		_, _ = c.net.Write(b[:])
		c.stopSending()
	}
	c.breakUp()
}

// busy reports whether something was sent and not answered, or is being sent.
func (c *conn) busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.broken && (c.sending || len(c.free) < depth)
}

// breakUp ends the connection: run returns soon.
func (c *conn) breakUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken {
		return
	}
	c.broken = true
	c.still.Broadcast()
	if c.fd >= 0 {
		_ = unix.Shutdown(c.fd, unix.SHUT_RDWR) // wakes whoever reads or writes; it is closed by run only
	}
}
