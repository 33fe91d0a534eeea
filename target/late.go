package target

import "time"

// This file serves what comes late to a link whose place another has taken. The kernel
// may stamp a frame and let it wait for a processor before it hands it to any link
// (net/core/dev.c netif_rx: all that comes over veth, or by another processor than the
// interface's own, RPS). On a busy machine that takes milliseconds, and the frame may
// have come before the moment from which on the new link brings any.
//
// In each turn the old link is looked at before the new one: a frame reaches both at
// once, so it is served before all that reaches the machine later.

const (
	// lateMost is how long a link is kept for what is late. What takes longer an
	// initiator has repeated by then.
	lateMost = 250 * time.Millisecond
	// lookLate is how long a worker sleeps at most while it has such a link. Usually
	// the new one wakes it, which has got the frame, too, and skips it.
	lookLate = 20 * time.Millisecond
)

// receiveLate takes one batch of late frames and serves them.
func (w *worker) receiveLate() bool {
	n, err := w.late.Receive(w.frames[:])
	if err != nil || n == 0 {
		return false // the new link tells, too, what is wrong with the interface
	}
	w.serveFrames(w.frames[:n], n)
	w.late.Release()
	return true
}

// closeLate serves what is late up to now, if there is a link for it, and closes that.
func (w *worker) closeLate() {
	if w.late == nil {
		return
	}
	for range arrivedBatches {
		if !w.receiveLate() {
			break
		}
	}
	_ = w.late.Close()
	w.late = nil
}

// awaitLate waits for what may be late, and has the old link be closed.
func (n *netif) awaitLate() {
	time.Sleep(lateMost)
	for _, closed := range n.postAll((*worker).closeLate) {
		<-closed
	}
	n.discard(n.late)
	n.late = nil
}
