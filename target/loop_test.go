package target_test

import (
	"time"

	"vbladefs/target"
)

// loopLink is a link without a lock or an allocation: Receive brings the
// frames in batches once every time it is armed, Send counts.
type loopLink struct {
	frames  [][]byte
	next    int
	sent    int
	bytes   int
	batches int
}

func (l *loopLink) arm() { l.next = 0 }

func (l *loopLink) Receive(frames [][]byte) (int, error) {
	n := copy(frames, l.frames[l.next:])
	l.next += n
	return n, nil
}

func (l *loopLink) Send(headers, payloads [][]byte) (int, error) {
	l.batches++
	l.sent += len(headers)
	for i := range headers {
		l.bytes += len(headers[i]) + len(payloads[i])
	}
	return len(headers), nil
}

func (l *loopLink) Release()             {}
func (l *loopLink) FD() int              { return -1 }
func (l *loopLink) ReceiveDrops() uint64 { return 0 }
func (l *loopLink) SendDrops() uint64    { return 0 }
func (l *loopLink) Kind() string         { return "loop" }
func (l *loopLink) Close() error         { return nil }

// loopQueue is a queue without a lock or an allocation that does nothing with
// the data: at once, or between Submit and the next Reap.
type loopQueue struct {
	async  bool
	tokens [1024]uint64
	count  int
}

func (q *loopQueue) Try(target.Store, target.Op, []byte, int64) (bool, error) { return !q.async, nil }

func (q *loopQueue) Submit(_ target.Store, _ target.Op, _ []byte, _ int64, token uint64) {
	q.tokens[q.count] = token
	q.count++
}

func (q *loopQueue) SubmitRange(_ target.Store, _ target.Op, _, _ int64, token uint64) {
	q.Submit(nil, 0, nil, 0, token)
}

func (q *loopQueue) Reap(tokens []uint64, errs []error) int {
	n := copy(tokens, q.tokens[:q.count])
	copy(q.tokens[:], q.tokens[n:q.count])
	q.count -= n
	return n
}

func (q *loopQueue) Wait(int, time.Duration) error { return nil }
func (q *loopQueue) Wake()                         {}
func (q *loopQueue) Close() error                  { return nil }
