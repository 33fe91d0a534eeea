// Package plan is what a daemon's command line or configuration file asks for,
// in the terms that all daemons share, and the operations that bring it about.
//
//	text ─compat/vblade, ggaoed, qaoed─▶ Plan ─Operations─▶ start
//	                             old and new Plan ─Changes─▶ reload
//	                                         Plan ─State─▶ convert
//
// It is pure: it opens nothing, and knows neither files nor sockets.
package plan

import (
	"cmp"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// Plan is everything that is to be exported. The functions of this package want
// one that Validate finds nothing wrong with.
type Plan struct {
	Exports []Export
	Limits  []target.MTULimit
}

// Export is a part of a backing store at one address. Exports of one path share
// its write policy; an engine refuses the second of two.
type Export struct {
	// Name is what the export is called from one plan to the next: a group of
	// ggaoed, or what else is as unique. Two exports of a plan differ in it.
	Name string
	// Drive is the name that its drive gets, at most target.MaxDriveName of the
	// characters that such names have, unique in a plan; see DriveNames.
	Drive          string
	Path           string // absolute
	Offset, Length uint64 // sectors; Length 0: to the end
	Addr           aoe.Addr
	Interfaces     []string // names or patterns, see target.EveryInterface; at least one
	Buffers        uint16   // 0: target.DefaultBuffers
	Access         target.Access
	Cache          target.Cache // empty: the target's default
	target.Identity

	// Accept, Deny and Masks are the lists at start. Masks is the protocol's own:
	// Changes leaves it as initiators have made it, unless the plan's has changed.
	Accept, Deny, Masks []aoe.MAC
	Lists               [target.AccessPoints]*target.AccessList // nil: everyone may
	Loud                bool                                    // announced by broadcast, whatever the lists say
	Quiet               bool                                    // not announced when it is added
}

// buffers is the buffer count as the engine shows it.
func (e *Export) buffers() uint16 { return cmp.Or(e.Buffers, target.DefaultBuffers) }

// identity is what the drive shows, as the engine cuts and fills it.
func (e *Export) identity() target.Identity {
	return target.Identity{
		Model:    cut(e.Model, target.MaxModel),
		Serial:   cut(cmp.Or(e.Serial, e.Drive), target.MaxSerial),
		Firmware: e.Firmware,
	}
}

// cut is at most the first n bytes of s.
func cut(s string, n int) string { return s[:min(len(s), n)] }
