package target

import (
	"maps"
	"time"

	"vbladefs/target/aoe"
)

// This file logs what access lists decide: each decision of a host once a
// minute. Workers leave it to a goroutine, and what comes faster than that
// writes is not logged.

const (
	// notedHosts is how many hosts of a list a worker knows to be logged.
	notedHosts = 256
	// notedTime is for how many seconds they are.
	notedTime = 60
	// waitingDecisions may wait to be logged.
	waitingDecisions = 256
	// mostDecisions is how many are logged in a minute: of a flood of forged
	// hosts no more.
	mostDecisions = 1024
)

// decided is a decision to log.
type decided struct {
	list     string
	host     aoe.MAC
	decision decision
}

// decisionLog is what logging decisions has under way.
type decisionLog struct {
	waiting chan decided
	stop    chan struct{} // nil: it does not go on; guarded by Target.ops
	ended   chan struct{}
}

// note has a decision logged, unless it was lately.
func (w *worker) note(p *permission, host aoe.MAC, d decision) {
	key := hostKey(host)
	mark := key<<16 | uint64(d)<<14 | uint64(w.second/notedTime)&(1<<14-1)
	noted := &p.noted[key*0x9e3779b97f4a7c15>>56]
	if noted.Load() == mark {
		return
	}
	noted.Store(mark)
	select {
	case w.target.decisions.waiting <- decided{p.name, host, d}:
	default:
	}
}

// startDecisionLog begins to log decisions, unless that goes on already; ops is
// held.
func (t *Target) startDecisionLog() {
	if s := &t.decisions; s.stop == nil {
		s.stop, s.ended = make(chan struct{}), make(chan struct{})
		go t.logDecisions(s.stop, s.ended)
	}
}

// endDecisionLog ends that; ops is held.
func (t *Target) endDecisionLog() {
	if s := &t.decisions; s.stop != nil {
		close(s.stop)
		<-s.ended
		s.stop = nil
	}
}

func (t *Target) logDecisions(stop <-chan struct{}, ended chan<- struct{}) {
	defer close(ended)
	logged := map[decided]time.Time{}
	for {
		select {
		case <-stop:
			return
		case d := <-t.decisions.waiting:
			if fresh(logged, d, time.Now()) {
				t.log.Infof("ACL %s %s by %s", d.decision, d.host, d.list)
			}
		}
	}
}

// fresh reports whether d is to be logged now, and remembers that it was.
func fresh(logged map[decided]time.Time, d decided, now time.Time) bool {
	old := func(_ decided, at time.Time) bool { return now.Sub(at) >= notedTime*time.Second }
	if at, ok := logged[d]; ok && !old(d, at) {
		return false
	}
	if len(logged) >= mostDecisions {
		maps.DeleteFunc(logged, old)
	}
	if len(logged) >= mostDecisions {
		return false
	}
	logged[d] = now
	return true
}
