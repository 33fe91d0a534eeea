// Package disktest has a disk with faults for tests: a file of a FUSE file
// system, in memory, whose reads, writes and flushes a test makes fail, wait or
// take their time.
//
//	daemon ── pread, io_uring … ── kernel ── FUSE ─▶ Disk ─▶ fault, or memory
//
// Whoever reads and writes the file must be another process than the one that
// serves it, or must at least use it on threads that may hang. It is not for use
// outside tests and the fault laboratory.
package disktest

import (
	"fmt"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// Op is what is done to a disk.
type Op uint8

// The operations, which may be added up to a set.
const (
	Read Op = 1 << iota
	Write
	Flush
	Open // for Stall only
	All  = Read | Write | Flush
)

// Disk is one disk. Its methods are for any goroutine.
type Disk struct {
	dir    string
	server *fuse.Server

	aborted bool // by the goroutine that will close it

	mu       sync.Mutex
	calm     *sync.Cond // when stalled becomes 0
	data     []byte     // guarded by mu, as what follows
	faults   []fault    // the first that matches counts
	hook     Hook       // or nil
	record   func(Step) // or nil
	steps    uint64     // operations that were recorded
	stalled  Op         // operations that wait
	waiting  int        // how many do
	vanished bool
	done     map[Op]uint64 // operations that succeeded
	failed   map[Op]uint64
}

// Hook decides about an operation on n bytes at offset: how long it takes, and
// if errno is not 0 how it then fails. Many goroutines call it at a time.
type Hook func(op Op, offset, n int64) (takes time.Duration, errno syscall.Errno)

// fault fails operations on bytes from first to before end.
type fault struct {
	ops        Op
	first, end int64
	errno      syscall.Errno
}

// Mount mounts a disk with that content on dir, a folder that exists. It needs
// root and /dev/fuse. The disk has the content from now on, and Close ends it.
func Mount(dir string, content []byte) (*Disk, error) {
	d := &Disk{dir: dir, data: content, done: map[Op]uint64{}, failed: map[Op]uint64{}}
	d.calm = sync.NewCond(&d.mu)
	none := time.Duration(0)
	options := &fs.Options{EntryTimeout: &none, AttrTimeout: &none, NegativeTimeout: &none,
		MountOptions: fuse.MountOptions{FsName: "disktest", Name: "disktest", AllowOther: true, DirectMountStrict: true,
			DisableXAttrs: true, MaxWrite: 1 << 20, MaxBackground: 256, DirectMountFlags: unix.MS_NOSUID | unix.MS_NODEV}}
	server, err := fuse.NewServer(flagged{fs.NewNodeFS(&folder{disk: d}, options), d}, dir, &options.MountOptions)
	if err == nil {
		go server.Serve()
		err = server.WaitMount()
	}
	if err != nil {
		return nil, fmt.Errorf("mounting a disk on %s: %w", dir, err)
	}
	d.server = server
	return d, nil
}

// Path is where the disk is.
func (d *Disk) Path() string { return filepath.Join(d.dir, name) }

// Close ends all faults and unmounts the disk, lazily if it is still in use.
func (d *Disk) Close() error {
	d.Heal()
	if d.aborted {
		return nil
	}
	if err := d.server.Unmount(); err != nil {
		return unix.Unmount(d.dir, unix.MNT_DETACH)
	}
	return nil
}

// Fail makes operations of the set ops fail that touch a byte from first to
// before end, or with end -1 to the end of the disk. A Flush touches all.
func (d *Disk) Fail(ops Op, first, end int64, errno syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if end < 0 {
		end = int64(len(d.data))
	}
	d.faults = append(d.faults, fault{ops, first, end, errno})
}

// Hook has hook decide about every operation, before other faults are looked
// for. nil ends that.
func (d *Disk) Hook(hook Hook) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hook = hook
}

// Stall lets operations of the set ops wait until Heal.
func (d *Disk) Stall(ops Op) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stalled = ops
}

// Vanish has every operation fail with ENODEV and every lookup with ENOENT,
// until Heal, as if the disk had been pulled.
func (d *Disk) Vanish() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.vanished = true
}

// Heal ends all faults; what waits goes on.
func (d *Disk) Heal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults, d.hook, d.stalled, d.vanished = nil, nil, 0, false
	d.calm.Broadcast()
}

// Waiting is the number of operations that wait now since the disk is stalled.
func (d *Disk) Waiting() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.waiting
}

// Counts returns how many operations of one kind were done, and how many failed, so far.
func (d *Disk) Counts(op Op) (done, failed uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.done[op], d.failed[op]
}

// Contents is a copy of what the disk holds.
func (d *Disk) Contents() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]byte(nil), d.data...)
}

// do meets the faults that there are for an operation on n bytes at offset, and
// if it is to succeed carries it out. It is recorded as step s says.
func (d *Disk) do(op Op, offset, n int64, s Step, act func()) (errno syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if record := d.record; record != nil && op != Read {
		d.steps++
		s.ID, s.Op, s.Offset = d.steps, op, offset
		record(s)
		defer func() {
			s.Ended, s.Errno = true, errno
			record(s)
		}()
	}
	var hooked syscall.Errno
	if hook := d.hook; hook != nil {
		d.mu.Unlock()
		var takes time.Duration
		takes, hooked = hook(op, offset, n)
		time.Sleep(takes)
		d.mu.Lock()
	}
	d.stallLocked(op)
	errno = d.errnoLocked(op, offset, n)
	if errno == 0 {
		errno = hooked
	}
	if errno != 0 {
		d.failed[op]++
		return errno
	}
	act()
	d.done[op]++
	return 0
}

func (d *Disk) stallLocked(op Op) {
	for d.stalled&op != 0 {
		d.waiting++
		d.calm.Wait()
		d.waiting--
	}
}

func (d *Disk) errnoLocked(op Op, offset, n int64) syscall.Errno {
	if d.vanished {
		return syscall.ENODEV
	}
	for _, f := range d.faults {
		if f.ops&op != 0 && (op == Flush || offset < f.end && f.first < offset+n) {
			return f.errno
		}
	}
	return 0
}

// Abort ends the file system under those who use it, who get errors such as
// ENOTCONN from now on. Only Close and Contents are of use afterwards.
func (d *Disk) Abort() error {
	d.Heal()
	d.aborted = true
	return unix.Unmount(d.dir, unix.MNT_FORCE|unix.MNT_DETACH)
}
