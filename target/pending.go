package target

import (
	"fmt"

	"vbladefs/target/aoe"
)

// This file holds operations that are agreed on and not built yet.

// AccessPoint is one kind of request that an access list is asked about.
type AccessPoint uint8

// The access points of an address.
const (
	ReadConfig   AccessPoint = iota // config commands that store nothing; a refused one gets no answer
	StoreConfig                     // config commands that store; a refused one gets no answer
	ReadData                        // ATA reads and IDENTIFY; a refused one fails with ABRT
	WriteData                       // ATA writes, and what else changes something; a refused one fails with ABRT
	AccessPoints = 4
)

// AccessList says which hosts may: the first row with a host decides, and
// Accept does for hosts in no row. It is not changed once it is set.
type AccessList struct {
	Name   string // for the log
	Rows   []AccessRow
	Accept bool
	Log    bool // what it decides is logged, each host once in a while
}

// AccessRow lets a host pass, or not.
type AccessRow struct {
	Host   aoe.MAC
	Accept bool
}

// SetAccess has List asked at a point of the blade at Addr; nil: everyone may.
type SetAccess struct {
	Addr  aoe.Addr
	Point AccessPoint
	List  *AccessList
}

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

func (op SetAccess) apply(*Target) error { return notYet(op) }
func (op SetLoud) apply(*Target) error   { return notYet(op) }
func (op SetPort) apply(*Target) error   { return notYet(op) }
func (op LimitMTU) apply(*Target) error  { return notYet(op) }

func notYet(op Operation) error { return fmt.Errorf("%w: %T is not built yet", ErrMalformed, op) }
