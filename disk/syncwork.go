package disk

// depthLocked is how many requests of one store may be with the goroutines now.
func (q *SyncQueue) depthLocked() int {
	if q.running >= crowded {
		return 1
	}
	return storeDepth
}

// admitLocked hands a request to the goroutines.
func (q *SyncQueue) admitLocked(r *request) {
	r.lane.running++
	q.running++
	q.ready.push(r)
}

// staffLocked sees to it that each ready request has a goroutine that will take it, as those busy may never come back.
func (q *SyncQueue) staffLocked() {
	if q.ready.length <= q.idle {
		q.work.Signal()
		return
	}
	if q.alive >= queueGoroutines || q.alive >= ownGoroutines && goroutines.Load() >= processGoroutines {
		return // the next that gets free takes it
	}
	q.alive++
	q.idle++
	goroutines.Add(1)
	q.ended.Add(1)
	go q.serve()
}

// serve carries out ready requests until the queue is closed and none is left.
func (q *SyncQueue) serve() {
	defer q.ended.Done()
	defer goroutines.Add(-1)
	var b bounce
	defer b.free()
	q.mu.Lock()
	for {
		for q.ready.length == 0 {
			if q.closed {
				q.idle--
				q.alive--
				q.mu.Unlock()
				return
			}
			q.work.Wait()
		}
		r := q.ready.pop()
		q.idle--
		if r.flushes() {
			r.lane.flushes.beginLocked()
		}
		q.mu.Unlock()

		if r.ranged {
			r.err = r.store.carryRange(r.op, r.offset, r.length, &b)
		} else {
			r.err = r.store.carry(r.op, r.data, r.offset, &b)
		}

		q.mu.Lock()
		q.idle++
		if q.finishLocked(r) {
			signal := q.signal // open until the last goroutine ended
			q.mu.Unlock()
			writeSignal(signal)
			q.mu.Lock()
		}
	}
}

// finishLocked hands a request back to the owner, with those that shared it, and admits the next of its store. It
// reports whether the owner must be signalled.
func (q *SyncQueue) finishLocked(r *request) (signal bool) {
	l := r.lane
	l.running--
	q.running--
	q.handBackLocked(r)
	if r.flushes() {
		sharing, after := l.flushes.endLocked(r.err)
		for sharing.length > 0 {
			q.handBackLocked(sharing.pop())
		}
		if after != nil {
			l.waiting.push(after)
		}
	}
	for admitted := 0; l.waiting.length > 0 && l.running < q.depthLocked(); admitted++ {
		q.admitLocked(l.waiting.pop())
		if admitted > 0 { // the first is for the goroutine that called this
			q.staffLocked()
		}
	}
	signal = q.sleeping
	q.sleeping = false
	return signal
}

// handBackLocked has Reap find a request.
func (q *SyncQueue) handBackLocked(r *request) {
	q.finished.push(r)
	q.finishedCount.Add(1)
}
