package targettest

import (
	"slices"
	"syscall"
	"time"

	"vbladefs/target"
)

// queue is the I/O queue of one worker; its Machine guards it.
type queue struct {
	m         *Machine
	submitted int // transfers that have not finished
	done      []result
	asleep    bool
	fd        int // that Wait watches
	woken     bool
}

type result struct {
	token uint64
	err   error
}

// Transfer is one that is held back.
type Transfer struct {
	Op     target.Op
	Medium *Medium
	LBA    int64
	data   []byte
	offset int64
	token  uint64
	queue  *queue
}

// String is the transfer as in Medium.Log.
func (x *Transfer) String() string { return describeTransfer(x.Op, x.data, x.offset) }

func (m *Machine) openQueue() (target.Queue, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.allowLocked("OpenQueue"); err != nil {
		return nil, err
	}
	q := &queue{m: m}
	m.queues[q] = true
	return q, nil
}

func (q *queue) Try(s target.Store, op target.Op, data []byte, offset int64) (bool, error) {
	q.m.mu.Lock()
	defer q.m.mu.Unlock()
	if q.m.mode != Inline {
		return false, nil
	}
	return true, s.(*store).transferLocked(op, data, offset)
}

func (q *queue) Submit(s target.Store, op target.Op, data []byte, offset int64, token uint64) {
	q.m.mu.Lock()
	defer q.m.mu.Unlock()
	q.submitted++
	x := &Transfer{Op: op, Medium: s.(*store).Medium, LBA: offset / 512, data: data, offset: offset, token: token, queue: q}
	if q.m.mode == Held {
		q.m.pending = append(q.m.pending, x)
		q.m.changed.Broadcast()
		return
	}
	x.finishLocked(nil)
}

func (q *queue) SubmitRange(s target.Store, op target.Op, offset, length int64, token uint64) {
	q.Submit(s, op, make([]byte, length), offset, token)
}

// finishLocked carries x out, or fails it with err.
func (x *Transfer) finishLocked(err error) {
	if err == nil {
		err = x.Medium.transferLocked(x.Op, x.data, x.offset)
	}
	x.queue.done = append(x.queue.done, result{x.token, err})
	x.queue.submitted--
	x.queue.m.changed.Broadcast()
}

// Pending returns the transfers that are held back, oldest first.
func (m *Machine) Pending() []*Transfer {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.pending)
}

// Finish carries out a transfer that is held back, or fails it with err.
func (x *Transfer) Finish(err error) {
	m := x.queue.m
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.Index(m.pending, x)
	if i < 0 {
		m.t.Errorf("transfer finished twice")
		return
	}
	m.pending = slices.Delete(m.pending, i, i+1)
	x.finishLocked(err)
}

// FinishAll finishes what is held back, and what that lets through, until
// nothing is.
func (m *Machine) FinishAll() {
	for {
		m.Quiesce()
		pending := m.Pending()
		if len(pending) == 0 {
			return
		}
		for _, x := range pending {
			x.Finish(nil)
		}
	}
}

func (q *queue) Reap(tokens []uint64, errs []error) int {
	q.m.mu.Lock()
	defer q.m.mu.Unlock()
	n := min(len(q.done), len(tokens), len(errs))
	for i, r := range q.done[:n] {
		tokens[i], errs[i] = r.token, r.err
	}
	q.done = q.done[:copy(q.done, q.done[n:])]
	return n
}

// readyLocked reports whether Wait has reason to return.
func (q *queue) readyLocked() bool {
	l := q.m.links[q.fd]
	return q.woken || len(q.done) > 0 || l != nil && (len(l.in) > 0 && !l.late || l.netif.lost != nil)
}

func (q *queue) Wait(fd int, timeout time.Duration) error {
	q.m.mu.Lock()
	defer q.m.mu.Unlock()
	if fd >= 0 && q.m.links[fd] == nil {
		q.m.t.Errorf("Wait for descriptor %d, which is not open", fd)
		return syscall.EBADF
	}
	if timeout >= 0 {
		q.m.t.Errorf("Wait with timeout %v: the machine in memory has none", timeout)
	}
	q.asleep, q.fd = true, fd
	q.m.changed.Broadcast()
	for !q.readyLocked() {
		q.m.changed.Wait()
	}
	q.asleep, q.woken = false, false
	return nil
}

func (q *queue) Wake() {
	q.m.mu.Lock()
	defer q.m.mu.Unlock()
	q.woken = true
	q.m.changed.Broadcast()
}

func (q *queue) Close() error {
	q.m.mu.Lock()
	defer q.m.mu.Unlock()
	for q.submitted > 0 {
		q.m.changed.Wait()
	}
	if !q.m.queues[q] {
		q.m.t.Errorf("queue closed twice")
	}
	delete(q.m.queues, q)
	q.m.changed.Broadcast()
	return nil
}
