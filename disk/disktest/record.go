package disktest

import "syscall"

// Step is the beginning or the end of a write or flush. Reads are not recorded.
type Step struct {
	ID     uint64 // the same at both ends
	Op     Op     // Write or Flush
	Offset int64
	Data   []byte // of a write; only until the function that takes the Step returns
	Sync   bool   // the write was asked to be durable by itself, by O_DSYNC or RWF_DSYNC
	Ended  bool
	Errno  syscall.Errno // at the end
}

// Record has record take every step from now on, one after the other; nil ends
// that. A step that ended is recorded before anybody is told that it has, and one
// that begins before anything of it is done. record must not use the disk.
func (d *Disk) Record(record func(Step)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.record = record
}
