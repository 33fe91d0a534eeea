package powercut

import (
	"fmt"
	"math/rand/v2"
)

// Result is what a Check has shown.
type Result struct {
	Requests [kinds]int // that were answered
	Writes   int        // that reached the disk
	Syncs    int        // of them, durable by themselves
	Flushes  int        // that reached the disk
	Points   int        // moments at which the power may fail
	Versions int        // of sectors that could be found, and were checked
	Most     int        // versions of one sector, at most
	Images   int        // whole disks that were put together and checked
	Wrong    int        // versions that must not be found
	Torn     int        // moments at which a sector may be found torn
	Lies     int        // of IDENTIFY
	Reports  []string   // the first few of both
}

// Bad is how much was wrong.
func (r *Result) Bad() int { return r.Wrong + r.Lies }

const (
	mostReports = 6
	// imageEvery is how many moments have one at which whole disks are put together.
	imageEvery  = 97
	imagesAtOne = 8
)

// replay is a Check under way.
type replay struct {
	*Result
	log    *Log
	client *client
	medium *medium
	now    int
	rnd    *rand.Rand
}

// Check replays a log. durable tells whether the export keeps every write that
// was answered, to begin with; else it keeps what was answered before a flush.
func Check(l *Log, durable bool, seed uint64) *Result {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &replay{Result: new(Result), log: l, client: newClient(l, durable), medium: newMedium(l), rnd: rand.New(rand.NewPCG(seed, 4))}
	for now, e := range l.events {
		r.now = now
		r.step(e)
		r.Points++
		if now%imageEvery == 0 || now == len(l.events)-1 {
			r.images()
		}
	}
	r.Lies = len(r.client.lies)
	for _, lie := range r.client.lies[:min(r.Lies, mostReports)] {
		r.report(lie)
	}
	return r.Result
}

// step takes an event, and checks the sectors of which more may be found than before
// it, or less is allowed.
func (r *replay) step(e event) {
	switch e.kind {
	case asked:
		r.client.sent(&r.log.requests[e.of], r.now)
	case answered:
		r.Requests[r.log.requests[e.of].Kind]++
		r.client.answered(e.of, r.now, r.sector)
	case begun:
		o := &r.log.operations[e.of]
		if o.flush {
			r.Flushes++
			return
		}
		r.Writes++
		if o.sync {
			r.Syncs++
		}
		r.medium.begun(e.of)
		for i := range o.gens {
			r.sector(o.first + i)
		}
	case ended:
		r.medium.ended(e.of)
	}
}

// sector checks every version of a sector.
func (r *replay) sector(sector int) {
	s := &r.medium.sectors[sector]
	for _, versions := range [][]version{s.versions, s.flying} {
		for _, v := range versions {
			r.Versions++
			if v.gen == Torn {
				r.Torn++
			}
			r.version(sector, v)
		}
	}
	r.Most = max(r.Most, len(s.versions)+len(s.flying))
}

func (r *replay) version(sector int, v version) {
	if v.gen == Torn {
		return // the caller knows whether that may be
	}
	if ok, why := r.client.allows(sector, v.gen, r.now); !ok {
		r.Wrong++
		r.report(fmt.Sprintf("a power cut at event %d leaves generation %d of sector %d: %s", r.now, int32(v.gen), sector, why))
	}
}

func (r *replay) report(what string) {
	if len(r.Reports) < mostReports {
		r.Reports = append(r.Reports, what)
	}
}

// images puts whole disks together: with all lost that may be, with all kept,
// and with some of each, sector by sector. They are part of what was checked
// already, and show that this is so.
func (r *replay) images() {
	for n := range imagesAtOne {
		r.Images++
		for i := range r.medium.sectors {
			s := &r.medium.sectors[i]
			at := 0
			switch n {
			case 0:
			case 1:
				at = len(s.versions) + len(s.flying) - 1
			default:
				at = r.rnd.IntN(len(s.versions) + len(s.flying))
			}
			if at < len(s.versions) {
				r.version(i, s.versions[at])
			} else {
				r.version(i, s.flying[at-len(s.versions)])
			}
		}
	}
}
