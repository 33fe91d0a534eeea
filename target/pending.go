package target

import (
	"fmt"

	"vbladefs/target/aoe"
)

// This file holds operations that are agreed on and not built yet.

// SetLoud has the blade at Addr announced by broadcast, whatever its lists say.
type SetLoud struct {
	Addr aoe.Addr
	Loud bool
}

// SetPort changes what a port was added with; the next frames are served so.
type SetPort struct {
	Addr      aoe.Addr
	Interface string // as it was added
	Buffers   uint16 // 0: DefaultBuffers
	Sectors   uint8  // 0: what the MTU allows
	Quiet     bool
}

// LimitMTU has the ports of an interface, present or future, make frames of at
// most so many bytes, however large its own MTU is.
type LimitMTU struct {
	Interface string
	MTU       int // 0: its own; else at least MinMTULimit
}

// MinMTULimit leaves room for a request of two sectors.
const MinMTULimit = 1060

// MTULimit is a limit that LimitMTU has set.
type MTULimit struct {
	Interface string
	MTU       int
}

func (op SetLoud) apply(*Target) error  { return notYet(op) }
func (op SetPort) apply(*Target) error  { return notYet(op) }
func (op LimitMTU) apply(*Target) error { return notYet(op) }

func notYet(op Operation) error { return fmt.Errorf("%w: %T is not built yet", ErrMalformed, op) }
