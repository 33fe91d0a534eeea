package target

import "sync"

// noCPU is the processor of a worker that is not pinned to one.
const noCPU = -1

// pins are the processors that workers are pinned to, and how many are on each.
type pins struct {
	mu   sync.Mutex
	list []int
	used map[int]int // guarded by mu
}

func newPins(cpus []int) *pins { return &pins{list: cpus, used: map[int]int{}} }

// take returns the processor with fewest workers, the first of them in the
// list, and counts one more there; noCPU when there is no list.
func (p *pins) take() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	best := noCPU
	for _, cpu := range p.list {
		if best == noCPU || p.used[cpu] < p.used[best] {
			best = cpu
		}
	}
	p.used[best]++
	return best
}

// release counts one worker less on a processor.
func (p *pins) release(cpu int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used[cpu]--
}

// takeTurns has the thread of w, which is the calling one, give way to the others of
// this process: they have little to do, and somebody waits for it.
func (w *worker) takeTurns() {
	if w.target.parts.UsualTurns == nil {
		return
	}
	if err := w.target.parts.UsualTurns(); err != nil {
		w.target.log.WithError(err).Debugf("a worker of %s takes the same turns as other threads", w.netif.name())
	}
}

// pin binds the thread of w, which is the calling one, to its processor.
func (w *worker) pin() {
	if w.cpu == noCPU {
		return
	}
	if err := w.target.parts.PinThread(w.cpu); err != nil {
		w.target.log.WithError(err).Warnf("a worker of %s runs on any processor", w.netif.name())
	}
}
