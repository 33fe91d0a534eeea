package disk

import (
	"fmt"
	"math/bits"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Store is one opened and claimed backing store. Its methods may be called from any goroutine, but Close only once no
// request is in flight on any queue and none follows.
//
// What a request needs comes first, in as few lines of the processor's cache as can be: of thousands of stores it holds
// none.
type Store struct {
	fd        int // through the page cache
	sizeBytes atomic.Int64
	policy    atomic.Uint32
	readOnly  atomic.Bool

	// What this kernel and file system cannot do, learned from the first refusal; see try.go.
	memory         atomic.Bool // file that lies in memory only: its reads and writes never wait
	noNowaitRead   atomic.Bool
	noNowaitWrite  atomic.Bool
	noDsync        atomic.Bool
	noNowaitDirect atomic.Bool
	mergePause     atomic.Int32 // see uringmerge.go

	// Written once, under changing, before policy first becomes Direct; requests read them only when it is.
	directFD    int // -1: O_DIRECT cannot be used
	offsetAlign int64
	memAlign    uintptr
	blocks      *blockLocks // nil: the medium takes single sectors

	id     identity
	tmpfs  bool // file on a tmpfs
	path   string
	closed atomic.Bool

	syncs syncs

	where atomic.Uint32 // whereabouts of a file, as of the last Refresh

	changing sync.Mutex // held during the set-up of direct I/O and SetWritable, which may hang; comes before mu

	mu        sync.Mutex  // guards the notes and the claim; nothing that may hang holds it
	direct    directState // changed with changing held, too
	claimNote string
	claimed   bool // others are kept off it; changed by Open only
	claimFD   int  // holds the claim since SetWritable; -1: fd does; changed with changing held, too
}

// SizeBytes returns the size found by Open or the last Refresh. The last sector may be incomplete.
func (s *Store) SizeBytes() int64 { return s.sizeBytes.Load() }

// ReadOnly reports whether writes are refused (EROFS): until SetWritable, in a store that was opened so.
func (s *Store) ReadOnly() bool { return s.readOnly.Load() }

// Key is the identity of what was opened, as Identify names it.
func (s *Store) Key() string { return s.id.String() }

// Path returns the path given to Open.
func (s *Store) Path() string { return s.path }

// Device returns the number of the block device, 0:0 for a regular file.
func (s *Store) Device() (major, minor uint32) {
	if !s.id.block {
		return 0, 0
	}
	return unix.Major(s.id.device), unix.Minor(s.id.device)
}

// Policy returns the policy in force. Where Direct had to fall back, it is still Direct, and Note says so.
func (s *Store) Policy() Policy { return Policy(s.policy.Load()) }

// SetPolicy changes the policy; requests that begin after it returned follow it. No write may be in flight meanwhile: what
// goes through the page cache and what does not undo each other's changes to parts of a page (open(2), O_DIRECT), or of a
// block that is read and written for the sake of a sector. It fails with EINVAL only.
func (s *Store) SetPolicy(p Policy) error {
	if p > Durable {
		return fmt.Errorf("%s: cache %v: %w: use writeback, direct or durable", s.path, p, unix.EINVAL)
	}
	if p != Writeback {
		s.setUpDirect()
	}
	if Policy(s.policy.Swap(uint32(p))) == Direct && p != Direct && s.directFD >= 0 {
		s.dropCache()
	}
	return nil
}

// Flush makes every write that finished before it durable. It may wait for the device for long.
func (s *Store) Flush() error {
	if s.ReadOnly() {
		return nil
	}
	if err := s.sync(s.Losses()); err != nil {
		return fmt.Errorf("flush %s: %w: see the kernel's log", s.path, err)
	}
	return nil
}

// Refresh asks the kernel for the size again, makes it the size that writes are checked against, and returns it.
func (s *Store) Refresh() (sizeBytes int64, err error) {
	if s.id.block {
		sizeBytes, err = blockSizeBytes(s.fd)
	} else {
		var at whereabouts
		sizeBytes, at, err = s.lookAtFile()
		s.where.Store(uint32(at))
		if s.tmpfs {
			s.memory.Store(withoutSwap())
		}
	}
	if err != nil {
		return 0, fmt.Errorf("size of %s: %w: see the kernel's log", s.path, err)
	}
	s.sizeBytes.Store(sizeBytes)
	return sizeBytes, nil
}

// Note returns what a user should know of how the store works, such as why direct I/O is not used; empty if nothing.
func (s *Store) Note() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var notes []string
	if note := whereaboutsNotes[s.where.Load()]; note != "" {
		notes = append(notes, note)
	}
	if s.claimNote != "" {
		notes = append(notes, s.claimNote)
	}
	if s.Policy() != Writeback && s.direct.reason != "" {
		notes = append(notes, fallbackNote(s.Policy(), s.direct.reason))
	}
	return strings.Join(notes, "; ")
}

// Close releases the store and its claim. It does not flush. A second Close does nothing.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	for _, fd := range []int{s.directFD, s.claimFD} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	if err := unix.Close(s.fd); err != nil {
		return fmt.Errorf("close %s: %w: its last writes may be lost", s.path, err)
	}
	return nil
}

// blockReadOnly reports whether the kernel refuses writes to a block device; opening one for writing may succeed all
// the same.
func blockReadOnly(fd int) bool {
	value, err := unix.IoctlGetUint32(fd, unix.BLKROGET)
	return err == nil && value != 0
}

// onTmpfs reports whether a file lies in memory, or in swap. Only 64-bit machines have the calls for that (transferPlain).
func onTmpfs(fd int) bool {
	var fs unix.Statfs_t
	return bits.UintSize == 64 && unix.Fstatfs(fd, &fs) == nil && fs.Type == unix.TMPFS_MAGIC
}

// keepsDsync reports whether a file's system is known to have a write with RWF_DSYNC on the medium before it returns. Others
// get a flush after the write: FUSE, of all kinds, only hands the flag on (fuse_write_flags in the kernel's fs/fuse/file.c) to
// a server that mostly does not look at it.
func keepsDsync(fd int) bool {
	var fs unix.Statfs_t
	if err := ignoringEINTR(func() error { return unix.Fstatfs(fd, &fs) }); err != nil {
		return false
	}
	switch fs.Type {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC, unix.TMPFS_MAGIC:
		return true // EXT4_SUPER_MAGIC is that of ext2 and ext3, too
	}
	return false
}

// withoutSwap reports whether what lies in memory is never written elsewhere. It is asked again with the size, should swap
// be added.
func withoutSwap() bool {
	var info unix.Sysinfo_t
	return unix.Sysinfo(&info) == nil && info.Totalswap == 0
}
