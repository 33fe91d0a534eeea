package disk

import "golang.org/x/sys/unix"

// try carries a request out if the page cache alone can do so, and reports whether it did.
//
// Reads use RWF_NOWAIT (preadv2(2)), which answers EAGAIN or less than was asked for instead of waiting for the device.
// Writes use it too where the file system has it for the page cache (xfs, btrfs). ext4 and block devices have not, and
// there a plain write is not tried, although it mostly returns at once: it waits for the device when it covers a page in
// part that is not cached, when the page is being written back, when the journal commits, and when too much is dirty; and
// the one goroutine that waits serves all exports. Such writes go through Submit.
// A file in memory only (see onTmpfs) waits for nothing, and is read and written plainly.
func (s *Store) try(op Op, data []byte, offset int64, e *ends) (done bool, err error) {
	if refused, err := s.refuse(op, data, offset); refused {
		return true, err
	}
	switch {
	case op == Read && !s.usesDirect(op, data, offset) && !s.inParts(op, len(data), offset):
		return s.tryRead(data, offset), nil
	case op == Write && s.Policy() == Writeback:
		return s.tryWrite(data, offset, e), nil
	}
	return false, nil
}

func (s *Store) tryRead(data []byte, offset int64) (done bool) {
	if s.noNowaitRead.Load() {
		return false
	}
	n, errno := s.inline(unix.SYS_PREAD64, unix.SYS_PREADV2, data, offset)
	if refusesNowait(errno) {
		s.noNowaitRead.Store(true)
	}
	return errno == 0 && n == len(data)
}

func (s *Store) tryWrite(data []byte, offset int64, e *ends) (done bool) {
	if s.noNowaitWrite.Load() {
		return false
	}
	if e.check(s, data, offset) != nil {
		return false // Submit finds the same, and reports it
	}
	n, errno := s.inline(unix.SYS_PWRITE64, unix.SYS_PWRITEV2, data, offset)
	if refusesNowait(errno) {
		s.noNowaitWrite.Store(true)
	}
	return errno == 0 && n == len(data)
}

// inline makes the call that does not wait: plain for a file in memory, where RWF_NOWAIT is neither needed nor known, and
// pread64 takes a quarter less time than preadv2; else vectored.
func (s *Store) inline(plain, vectored uintptr, data []byte, offset int64) (int, unix.Errno) {
	if s.memory.Load() {
		return transferPlain(plain, s.fd, data, offset)
	}
	return transferInline(vectored, s.fd, data, offset, unix.RWF_NOWAIT)
}

// refusesNowait reports whether an error says that there will never be a call without waiting: preadv2(2) gives
// EOPNOTSUPP, kernels before 4.13 EINVAL, before 4.6 ENOSYS.
func refusesNowait(errno unix.Errno) bool {
	return errno == unix.EOPNOTSUPP || errno == unix.EINVAL || errno == unix.ENOSYS
}
