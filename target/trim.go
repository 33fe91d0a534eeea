package target

import (
	"vbladefs/target/aoe"
	"vbladefs/target/ata"
)

// This file gives space back: what initiators trim, and on thin drives what they
// write zeros to.

// zeros is what a write is compared with.
var zeros [maxSectors * aoe.SectorSize]byte

func (op SetThin) apply(t *Target) error {
	d, err := t.findDrive(op.Drive)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	d.thin = op.Thin
	for p := range d.eachPort() {
		p.thin.Store(op.Thin)
	}
	return nil
}

// trim starts DATA SET MANAGEMENT, whose payload lists ranges. All of them are
// checked before the first is given up.
func (w *worker) trim(p *port, d *device, reply aoe.Header, a aoe.ATA, q ata.Request, payload []byte) {
	n := q.Blocks * aoe.SectorSize
	if len(payload) < n || !ata.RangesFit(payload[:n], p.capacity(d)) {
		w.abort(p, reply, a, q)
		return
	}
	q.LBA, q.Sectors = 0, q.Blocks
	w.transfer(p, d, reply, a, OpDiscard, q, payload[:n])
}

// ranged reports whether r has no data for the store.
func (r *request) ranged() bool { return r.op == OpDiscard || r.op == OpPunch }

// startRanges is start for an operation on ranges.
func (w *worker) startRanges(r *request) {
	if r.began == 0 {
		r.began = w.now()
	}
	if r.op == OpPunch {
		w.queue.SubmitRange(r.device.store, OpPunch, r.offset(), int64(len(r.data())), r.token)
		return
	}
	r.next = 0
	if !w.nextRange(r) {
		w.finish(r, nil) // it has no range
	}
}

// nextRange submits the next range of a trim, and reports whether there was one. A
// trim of all that one command can name, 2 GiB, keeps a slow device for longer than
// any drain waits, so there are no more once somebody waits for the device: what is
// not given up keeps its contents, as after any trim that a device ignores
// (ACS-3 7.5: the data is then indeterminate; IDENTIFY promises no zeros).
func (w *worker) nextRange(r *request) bool {
	list := r.data()
	for r.next < ata.Ranges(list) && r.device.order.hurries.Load() == 0 {
		span := ata.RangeAt(list, r.next)
		r.next++
		if span.Sectors == 0 {
			continue
		}
		first := (r.lba + span.LBA) * aoe.SectorSize // r.lba is where the drive begins in the store
		w.queue.SubmitRange(r.device.store, OpDiscard, int64(first), int64(span.Sectors)*aoe.SectorSize, r.token)
		return true
	}
	return false
}
