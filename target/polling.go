package target

import "time"

// polling decides how long a worker without work looks for some before it sleeps:
// as long as that is likely to succeed. The window grows while sleeps end sooner
// than the longest window would, and shrinks to nothing while they do not, so that
// an idle worker sleeps, and one with a few requests now and then sleeps between
// them. Where others want the processor a worker sleeps, too: the kernel wakes a
// sleeper at once, and lets one that used up its turn wait for milliseconds.
type polling struct {
	most   time.Duration // the longest window; 0: never poll
	window time.Duration

	rest  time.Duration // how long to leave the processor to others, when next they want it
	until time.Time     // end of the rest; no polling before
}

const (
	// leastWindow is the shortest window that may see a frame come.
	leastWindow = 5 * time.Microsecond
	// preemption is how long a turn without work takes only when the kernel has
	// let others run meanwhile.
	preemption = 200 * time.Microsecond
	// leastRest is how long the processor is left to the others then; more when
	// they want it again and again, up to mostRest.
	leastRest, mostRest = 4 * time.Millisecond, 256 * time.Millisecond
)

// looked is told when a turn that found no work began and ended.
func (p *polling) looked(began, ended time.Time) {
	if ended.Sub(began) <= preemption {
		return
	}
	if ended.Sub(p.until) > 2*p.rest { // they had long not wanted it
		p.rest = leastRest
	} else {
		p.rest = min(2*p.rest, mostRest)
	}
	p.window, p.until = 0, ended.Add(p.rest)
}

// slept is told since when the worker had no work, and when its sleep ended.
func (p *polling) slept(since, until time.Time) {
	idle := until.Sub(since)
	switch {
	case idle < p.most && until.After(p.until):
		p.window = min(max(2*p.window, 2*idle), p.most)
	case p.window >= 2*leastWindow:
		p.window /= 2
	default:
		p.window = 0
	}
}
