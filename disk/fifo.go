package disk

// fifo is a list of requests, linked through them, so that it needs no memory of its own.
type fifo struct {
	head, tail *request
	length     int
}

func (f *fifo) push(r *request) {
	r.next = nil
	if f.tail == nil {
		f.head = r
	} else {
		f.tail.next = r
	}
	f.tail = r
	f.length++
}

// pop returns the oldest request, nil if there is none.
func (f *fifo) pop() *request {
	r := f.head
	if r == nil {
		return nil
	}
	f.head = r.next
	if f.head == nil {
		f.tail = nil
	}
	r.next = nil
	f.length--
	return r
}

// take cuts off the oldest requests, at most limit.
func (f *fifo) take(limit int) fifo {
	if f.length <= limit {
		all := *f
		*f = fifo{}
		return all
	}
	var some fifo
	for range limit {
		some.push(f.pop())
	}
	return some
}
