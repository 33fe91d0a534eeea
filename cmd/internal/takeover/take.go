package takeover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/fusectl/dying"
	"vbladefs/netio"
)

// Taker is the new daemon's side. One goroutine uses it.
type Taker struct {
	Offer  Offer
	Lock   *os.File            // of the folder of the state
	Claims map[string]*os.File // by the keys of the stores; whoever takes them owns them
	// Addresses is the claims of addresses, if Offer.Addresses is not 0; the same.
	Addresses *os.File

	conn *Conn
}

// Ask asks the daemon that keeps its state in stateDir to hand over, and waits for its answer until ctx ends: that
// daemon may have another take-over to end first.
func Ask(ctx context.Context, stateDir string, hello Hello) (*Taker, error) {
	path := SocketPath(stateDir)
	c, err := Dial(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ECONNREFUSED) {
		return nil, fmt.Errorf("no daemon that keeps its state in %s can be taken over from: start without -takeover (%w)", stateDir, err)
	}
	if err != nil {
		return nil, fmt.Errorf("the running daemon: %w", err)
	}
	t := &Taker{conn: c}
	hello.Protocol, hello.Process = protocol, os.Getpid()
	c.Within(holdTime + openTime)
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	err = c.Send(hello)
	var files []*os.File
	if err == nil {
		files, err = c.Receive(&t.Offer)
	}
	switch {
	case ctx.Err() != nil:
		err = errStopping
	case err != nil:
		err = fmt.Errorf("the running daemon does not answer: %w", err)
	case t.Offer.Refused != "":
		err = fmt.Errorf("the running daemon refuses: %s", t.Offer.Refused)
	case len(files) != t.Offer.files():
		err = fmt.Errorf("the running daemon sent %d open files, want %d", len(files), t.Offer.files())
	}
	if err != nil {
		closeAll(files)
		_ = c.Close()
		return nil, err
	}
	t.Lock, t.Claims = files[0], map[string]*os.File{}
	for n, key := range t.Offer.Stores {
		t.Claims[key] = files[1+n]
	}
	if t.Offer.Addresses != 0 {
		t.Addresses = files[len(files)-1]
	}
	return t, nil
}

// files is how many come with o.
func (o *Offer) files() int {
	n := 1 + len(o.Stores)
	if o.Addresses != 0 {
		n++
	}
	return n
}

// Ready says that everything is open, and takes the rest.
func (t *Taker) Ready() (Handover, map[string][]netio.Inherited, error) {
	var h Handover
	t.conn.Within(openTime)
	if err := t.conn.Send(Ready{protocol}); err != nil {
		return h, nil, fmt.Errorf("the running daemon: %w", err)
	}
	files, err := t.conn.Receive(&h)
	switch {
	case err != nil:
		err = fmt.Errorf("the running daemon does not hand over: %w", err)
	case h.Refused != "":
		err = fmt.Errorf("the running daemon does not hand over, and goes on: %s", h.Refused)
	case len(files) != len(h.Links):
		err = fmt.Errorf("the running daemon sent %d links, want %d", len(files), len(h.Links))
	}
	if err != nil {
		closeAll(files)
		return h, nil, err
	}
	links := map[string][]netio.Inherited{}
	for n, l := range h.Links {
		fd, err := unix.FcntlInt(files[n].Fd(), unix.F_DUPFD_CLOEXEC, 0)
		if err == nil {
			_ = unix.SetNonblock(fd, true) // os.File has changed that
			links[l.Interface] = append(links[l.Interface], netio.Inherited{Shared: l.Shared, FD: fd})
		}
	}
	closeAll(files)
	return h, links, nil
}

// Served says that this daemon answers now, calls final when the other cannot go on
// any more, and waits until that has ended, though not for ever.
func (t *Taker) Served(final func()) error {
	t.conn.Within(closeTime)
	err := t.conn.Send(Served{protocol})
	final()
	if err != nil {
		return nil // it is gone already
	}
	return t.awaitEnd()
}

// awaitEnd waits for the end of the process that has handed over, unless that hangs.
func (t *Taker) awaitEnd() error {
	const look = 50 * time.Millisecond
	began := time.Now()
	alive := began // when it was last
	for {
		t.conn.Within(look)
		_, err := t.conn.socket.Read(make([]byte, 1))
		now := time.Now()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, unix.ECONNRESET):
			return nil
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		case !dying.Process(t.Offer.Process):
			alive = now
		case now.Sub(alive) > dyingTime: // what it had open is not closed yet, and of no use any more
			return fmt.Errorf("process %d has handed over, and stays until a disk that hangs answers it: leave it", t.Offer.Process)
		}
		if now.Sub(began) > closeTime {
			return fmt.Errorf("process %d has handed over, and does not end after %v: end it", t.Offer.Process, closeTime)
		}
	}
}

// Close ends the conversation; before Served the running daemon goes on.
func (t *Taker) Close() {
	_ = t.conn.Close()
	_ = t.Lock.Close()
}
