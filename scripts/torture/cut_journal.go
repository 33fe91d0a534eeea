package main

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"vbladefs/disk/disktest"
	"vbladefs/scripts/torture/powercut"
	"vbladefs/target/aoe"
)

// journal puts what reaches the disk into a log. That a write was asked to be
// durable by itself counts for nothing: a FUSE file system is told so in a flag that most
// never look at, and only a flush is a flush.
type journal struct {
	log     *powercut.Log
	forgets bool

	mu   sync.Mutex
	open map[uint64]int // operations of the log, by step
	bad  error
}

// step takes a step of the disk.
func (j *journal) step(s disktest.Step) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case s.Ended:
		j.log.End(j.open[s.ID], s.Errno != 0 || s.Op == disktest.Flush && j.forgets)
		delete(j.open, s.ID)
	case s.Op == disktest.Flush:
		j.open[s.ID] = j.log.BeginFlush()
	default:
		j.open[s.ID] = j.log.BeginWrite(int(s.Offset/aoe.SectorSize), j.gens(s), false)
	}
}

// gens are the generations of the sectors of a write.
func (j *journal) gens(s disktest.Step) []uint32 {
	if s.Offset%aoe.SectorSize != 0 || len(s.Data)%aoe.SectorSize != 0 {
		j.bad = fmt.Errorf("a write of %d bytes at %d reached the disk: a sector may be torn", len(s.Data), s.Offset)
	}
	gens := make([]uint32, len(s.Data)/aoe.SectorSize)
	for i := range gens {
		gens[i] = powercut.Gen(s.Data[i*aoe.SectorSize:], int(s.Offset/aoe.SectorSize)+i)
	}
	return gens
}

// explains reports whether the journal and what the disk holds agree.
func (j *journal) explains(disk *disktest.Disk) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.open) > 0 {
		return fmt.Errorf("%d writes and flushes have not ended, although the daemon has", len(j.open))
	}
	content := disk.Contents()
	gens := make([]uint32, len(content)/aoe.SectorSize)
	for i := range gens {
		gens[i] = powercut.Gen(content[i*aoe.SectorSize:], i)
	}
	if at := j.log.Differs(gens); at >= 0 && j.bad == nil {
		j.bad = fmt.Errorf("sector %d of the disk is not what the journal says: generation %d", at, gens[at])
	}
	return j.bad
}

// startWriteback has the kernel write parts of its cache of a block device to it, now
// and then and in no order, as it does when memory is short, until stop.
func startWriteback(device string) (stop func()) {
	fd, err := unix.Open(device, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return func() {}
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		defer syscall.Close(fd)
		for {
			select {
			case <-end:
				return
			default:
			}
			_ = unix.SyncFileRange(fd, rand.Int64N(cutHot)*aoe.SectorSize, 8*aoe.SectorSize,
				unix.SYNC_FILE_RANGE_WAIT_BEFORE|unix.SYNC_FILE_RANGE_WRITE|unix.SYNC_FILE_RANGE_WAIT_AFTER)
		}
	}()
	return func() {
		close(end)
		<-ended
	}
}
