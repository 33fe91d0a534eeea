package nbd

import (
	"time"

	"vbladefs/disk"
)

// call is one request on its way to the server and back. It has one owner at a time: a Queue, the waiting list of a store,
// or a connection; and it is in one list at a time.
type call struct {
	next   *call
	queue  *Queue        // whose it is; nil: of a compound request, which waits for done
	done   chan struct{} // gets one element
	store  *Store
	data   []byte // of Read and Write; its owner leaves it alone until the call is finished
	offset int64
	length int64 // of data, or of a range
	token  uint64
	born   time.Duration // when it was submitted, by the clock
	cookie uint64        // on its connection; see conn.enlist
	serial uint64        // number of its sending there
	got    int           // bytes of data that chunks have brought
	failed error         // what an error chunk said
	err    error
	op     disk.Op
	// durable asks for FUA.
	durable  bool
	own      bool   // a flush that the store wants
	replayed bool   // see replay.go
	mark     uint64 // of a flush: what it covers of Store.log
}

// kept reports whether a call has to wait for room in Store.log.
func (k *call) kept() bool {
	return k.op != disk.Read && k.op != disk.Flush && !k.durable && !k.replayed
}

// began is when the clock began.
var began = time.Now()

// clock is the time that calls are stamped with, once for a batch.
func clock() time.Duration { return time.Since(began) }

// list is calls, first in, first out.
type list struct {
	first, last *call
	length      int
}

func (l *list) push(k *call) {
	k.next = nil
	if l.last == nil {
		l.first = k
	} else {
		l.last.next = k
	}
	l.last = k
	l.length++
}

func (l *list) pop() *call {
	k := l.first
	l.first = k.next
	if l.first == nil {
		l.last = nil
	}
	k.next = nil
	l.length--
	return k
}

// append moves all of other behind l.
func (l *list) append(other *list) {
	if other.length == 0 {
		return
	}
	if l.last == nil {
		*l = *other
	} else {
		l.last.next, l.last = other.first, other.last
		l.length += other.length
	}
	*other = list{}
}

// finish hands calls, which have ended with k.err, to whoever submitted them: those of a queue that follow each other at
// once.
func finish(ended []*call) {
	for i := 0; i < len(ended); {
		q := ended[i].queue
		if q == nil {
			if !ended[i].own {
				ended[i].done <- struct{}{}
			}
			i++
			continue
		}
		n := i + 1
		for n < len(ended) && ended[n].queue == q {
			n++
		}
		q.finish(ended[i:n])
		i = n
	}
}

// fail ends all calls of l with err.
func (l *list) fail(err error) {
	for l.length > 0 {
		k := l.pop()
		k.err = err
		finish([]*call{k})
	}
}
