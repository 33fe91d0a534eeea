package target

// Alive returns when every worker has begun a turn since the call: one that
// hangs has it wait for ever. A disk that hangs does not, nor does an operation that
// takes its time.
func (t *Target) Alive() {
	type turn struct{ done, stopped <-chan struct{} }
	var turns []turn
	t.mu.RLock()
	for _, n := range t.netifs {
		for i, done := range n.postAll(func(*worker) {}) {
			turns = append(turns, turn{done, n.workers[i].done})
		}
	}
	t.mu.RUnlock()
	for _, turn := range turns {
		select {
		case <-turn.done:
		case <-turn.stopped:
		}
	}
}
