package disk

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// directState is what setUpDirect found out.
type directState struct {
	known bool
	note  string // why O_DIRECT is not used; empty if it is
}

// setUpDirect opens the second descriptor, the one with O_DIRECT, if the store can have one.
func (s *Store) setUpDirect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.direct.known {
		return
	}
	s.direct.known = true
	offsetAlign, memAlign, err := directAlign(s.fd)
	switch {
	case err != nil:
		s.direct.note = fallbackNote(err.Error())
		return
	case offsetAlign > maxBlockBytes:
		s.direct.note = fallbackNote(fmt.Sprintf("it needs blocks of %d bytes", offsetAlign))
		return
	}
	mode := unix.O_RDWR
	if s.ReadOnly() {
		mode = unix.O_RDONLY
	}
	fd, err := s.openAgain(mode | unix.O_DIRECT)
	if err != nil {
		s.direct.note = fallbackNote("open with O_DIRECT: " + err.Error())
		return
	}
	s.directFD, s.offsetAlign, s.memAlign = fd, int64(offsetAlign), uintptr(memAlign)
	if offsetAlign > SectorBytes {
		s.blocks = new(blockLocks)
	}
}

func fallbackNote(reason string) string {
	return "direct I/O is not possible (" + reason + "), so each write is made durable through the page cache"
}

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

// isDirect reports whether requests go through the O_DIRECT descriptor if they can.
func (s *Store) isDirect() bool { return s.Policy() == Direct && s.directFD >= 0 }

// usesDirect reports whether a request goes through the O_DIRECT descriptor as it is.
func (s *Store) usesDirect(data []byte, offset int64) bool {
	return s.isDirect() && (offset|int64(len(data)))&(s.offsetAlign-1) == 0
}
