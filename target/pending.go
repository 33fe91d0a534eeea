package target

import (
	"vbladefs/target/aoe"
)

// Contract only: each of these moves to its own room when it is built.

// Initiators lists the hosts that sent requests to an address, latest first.
func (t *Target) Initiators(addr aoe.Addr) []Initiator { return nil }
