package target

import (
	"errors"

	"vbladefs/target/aoe"
)

// Contract only: each of these moves to its own room when it is built.

var errPending = errors.New("not built yet")

func (SetFirmware) apply(*Target) error { return errPending }
func (SetKeep) apply(*Target) error     { return errPending }

// Initiators lists the hosts that sent requests to an address, latest first.
func (t *Target) Initiators(addr aoe.Addr) []Initiator { return nil }
