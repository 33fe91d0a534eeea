package disk

import (
	"testing"

	"golang.org/x/sys/unix"
)

// queueMaker makes a queue that the test closes.
type queueMaker func(t testing.TB) Queue

// queues are the kinds of queue that every test of Queue runs on. Older kernels are made by refusing what they have not.
var queues = []struct {
	name string
	make func() (Queue, error)
}{
	{"sync", func() (Queue, error) { return NewSync() }},
	{"uring", func() (Queue, error) { return NewUring() }},
	{"uring of Linux 5.19", func() (Queue, error) { return olderUring(setupSingleIssuer | setupDeferTaskrun) }},
	{"uring of Linux 5.10", func() (Queue, error) { return olderUring(setupSingleIssuer | setupDeferTaskrun | setupCoopTaskrun) }},
}

// olderUring is the queue on a kernel that does not know the given flags of io_uring_setup.
func olderUring(unknown uint32) (Queue, error) {
	return newUring(ringEntries, ringInFlight, func(entries uint32, p *ringParams) (int, unix.Errno) {
		if p.flags&unknown != 0 {
			return 0, unix.EINVAL
		}
		return ioUringSetup(entries, p)
	})
}

// onEachQueue runs a test on each kind of queue.
func onEachQueue(t *testing.T, test func(t *testing.T, newQueue queueMaker)) {
	t.Helper()
	for _, kind := range queues {
		t.Run(kind.name, func(t *testing.T) {
			test(t, func(t testing.TB) Queue { return made(t, kind.make) })
		})
	}
}

func made(t testing.TB, make func() (Queue, error)) Queue {
	t.Helper()
	q, err := make()
	need(t, err == nil, "this kind of queue, but "+text(err))
	t.Cleanup(func() {
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	})
	return q
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// threads is the part of a queue that works with goroutines.
func threads(q Queue) *SyncQueue {
	if ring, ok := q.(*UringQueue); ok {
		return ring.slow
	}
	return q.(*SyncQueue)
}
