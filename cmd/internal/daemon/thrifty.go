package daemon

import (
	"runtime/debug"
	"sync/atomic"
	"time"

	"vbladefs/target"
)

// thrifty is a target that gives memory back after many commands. They leave as
// much garbage as there are exports, and the runtime would keep the room for that.
type thrifty struct {
	*target.Target
	commands atomic.Int32 // since it did so
	timer    *time.Timer
}

// After so many commands, and then none for so long, memory is given back.
const (
	manyCommands = 500
	quietTime    = time.Second
)

func newThrifty(t *target.Target) *thrifty {
	s := &thrifty{Target: t}
	s.timer = time.AfterFunc(time.Hour, func() {
		s.commands.Store(0)
		debug.FreeOSMemory() // workers go on meanwhile: a collection stops them for microseconds
	})
	s.timer.Stop()
	return s
}

// Do carries out op as the target does.
func (s *thrifty) Do(op target.Operation) error {
	if s.commands.Add(1) >= manyCommands {
		s.timer.Reset(quietTime)
	}
	return s.Target.Do(op)
}
