package disk

import (
	"errors"
	"time"
)

// Op is what a request does to a store.
type Op uint8

const (
	// Read fills the request's data from the store.
	Read Op = iota
	// Write stores the request's data, as safe as the store's Policy says when it finishes.
	Write
	// WriteDurable stores the request's data durably, whatever the policy.
	WriteDurable
	// Flush makes every write that finished before it was submitted durable (fdatasync). Data and offset are unused. That it
	// succeeds says nothing of what an earlier request met: see Store.Losses.
	Flush
	// Discard gives a range up: its contents read as before or, on most stores, as zeros, and its blocks are given back.
	// It does nothing, with success, where the store has no such operation. Only with SubmitRange.
	Discard
	// WriteZeroes has a range read as zeros, as safe as the store's Policy says of a write. Only with SubmitRange.
	WriteZeroes
	// Punch is WriteZeroes that gives the range's blocks back where it can. Only with SubmitRange.
	Punch
)

var (
	// ErrShort means that the store ended inside the request: it was truncated, or its end is no whole sector.
	ErrShort = errors.New("backing store is shorter than the request")
	// ErrRange means that a write would begin before or end after the store's size; nothing was written.
	ErrRange = errors.New("request is out of the backing store's range")
	// ErrClosed means that the request was submitted to a closed queue.
	ErrClosed = errors.New("disk queue is closed")
)

// Queue carries the requests of one worker goroutine. Only that goroutine may call it, except for Wake.
//
// A regular file that another process truncates is asked for its length once in a turn, which Reap and Wait begin.
//
// A request's error is nil when the whole transfer took place, ErrShort, ErrRange, ErrClosed, or the kernel's
// syscall.Errno itself (EROFS: the store was opened read-only). After an error part of the data may have been
// transferred.
type Queue interface {
	// Try carries the request out at once if that needs no waiting for the device, and reports whether it did.
	// data is only used during the call. A request that is not done may be partly transferred; submit it.
	Try(s *Store, op Op, data []byte, offset int64) (done bool, err error)
	// Submit takes the request over until Reap returns its token; data must stay unchanged and reachable until then.
	Submit(s *Store, op Op, data []byte, offset int64, token uint64)
	// SubmitRange is Submit of Discard, WriteZeroes or Punch, for length bytes (of any number) from offset on.
	SubmitRange(s *Store, op Op, offset, length int64, token uint64)
	// Reap stores the tokens and results of finished requests, at most as many as the shorter slice holds, and
	// returns how many. It never blocks.
	Reap(tokens []uint64, errs []error) int
	// Wait sleeps until a finished request can be reaped, fd (if >= 0) is readable or in error, Wake was called since
	// the last Wait, or the timeout passed (< 0: no limit). It may return early. An fd that is not open gives EBADF.
	Wait(fd int, timeout time.Duration) error
	// Wake ends the present or the next Wait. Any goroutine may call it, at any time, also after Close.
	Wake()
	// Close waits for what was submitted, drops results that were not reaped, and releases the queue's resources.
	Close() error
}
