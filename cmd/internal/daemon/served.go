package daemon

import (
	"slices"

	"github.com/sirupsen/logrus"

	"vbladefs/compat/plan"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// Served is a plan that a daemon carries out, and the next in its place. One
// goroutine at a time changes it.
type Served struct {
	Daemon *Daemon
	Log    *logrus.Logger
	Force  bool // as in Own
	// Before is what an export that begins had kept when it last ended; nil: nothing.
	// An export of which it cannot be told is not served.
	Before func(plan.Export) (target.BladeInfo, error)

	now plan.Plan // without what could not be started, with what could not be ended
}

// Plan is what is served now.
func (s *Served) Plan() plan.Plan { return s.now }

// Change serves next from now on. What does not differ is not touched; a device
// or an interface that is missing is waited for. An export that cannot be
// served is logged and left out, and tried again by the next change; its name is
// among failed. One that cannot end, since its drive does not finish what it was
// asked for, is ended by the next change.
func (s *Served) Change(next plan.Plan) (failed []string) {
	s.forget()
	wrong := map[string]bool{}
	fails := func(e *plan.Export, err error) {
		if !wrong[e.Name] {
			s.Log.Errorf("%s: not served: %v", e.Name, err)
			failed = append(failed, e.Name)
		}
		wrong[e.Name] = true
	}
	known := s.known(next, fails)
	able := next
	able.Exports = without(next.Exports, wrong)
	s.apply(able, s.operations(able, known), wrong, fails)
	before := s.now.Exports
	s.end(only(next.Exports, wrong)) // what there is of them
	s.end(only(before, wrong))
	s.now = next
	s.now.Exports = without(next.Exports, wrong)
	for _, e := range s.leftover(before) {
		s.Log.Errorf("%s: e%s is served still, since it could not be ended: reload again when its disk answers", e.Name, e.Addr)
		s.now.Exports = append(s.now.Exports, e)
	}
	return failed
}

func only(exports []plan.Export, wrong map[string]bool) []plan.Export {
	return slices.DeleteFunc(slices.Clone(exports), func(e plan.Export) bool { return !wrong[e.Name] })
}

func without(exports []plan.Export, wrong map[string]bool) []plan.Export {
	return slices.DeleteFunc(slices.Clone(exports), func(e plan.Export) bool { return wrong[e.Name] })
}

// apply carries out operations. Once one of an export has failed there are no more
// of it: without its lists, say, it would be open to all.
func (s *Served) apply(next plan.Plan, ops []target.Operation, wrong map[string]bool, fails func(*plan.Export, error)) {
	each := func() {
		for _, op := range ops {
			var e *plan.Export
			if len(wrong) > 0 {
				e = concerned(next, op)
			}
			if e != nil && wrong[e.Name] {
				continue
			}
			err := s.Daemon.Exports.Do(op)
			if err == nil {
				continue
			}
			if e = concerned(next, op); e != nil {
				fails(e, err)
			} else {
				s.Log.WithError(err).Warnf("%T", op) // what was to end has ended otherwise; else see leftover
			}
		}
	}
	aside(func() { s.Daemon.Gather(each) })
}

// end ends exports as far as they are there, and nothing of what somebody else has
// put in their place; leftover tells what stays.
func (s *Served) end(exports []plan.Export) {
	aside(func() {
		for _, e := range exports {
			if s.serves(e) {
				_ = s.Daemon.Exports.Do(target.RemoveBlade{Addr: e.Addr})
			}
			if drive, _ := s.Daemon.Exports.Drive(e.Drive); drive.Path == e.Path {
				_ = s.Daemon.Exports.Do(target.RemoveDrive{Name: e.Drive})
			}
		}
	})
}

// forget has exports that somebody else has ended begin anew.
func (s *Served) forget() {
	gone := map[string]bool{}
	for _, e := range s.now.Exports {
		gone[e.Name] = !s.serves(e)
	}
	s.end(only(s.now.Exports, gone))
	s.now.Exports = without(s.now.Exports, gone)
}

// leftover are those of exports that are there, though they are not to be.
func (s *Served) leftover(exports []plan.Export) (left []plan.Export) {
	wanted, taken := names(s.now), byAddr(s.now)
	for _, e := range exports {
		if !wanted[e.Name] && taken[e.Addr] == nil && s.serves(e) {
			left = append(left, e)
		}
	}
	return left
}

// known is what exports had kept that begin.
func (s *Served) known(next plan.Plan, fails func(*plan.Export, error)) map[string]target.BladeInfo {
	known := map[string]target.BladeInfo{}
	if s.Before == nil {
		return known
	}
	now := names(s.now)
	for i := range next.Exports {
		if e := &next.Exports[i]; !now[e.Name] {
			kept, err := s.Before(*e)
			if err != nil {
				fails(e, err)
			}
			known[e.Name] = kept
		}
	}
	return known
}

func names(p plan.Plan) map[string]bool {
	names := make(map[string]bool, len(p.Exports))
	for _, e := range p.Exports {
		names[e.Name] = true
	}
	return names
}

func byAddr(p plan.Plan) map[aoe.Addr]*plan.Export {
	addrs := make(map[aoe.Addr]*plan.Export, len(p.Exports))
	for i := range p.Exports {
		addrs[p.Exports[i].Addr] = &p.Exports[i]
	}
	return addrs
}

// serves reports whether e is there.
func (s *Served) serves(e plan.Export) bool {
	blade, there := s.Daemon.Exports.Blade(e.Addr)
	return there && blade.Drive == e.Drive
}

// operations make next of what is served; known is that of the method.
func (s *Served) operations(next plan.Plan, known map[string]target.BladeInfo) []target.Operation {
	now, starting := names(s.now), byAddr(next)
	kept := func(a aoe.Addr) target.BladeInfo {
		blade, _ := s.Daemon.Exports.Blade(a)
		return blade
	}
	var ops []target.Operation
	for _, op := range plan.Changes(s.now, next, kept) {
		ops = append(ops, target.Waiting(Forced(op, s.Force)))
		if add, ok := op.(target.AddBlade); ok {
			if e := starting[add.Addr]; e != nil && !now[e.Name] {
				ops = append(ops, restored(add.Addr, known[e.Name])...)
			}
		}
	}
	return ops
}

// Forced is op as --force has it: two daemons with one file each are how some had
// two ways to a disk.
func Forced(op target.Operation, force bool) target.Operation {
	switch op := op.(type) {
	case target.AddDrive:
		op.Force = force
		return op
	case target.AddPort:
		op.Force = force
		return op
	}
	return op
}

// restored gives an address that begins what it had kept.
func restored(a aoe.Addr, kept target.BladeInfo) []target.Operation {
	var ops []target.Operation
	if len(kept.Config) > 0 {
		ops = append(ops, target.SetConfig{Addr: a, Config: kept.Config})
	}
	if len(kept.Masks) > 0 {
		ops = append(ops, target.SetHosts{Addr: a, List: target.MaskList, Hosts: kept.Masks})
	}
	if len(kept.Reserve) > 0 {
		ops = append(ops, target.SetHosts{Addr: a, List: target.ReserveList, Hosts: kept.Reserve})
	}
	return ops
}

// concerned is the export of p that op is about; nil: none of it.
func concerned(p plan.Plan, op target.Operation) *plan.Export {
	drive, addr := "", aoe.Addr{Shelf: aoe.AnyShelf, Slot: aoe.AnySlot}
	switch op := op.(type) {
	case target.AddDrive:
		drive = op.Name
	case target.RemoveDrive, target.RemoveBlade, target.RemovePort, target.LimitMTU:
		return nil
	case target.SetCache:
		drive = op.Drive
	case target.SetReadOnly:
		drive = op.Drive
	case target.SetModel:
		drive = op.Drive
	case target.SetSerial:
		drive = op.Drive
	case target.SetFirmware:
		drive = op.Drive
	case target.AddBlade:
		addr = op.Addr
	case target.AddPort:
		addr = op.Addr
	case target.Rebind:
		addr = op.Addr
	case target.SetHosts:
		addr = op.Addr
	case target.SetConfig:
		addr = op.Addr
	case target.SetAccess:
		addr = op.Addr
	case target.SetLoud:
		addr = op.Addr
	case target.SetPort:
		addr = op.Addr
	}
	for i := range p.Exports {
		if e := &p.Exports[i]; e.Addr == addr || e.Drive == drive {
			return e
		}
	}
	return nil
}
