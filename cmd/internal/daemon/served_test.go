package daemon

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"

	"vbladefs/cmd/internal/engine"
	"vbladefs/compat/plan"
	"vbladefs/fusectl"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// obstinate is an engine that fails some operations.
type obstinate struct {
	fusectl.Engine
	fails func(target.Operation) error // nil: none
	done  []target.Operation
}

func (o *obstinate) Do(op target.Operation) error {
	if o.fails != nil {
		if err := o.fails(op); err != nil {
			return err
		}
	}
	err := o.Engine.Do(op)
	if err == nil {
		o.done = append(o.done, op)
	}
	return err
}

// serving is a Served whose exports are on an interface that does not exist, so
// that nothing of them reaches a network.
func serving(t *testing.T) (*Served, *obstinate) {
	t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	d := Start(engine.Options{Log: log, Link: "ring", IO: "sync"})
	t.Cleanup(func() {
		if err := d.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	o := &obstinate{Engine: d.Exports}
	d.Exports = o
	return &Served{Daemon: d, Log: log}, o
}

// exported is an export of a file of its own.
func exported(t *testing.T, name string, slot uint8) plan.Export {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	return plan.Export{Name: name, Drive: name, Path: path, Addr: aoe.Addr{Shelf: 9, Slot: slot}, Interfaces: []string{"vbladefs-none"},
		Access: target.AccessReadWrite, Cache: target.CacheWriteback}
}

func planOf(exports ...plan.Export) plan.Plan { return plan.Plan{Exports: exports} }

// wantServed checks which addresses an engine has, and the plan that is served.
func wantServed(t *testing.T, s *Served, failed []string, wantFailed, want string) {
	t.Helper()
	var there, served []string
	for _, b := range s.Daemon.Exports.Blades() {
		there = append(there, b.Drive)
	}
	for _, e := range s.Plan().Exports {
		served = append(served, e.Name)
	}
	slices.Sort(served)
	if got := strings.Join(failed, " "); got != wantFailed {
		t.Errorf("failed are %q, want %q", got, wantFailed)
	}
	if a, b := strings.Join(there, " "), strings.Join(served, " "); a != want || b != want {
		t.Errorf("served are %q, by the plan %q; want %q", a, b, want)
	}
}

var stranger = aoe.MAC{2, 0, 0, 0, 0, 9}

// TestServedBefore gives an export what it had kept, and has none begin without.
func TestServedBefore(t *testing.T) {
	s, _ := serving(t)
	a, b := exported(t, "a", 1), exported(t, "b", 2)
	broken := true
	s.Before = func(e plan.Export) (target.BladeInfo, error) {
		if broken && e.Name == "a" {
			return target.BladeInfo{}, errors.New("the file cannot be read")
		}
		return target.BladeInfo{Config: []byte("of " + e.Name), Masks: []aoe.MAC{stranger}}, nil
	}
	wantServed(t, s, s.Change(planOf(a, b)), "a", "b")
	broken = false
	wantServed(t, s, s.Change(planOf(a, b)), "", "a b")
	check := func(e plan.Export) {
		t.Helper()
		got, _ := s.Daemon.Exports.Blade(e.Addr)
		if string(got.Config) != "of "+e.Name || !slices.Equal(got.Masks, []aoe.MAC{stranger}) {
			t.Errorf("%s has %q %v", e.Name, got.Config, got.Masks)
		}
	}
	check(a)
	check(b)
	// Somebody removes an export by another way; then it changes.
	if err := s.Daemon.Exports.Do(target.RemoveBlade{Addr: a.Addr}); err != nil {
		t.Fatal(err)
	}
	a.Interfaces = []string{"vbladefs-other"}
	wantServed(t, s, s.Change(planOf(a, b)), "", "a b")
	check(a)
}

// TestServedFailure has no export begin with a part of what is to protect it, and
// tries again with the next change.
func TestServedFailure(t *testing.T) {
	s, o := serving(t)
	a, b := exported(t, "a", 1), exported(t, "b", 2)
	a.Accept = []aoe.MAC{stranger}
	o.fails = func(op target.Operation) error {
		if _, is := op.(target.SetHosts); is {
			return errors.New("no memory")
		}
		return nil
	}
	wantServed(t, s, s.Change(planOf(a, b)), "a", "b")
	for _, op := range o.done {
		if port, is := op.(target.AddPort); is && port.Addr == a.Addr {
			t.Error("it was on its interface, open to all")
		}
	}
	o.fails = nil
	wantServed(t, s, s.Change(planOf(a, b)), "", "a b")
	// An address that somebody else has, by another way.
	for _, op := range []target.Operation{target.AddDrive{Name: "mine", Path: b.Path, Cache: b.Cache}, target.AddBlade{Addr: aoe.Addr{Shelf: 9, Slot: 3}, Drive: "mine"}} {
		if err := o.Do(op); err != nil {
			t.Fatal(err)
		}
	}
	failed := s.Change(planOf(a, b, exported(t, "late", 3)))
	if !slices.Equal(failed, []string{"late"}) {
		t.Errorf("failed are %v, want late", failed)
	}
	if blade, _ := o.Blade(aoe.Addr{Shelf: 9, Slot: 3}); blade.Drive != "mine" {
		t.Errorf("at the address is %q, want what was there", blade.Drive)
	}
}

// TestServedStuck ends an export that could not be ended, when it can.
func TestServedStuck(t *testing.T) {
	s, o := serving(t)
	a, b := exported(t, "a", 1), exported(t, "b", 2)
	wantServed(t, s, s.Change(planOf(a, b)), "", "a b")
	o.fails = func(op target.Operation) error {
		if r, is := op.(target.RemoveBlade); is && r.Addr == a.Addr {
			return target.ErrNotDrained
		}
		return nil
	}
	wantServed(t, s, s.Change(planOf(b)), "", "a b")
	o.fails = nil
	wantServed(t, s, s.Change(planOf(b)), "", "b")
}
