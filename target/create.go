package target

import (
	"fmt"
	"path/filepath"

	"vbladefs/target/aoe"
)

// This file makes the files that drives are added with (size=); Target.ops is held.

// made is a file that was made, unless it was there already, and opened, if dev is not nil.
type made struct {
	dev  *device
	undo func() // takes the file away
	done func() // lets others make it
}

// checkCreate refuses a file that cannot be made.
func checkCreate(op AddDrive) error {
	switch {
	case op.Create == 0:
		return nil
	case !filepath.IsAbs(op.Path):
		return notAbsolute(op.Path)
	case op.Create < aoe.SectorSize || op.Create%aoe.SectorSize != 0:
		return fmt.Errorf("%w: size of %d bytes: want a multiple of %d", ErrMalformed, op.Create, aoe.SectorSize)
	}
	return nil
}

// make makes the file that op asks for, if it asks for one and it is not there, and
// opens it; or does neither.
func (t *Target) make(op AddDrive, w *waiter) (made, error) {
	m, err := t.makeStore(op, w)
	if err != nil {
		return m, err
	}
	if m.dev, err = t.acquireFitting(op, w); err != nil {
		t.unmake(m)
	}
	return m, err
}

// makeStore makes the file. Nobody else does so before the caller has used it, or taken
// it away: one that a late waiter has made may be found by the next to ask for it.
func (t *Target) makeStore(op AddDrive, w *waiter) (m made, err error) {
	m = made{undo: func() {}, done: func() {}}
	if op.Create == 0 {
		return m, nil
	}
	m.done = t.awaitClaim("size= " + op.Path)
	if err = w.gone(); err == nil {
		var undo func()
		t.outside(func() { undo, err = t.parts.MakeStore(op.Path, op.Create) })
		if err == nil {
			m.undo = undo
			return m, nil
		}
		err = fmt.Errorf("%w: %w", ErrStore, err)
	}
	m.done()
	return m, err
}

// unmake undoes make.
func (t *Target) unmake(m made) {
	if m.dev != nil {
		t.release(m.dev)
	}
	t.outside(m.undo)
	m.done()
}
