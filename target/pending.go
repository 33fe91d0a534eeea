package target

import (
	"errors"

	"vbladefs/target/aoe"
)

// Contract only: each of these moves to its own room when it is built.

var errPending = errors.New("not built yet")

func (AddBlade) apply(*Target) error    { return errPending }
func (RemoveBlade) apply(*Target) error { return errPending }
func (SetFirmware) apply(*Target) error { return errPending }
func (SetKeep) apply(*Target) error     { return errPending }
func (SetReadOnly) apply(*Target) error { return errPending }
func (SetPaused) apply(*Target) error   { return errPending }
func (Resize) apply(*Target) error      { return errPending }

// Waiting is op as it is carried out when a saved state is restored: AddDrive
// and AddPort wait for what is missing, and a policy that is not named is
// CacheDirect, whatever the default is now.
func Waiting(op Operation) Operation { return op }

// State shows everything at one moment.
func (t *Target) State() State {
	return State{Drives: t.Drives(), Ports: t.Ports(), Blades: t.Blades(), Served: t.Served()}
}

// Conflicts lists the other machines that answer for an address.
func (t *Target) Conflicts(addr aoe.Addr) []Conflict { return nil }

// Initiators lists the hosts that sent requests to an address, latest first.
func (t *Target) Initiators(addr aoe.Addr) []Initiator { return nil }
