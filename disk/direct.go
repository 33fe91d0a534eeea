package disk

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// directState is what setUpDirect found out.
type directState struct {
	known  bool
	reason string // why O_DIRECT is not used; empty if it is
}

// setUpDirect opens the second descriptor, the one with O_DIRECT, if the store can have one.
func (s *Store) setUpDirect() {
	s.changing.Lock()
	defer s.changing.Unlock()
	if s.direct.known {
		return
	}
	reason := s.openDirect()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.direct = directState{true, reason}
}

// openDirect returns why the store cannot have direct I/O, if so; changing is held.
func (s *Store) openDirect() (reason string) {
	offsetAlign, memAlign, err := directAlign(s.fd)
	switch {
	case err != nil:
		return err.Error()
	case offsetAlign > maxBlockBytes:
		return fmt.Sprintf("it needs blocks of %d bytes", offsetAlign)
	}
	mode := unix.O_RDWR
	if s.ReadOnly() {
		mode = unix.O_RDONLY
	}
	fd, err := s.openAgain(mode | unix.O_DIRECT)
	if err != nil {
		return "open with O_DIRECT: " + err.Error()
	}
	s.directFD, s.offsetAlign, s.memAlign = fd, int64(offsetAlign), uintptr(memAlign)
	if offsetAlign > SectorBytes {
		s.blocks = new(blockLocks)
	}
	return ""
}

// fallbackNote says what becomes of writes that cannot be direct.
func fallbackNote(p Policy, reason string) string {
	if p == Durable {
		return "direct I/O is not possible (" + reason + "), so writes go through the page cache, and a loss of power may tear a sector"
	}
	return "direct I/O is not possible (" + reason + "), so each write is made durable through the page cache"
}

// dropCache has the kernel forget what its cache has of the store, which may be out of date: readsDirect and prepare say why.
// What it cannot forget is being read just now, and so after the last write, or was written here and is not on the device yet.
func (s *Store) dropCache() { _ = unix.Fadvise(s.fd, 0, 0, unix.FADV_DONTNEED) }

// directAlign asks what O_DIRECT needs: statx(2), STATX_DIOALIGN, Linux 6.1. Zero alignments mean that the file cannot.
func directAlign(fd int) (offsetAlign, memAlign uint32, err error) {
	var st unix.Statx_t
	err = ignoringEINTR(func() error { return unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_DIOALIGN, &st) })
	switch {
	case err != nil:
		return 0, 0, fmt.Errorf("statx: %w", err)
	case st.Mask&unix.STATX_DIOALIGN == 0:
		return 0, 0, fmt.Errorf("its file system does not tell the alignment")
	case st.Dio_offset_align == 0 || st.Dio_mem_align == 0:
		return 0, 0, fmt.Errorf("its file system does not support it")
	case st.Dio_offset_align&(st.Dio_offset_align-1) != 0 || st.Dio_mem_align&(st.Dio_mem_align-1) != 0:
		return 0, 0, fmt.Errorf("its file system tells an odd alignment")
	case st.Dio_mem_align > pageBytes:
		return 0, 0, fmt.Errorf("it needs memory aligned to %d bytes", st.Dio_mem_align)
	}
	return st.Dio_offset_align, st.Dio_mem_align, nil
}

// readsDirect reports whether reads go through the O_DIRECT descriptor if they can. With Durable they may come from the page
// cache: its writes are calls that wait, at the end of which the kernel drops what the cache has of their pages. At the end of
// those that do not wait (the ring's) it does so for files only, and not for block devices (blkdev_direct_write in the kernel's
// block/fops.c): with Direct the page cache may be out of date.
func (s *Store) readsDirect() bool { return s.Policy() == Direct && s.directFD >= 0 }

// writesDirect reports whether writes go through the O_DIRECT descriptor if they can. Those of Durable do because the kernel may
// write a page of its cache to the device while the next write changes it, and a loss of power then leaves a torn sector.
func (s *Store) writesDirect() bool { return s.Policy() != Writeback && s.directFD >= 0 }

// directs reports whether an operation goes through the O_DIRECT descriptor if it can.
func (s *Store) directs(op Op) bool {
	if op == Read {
		return s.readsDirect()
	}
	return s.writesDirect()
}

// usesDirect reports whether a request goes through the O_DIRECT descriptor as it is.
func (s *Store) usesDirect(op Op, data []byte, offset int64) bool {
	return s.directs(op) && (offset|int64(len(data)))&(s.offsetAlign-1) == 0
}
