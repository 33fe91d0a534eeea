package disk

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// The kernel tells of what it could not write back from its page cache once for each open file, to the fsync(2) or RWF_DSYNC
// that comes first (errseq_t, in its lib/errseq.c), and takes the pages for written. All queues of a store share an open
// file, so of two that ask side by side, or one after the other, the second would be told that all is well. Therefore they ask
// one after the other, and every failure is counted (Losses): whoever has had something at stake since the count was lower has
// failed, too. Those that come while one asks are answered by the next together, as the commits of a journal are.

// syncs makes what a store has in the kernel durable. Open sets turn.L.
type syncs struct {
	failed atomic.Uint64 // how many failed

	mu    sync.Mutex
	turn  sync.Cond // busy has ended
	busy  bool      // somebody asks the kernel
	begun uint64    // syncs; a single write that is made durable is none
	ended uint64
	err   error // of the last failure
}

// Losses is how many times writes that had finished were lost, or may have been. Any request can meet that, as the kernel tells
// it once: so whoever's flush succeeds asks whether there was one since its last.
func (s *Store) Losses() uint64 { return s.syncs.failed.Load() }

// sync is fdatasync(2) of all that was written before. It fails also if another has since there were seen losses.
func (s *Store) sync(seen uint64) error {
	y := &s.syncs
	y.mu.Lock()
	defer y.mu.Unlock()
	mine := y.begun + 1 // the first that begins from now on
	for y.ended < mine {
		if y.busy {
			y.turn.Wait()
			continue
		}
		y.begun++
		y.beginLocked()
		err := flush(s.fd)
		y.endLocked(err)
		y.ended++
	}
	return y.sinceLocked(seen)
}

// writeSync is pwritev2(2) with RWF_DSYNC through the page cache, while nobody syncs.
func (s *Store) writeSync(data []byte, offset int64) (int, error) {
	y := &s.syncs
	y.mu.Lock()
	defer y.mu.Unlock()
	seen := s.Losses()
	for y.busy {
		y.turn.Wait()
	}
	y.beginLocked()
	n, err := pwriteDsync(s.fd, data, offset)
	failure := err
	if err == unix.EINTR || err == unix.EOPNOTSUPP || err == unix.ENOSYS { // it has not begun
		failure = nil
	}
	y.endLocked(failure)
	if err == nil {
		err = y.sinceLocked(seen)
	}
	return n, err
}

// beginLocked lets go of mu until endLocked.
func (y *syncs) beginLocked() {
	y.busy = true
	y.mu.Unlock()
}

func (y *syncs) endLocked(err error) {
	y.mu.Lock()
	y.busy = false
	if err != nil {
		y.err = final(err)
		y.failed.Add(1)
	}
	y.turn.Broadcast()
}

// sinceLocked is the last failure, if there was one since there were so many.
func (y *syncs) sinceLocked(seen uint64) error {
	if y.failed.Load() > seen {
		return y.err
	}
	return nil
}

// final is err as nobody takes it for one that a repetition mends: what the kernel had no memory for is lost as any other.
func final(err error) error {
	switch err {
	case unix.ENOMEM, unix.EAGAIN, unix.ENOBUFS, unix.EINTR:
		return unix.EIO
	}
	return err
}
