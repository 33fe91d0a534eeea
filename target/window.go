package target

import "fmt"

// window is the part of a store that is a drive, in sectors: from first on, as
// many as length says, or if that is 0 to the end of the store. It belongs to the
// drive and never changes; the order of requests is kept by the device in sectors
// of the store, so that windows may overlap.
type window struct{ first, length uint64 }

// capacity is how many sectors of w a store of size sectors has: of a window
// that the store once held and no longer does, what is left.
func (w window) capacity(size uint64) uint64 {
	if size <= w.first {
		return 0
	}
	if rest := size - w.first; w.length == 0 || rest < w.length {
		return rest
	}
	return w.length
}

// check refuses a window that a store of size sectors does not hold.
func (w window) check(path string, size uint64) error {
	switch {
	case w.first == 0 && w.length == 0:
		return nil
	case w.first >= size:
		return fmt.Errorf("%w: offset %d is not in %s, which has %d sectors; want less", ErrRange, w.first, path, size)
	case w.length > size-w.first:
		return fmt.Errorf("%w: length %d is more than the %d sectors that %s has from sector %d on; want that or less",
			ErrRange, w.length, size-w.first, path, w.first)
	}
	return nil
}

// fit refuses a device that does not hold the window w. One that may have
// grown since it was opened is asked for its size; ops is released meanwhile.
func (t *Target) fit(w window, dev *device, path string) error {
	err := w.check(path, dev.sectors())
	if err == nil {
		return nil
	}
	var failed error
	t.outside(func() { failed = dev.ask() })
	switch {
	case t.closed:
		return ErrClosed
	case failed != nil:
		return fmt.Errorf("%w: %w", ErrStore, failed)
	}
	t.noticed([]*device{dev})
	return w.check(path, dev.sectors())
}
