package daemon

import (
	"errors"
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
	Before func(plan.Export) target.BladeInfo

	now plan.Plan // without what could not be started
}

// Plan is what is served now.
func (s *Served) Plan() plan.Plan { return s.now }

// Change serves next from now on. What does not differ is not touched; a device
// or an interface that is missing is waited for. An export that cannot be
// served is logged and left out, and tried again by the next change; its name is
// among failed. One that cannot end, since its drive does not finish what it was
// asked for, is ended by the next change.
func (s *Served) Change(next plan.Plan) (failed []string) {
	wrong := map[string]bool{}
	stuck := map[aoe.Addr]bool{}
	s.Daemon.Apply(s.operations(next), func(op target.Operation, err error) {
		e := concerned(next, op)
		if e == nil {
			s.Log.WithError(err).Warnf("%T", op) // what was to end has ended otherwise
			if end, ok := op.(target.RemoveBlade); ok && errors.Is(err, target.ErrNotDrained) {
				stuck[end.Addr] = true
			}
			return
		}
		if !wrong[e.Name] {
			s.Log.Errorf("%s: not served: %v", e.Name, err)
			failed = append(failed, e.Name)
		}
		wrong[e.Name] = true
	})
	before := s.now.Exports
	s.now = next
	s.now.Exports = slices.Clone(next.Exports)
	s.now.Exports = slices.DeleteFunc(s.now.Exports, func(e plan.Export) bool {
		if wrong[e.Name] {
			s.Daemon.Apply(e.Removal(), func(target.Operation, error) {}) // of what there is
		}
		return wrong[e.Name]
	})
	s.now.Exports = append(s.now.Exports, remaining(before, next, stuck)...)
	return failed
}

// remaining are exports of before that could not end and have nothing in their
// place.
func remaining(before []plan.Export, next plan.Plan, stuck map[aoe.Addr]bool) (list []plan.Export) {
	for _, e := range before {
		if stuck[e.Addr] && !slices.ContainsFunc(next.Exports, func(n plan.Export) bool { return n.Name == e.Name || n.Addr == e.Addr }) {
			list = append(list, e)
		}
	}
	return list
}

// operations make next of what is served.
func (s *Served) operations(next plan.Plan) []target.Operation {
	kept := func(a aoe.Addr) target.BladeInfo {
		blade, _ := s.Daemon.Exports.Blade(a)
		return blade
	}
	var ops []target.Operation
	for _, op := range plan.Changes(s.now, next, kept) {
		ops = append(ops, target.Waiting(Forced(op, s.Force)))
		if add, ok := op.(target.AddBlade); ok {
			ops = append(ops, s.before(next, add)...)
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

// before gives an address that begins what it had kept.
func (s *Served) before(next plan.Plan, add target.AddBlade) []target.Operation {
	e := concerned(next, add)
	was := e != nil && slices.ContainsFunc(s.now.Exports, func(o plan.Export) bool { return o.Name == e.Name })
	if s.Before == nil || e == nil || was {
		return nil
	}
	kept := s.Before(*e)
	var ops []target.Operation
	if len(kept.Config) > 0 {
		ops = append(ops, target.SetConfig{Addr: e.Addr, Config: kept.Config})
	}
	if len(kept.Masks) > 0 {
		ops = append(ops, target.SetHosts{Addr: e.Addr, List: target.MaskList, Hosts: kept.Masks})
	}
	if len(kept.Reserve) > 0 {
		ops = append(ops, target.SetHosts{Addr: e.Addr, List: target.ReserveList, Hosts: kept.Reserve})
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
