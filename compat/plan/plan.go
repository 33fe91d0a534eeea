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
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// Plan is everything that is to be exported.
type Plan struct {
	Exports []Export
	Limits  []target.MTULimit
}

// Export is a part of a backing store at one address.
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
	Interfaces     []string // names or patterns, see target.EveryInterface
	Buffers        uint16   // 0: target.DefaultBuffers
	Access         target.Access
	Cache          target.Cache // empty: the target's default
	target.Identity

	Accept, Deny, Masks []aoe.MAC
	Lists               [target.AccessPoints]*target.AccessList // nil: everyone may
	Loud                bool                                    // announced by broadcast, whatever the lists say
	Quiet               bool                                    // not announced
}
