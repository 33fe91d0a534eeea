package fusectl

import (
	"context"
	"io"
	"math"

	"github.com/sirupsen/logrus"

	"vbladefs/compat/native"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// CheckWhole finds what is wrong with a saved state: whether it is a whole one,
// and what Check finds.
func CheckWhole(saved []byte) (mistakes []Mistake) {
	CheckEach(saved, func(m Mistake) { mistakes = append(mistakes, m) })
	return mistakes
}

// CheckEach is CheckWhole that gives each mistake to report when it is found, in
// the order of lines: of a large file that is no state there are many.
func CheckEach(saved []byte, report func(Mistake)) { examine(saved, report).close() }

// examine is CheckEach that leaves the rehearsal open.
func examine(saved []byte, report func(Mistake)) *rehearsal {
	line, err := native.CheckForm(saved)
	bad := Mistake{Line: line, Column: columnOf(err), Err: err}
	switch {
	case err == nil:
		return rehearse(saved, report)
	case line == 1:
		report(bad)
		return rehearse(nil, report)
	}
	told := false
	tell := func(before int) {
		if !told && bad.Line < before {
			told = true
			report(bad)
		}
	}
	r := rehearse(saved, func(m Mistake) {
		tell(m.Line)
		report(m)
	})
	tell(math.MaxInt)
	return r
}

// Check carries out a saved state on an engine that has no exports, no disks and
// no network: every path leads to a disk of its own, and every interface is
// there. So it finds what is wrong with the text, by the rules of the engine
// itself, and tells nothing of this machine. Nothing outside is touched. What is
// wrong only because of an earlier mistake is left out.
func Check(saved []byte) (mistakes []Mistake) {
	r := newRehearsal(func(m Mistake) { mistakes = append(mistakes, m) })
	defer r.close()
	r.run(saved)
	return mistakes
}

// A rehearsal is the dry run of a saved state. It is the engine of one, too: one
// that asks no network who answers for an address.
type rehearsal struct {
	*target.Target
	replayer replayer
	report   func(Mistake)
	standIns standIns
	// origins are the lines that made each object and each value; nil: nobody asks.
	origins map[origin]Mistake
	line    Mistake // that is carried out now
	forced  map[portKey]bool
}

type portKey struct {
	addr  aoe.Addr
	netif string
}

// rehearse is a whole dry run, with the origins of what it has made.
func rehearse(saved []byte, report func(Mistake)) *rehearsal {
	r := newRehearsal(report)
	r.origins = map[origin]Mistake{}
	r.run(saved)
	return r
}

func newRehearsal(report func(Mistake)) *rehearsal {
	log := logrus.New()
	log.SetOutput(io.Discard)
	r := &rehearsal{Target: target.New(target.Config{Log: log, Requests: 1, Parts: dryParts()}),
		report: report, standIns: newStandIns(), forced: map[portKey]bool{}}
	r.replayer = replayer{tree: &tree{engine: r}, root: root(), restoring: true}
	return r
}

func (r *rehearsal) run(saved []byte) {
	if m := eachLine(saved, r.carryOut); m.Err != nil {
		r.report(m)
	}
}

func (r *rehearsal) close() { _ = r.Target.Close(context.Background()) }

// carryOut carries out one line. If that refers to something that is not there,
// a stand-in for it is made, and the line is tried again for what else is wrong.
func (r *rehearsal) carryOut(n int, line string) {
	const most = 4 // a drive, an address, a port, the line itself
	for range most {
		r.line = placeOf(line)
		r.line.Line = n
		m, ok := r.replayer.line(line)
		if ok {
			return
		}
		m.Line = n
		again, consequence := r.standIn(m)
		if !consequence {
			r.report(m)
		}
		if !again {
			return
		}
	}
}

// Do is that of the target, and notes which line it was for.
func (r *rehearsal) Do(op target.Operation) error {
	switch add := op.(type) {
	case target.AddPort:
		r.forced[portKey{add.Addr, add.Interface}] = add.Force
		add.Force = true
		op = add
	case target.Export:
		r.forced[portKey{add.Addr, add.Interface}] = add.Force
		add.Force = true
		op = add
	}
	err := r.Target.Do(op)
	if err == nil && r.origins != nil {
		r.note(op)
	}
	return err
}

// outcome is the state that the text makes.
func (r *rehearsal) outcome() target.State {
	s := r.State()
	for i := range s.Ports {
		p := &s.Ports[i]
		p.Forced = r.forced[portKey{p.Addr, p.Interface}]
	}
	return s
}
