package fusectl

import (
	"context"
	"io"

	"github.com/sirupsen/logrus"

	"vbladefs/target"
)

// Check carries out a saved state on an engine that has no exports, no disks and
// no network: every path leads to a disk of its own, and every interface is
// there. So it finds what is wrong with the text, by the rules of the engine
// itself, and tells nothing of this machine. Nothing outside is touched.
func Check(saved []byte) []Mistake {
	log := logrus.New()
	log.SetOutput(io.Discard)
	dry := target.New(target.Config{Log: log, Requests: 1, Parts: dryParts()})
	defer func() { _ = dry.Close(context.Background()) }()
	var mistakes []Mistake
	Replay(saved, dryRun{dry}, true, func(m Mistake) { mistakes = append(mistakes, m) })
	return mistakes
}

// dryRun is an engine that asks no network who answers for an address.
type dryRun struct{ *target.Target }

func (d dryRun) Do(op target.Operation) error {
	switch add := op.(type) {
	case target.AddPort:
		add.Force = true
		op = add
	case target.Export:
		add.Force = true
		op = add
	}
	return d.Target.Do(op)
}
