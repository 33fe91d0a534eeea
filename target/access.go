package target

import (
	"fmt"
	"slices"
	"strings"

	"vbladefs/target/aoe"
)

// This file carries out the operations on access lists; Target.ops is held. What
// a list decides is in permission.go.

// AccessPoint is one kind of request that an access list is asked about.
type AccessPoint uint8

// The access points of an address.
const (
	ReadConfig   AccessPoint = iota // commands that ask for the config string or a list; a refused one gets no answer
	StoreConfig                     // commands that change one of these; a refused one gets no answer
	ReadData                        // ATA reads, IDENTIFY and SMART; a refused one fails with ABRT
	WriteData                       // ATA writes, flushes and SET FEATURES for the cache; a refused one fails with ABRT
	AccessPoints = 4
)

// String is the name of the point's file in the control tree.
func (p AccessPoint) String() string {
	if p < AccessPoints {
		return [AccessPoints]string{"cfgread", "cfgset", "read", "write"}[p]
	}
	return "unknown"
}

// Limits of access lists.
const (
	MaxAccessRows = 65536
	MaxAccessName = 120 // bytes
)

// AccessList says which hosts may: the first row with a host decides, and
// Accept does for hosts in no row. It is not changed once it is set.
type AccessList struct {
	Name   string // for the log; without control characters, at most MaxAccessName
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

// AddAccess puts rows behind those of the list at a point of the blade at Addr.
type AddAccess struct {
	Addr  aoe.Addr
	Point AccessPoint
	Rows  []AccessRow
}

func (op SetAccess) apply(t *Target) error {
	blade := t.blades[op.Addr]
	switch {
	case blade == nil:
		return noBlade(op.Addr)
	case op.Point >= AccessPoints:
		return fmt.Errorf("%w: access point %d: want 0 to %d", ErrRange, op.Point, AccessPoints-1)
	}
	var p *permission
	if op.List != nil {
		if err := op.List.check(); err != nil {
			return err
		}
		p = newPermission(op.List, fmt.Sprintf("e%s/%s", op.Addr, op.Point))
		if op.List.Log {
			t.startDecisionLog()
		}
	}
	blade.change(func(r *rules) { r.access = r.access.with(op.Point, p) })
	return nil
}

func (op AddAccess) apply(t *Target) error {
	blade := t.blades[op.Addr]
	if blade == nil {
		return noBlade(op.Addr)
	}
	old := blade.rules.Load().access.at(op.Point)
	if old == nil {
		return fmt.Errorf("%w: %s has no %s list to add to; set one first", ErrMalformed, op.Addr, op.Point)
	}
	next := *old.list
	next.Rows = slices.Concat(old.list.Rows, op.Rows)
	return SetAccess{Addr: op.Addr, Point: op.Point, List: &next}.apply(t)
}

func (l *AccessList) check() error {
	switch {
	case len(l.Rows) > MaxAccessRows:
		return fmt.Errorf("%w: an access list of %d rows; want at most %d", ErrFull, len(l.Rows), MaxAccessRows)
	case len(l.Name) > MaxAccessName:
		return fmt.Errorf("%w: the name of an access list has %d bytes; want at most %d", ErrTooLong, len(l.Name), MaxAccessName)
	case strings.ContainsFunc(l.Name, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return fmt.Errorf("%w: the name of an access list, %q, has a control character; want none", ErrMalformed, l.Name)
	}
	return nil
}
