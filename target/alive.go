package target

// Alive returns when every worker has begun a turn since the call: one that
// hangs has it wait for ever. A disk that hangs does not, nor does an operation that
// takes its time.
func (t *Target) Alive() {
	var turns []turn
	t.mu.RLock()
	for _, n := range t.netifs {
		turns = append(turns, n.turns(func(*worker) {})...)
	}
	t.mu.RUnlock()
	for _, turn := range turns {
		turn.over()
	}
}

// turn is a call that a worker makes between two turns, unless it stops before. Who
// does not hold Target.ops waits with this alone, and without Target.mu: a worker may
// stop, or rest until an operation has had mu.
type turn struct{ called, stopped <-chan struct{} }

// turns is postAll for who does not hold Target.ops; Target.mu is held for reading.
func (n *netif) turns(f func(*worker)) (list []turn) {
	for i, called := range n.postAll(f) {
		list = append(list, turn{called, n.workers[i].done})
	}
	return list
}

// over waits, and reports whether the call was made.
func (t turn) over() bool {
	select {
	case <-t.called:
		return true
	case <-t.stopped:
	}
	select {
	case <-t.called: // before it stopped
		return true
	default:
		return false
	}
}
