package target

import (
	"fmt"
	"syscall"
)

// This file tells every port that what its initiators have written is lost. A kernel
// tells it once, to whoever comes first: a flush through another port, of this
// device, a forced write, or the control plane.

// errLost fails a flush that succeeds itself.
var errLost = fmt.Errorf("writes that were acknowledged are lost, which another request was told: %w", syscall.EIO)

// losses is how many times d has lost what was written.
func (d *device) losses() uint64 {
	if d.loser == nil {
		return 0
	}
	return d.loser.Losses()
}

// attend has p answer for what d loses from now on, and no more for what another
// device has lost.
func (p *port) attend(d *device) {
	p.lost.Store(d.losses())
	p.device.Store(d)
}

// flushed is how a flush of p has ended that ended with err: each loss fails one.
func (p *port) flushed(d *device, err error) error {
	if p.device.Load() != d || err != nil && transient(err) {
		return err
	}
	if n := d.losses(); p.lost.Swap(n) != n && err == nil {
		return errLost
	}
	return err
}
