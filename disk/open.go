package disk

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Open opens and claims the regular file or block device that path leads to. Block devices are claimed with O_EXCL,
// which refuses a mounted one; regular files with flock, exclusive for writing and shared for reading.
//
// Its errors name the path and the remedy and wrap a syscall.Errno: ENOENT, EACCES, EISDIR (a directory), ENOTBLK (a
// character device, FIFO or socket), EROFS (ReadWrite of a read-only medium), EBUSY (claimed by another), ENXIO (smaller
// than a sector), or what else the kernel said.
func Open(path string, o Options) (*Store, error) {
	// Looked at before it is opened: opening a FIFO or a character device has effects of its own.
	id, err := statIdentity(path)
	if err != nil {
		return nil, err
	}
	fd, readOnly, err := openAccess(path, id, o)
	if err == nil && scarce(fd) {
		unix.Close(fd)
		err = unix.EMFILE
	}
	if err != nil {
		return nil, openError(path, err)
	}
	s := &Store{path: path, id: id, fd: fd, directFD: -1, claimFD: -1}
	s.readOnly.Store(readOnly)
	s.syncs.turn.L = &s.syncs.mu
	if err := s.prepare(o); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// prepare makes the checks and settings that need the open descriptor.
func (s *Store) prepare(o Options) error {
	if o.Claim != nil {
		if err := s.joinClaim(o.Claim); err != nil {
			return openError(s.path, err)
		}
	}
	if !o.Force {
		if err := s.claim(); err != nil {
			return openError(s.path, err)
		}
	}
	s.tmpfs = !s.id.block && onTmpfs(s.fd)
	s.noDsync.Store(!s.id.block && !keepsDsync(s.fd))
	sizeBytes, err := s.Refresh()
	if err != nil {
		return err
	}
	if sizeBytes < SectorBytes {
		return openError(s.path, unix.ENXIO)
	}
	if s.id.block && o.Claim == nil {
		// Another host may have written it since somebody here read it, and has it open still: a disk that hosts share.
		// The kernel keeps those pages until the last one closes it. Of files it knows who writes them.
		s.dropCache()
	}
	return s.SetPolicy(o.Policy)
}

// openAccess opens for what the options ask, and reports whether the result is read-only.
func openAccess(path string, id identity, o Options) (fd int, readOnly bool, err error) {
	if o.Access == ReadOnly {
		fd, err = openChecked(path, id, unix.O_RDONLY, o.claims())
		return fd, true, err
	}
	fd, err = openChecked(path, id, unix.O_RDWR, o.claims())
	if err == nil && id.block && blockReadOnly(fd) {
		unix.Close(fd)
		err = unix.EROFS
	}
	switch {
	case err == nil:
		return fd, false, nil
	case err != unix.EROFS && err != unix.EACCES && err != unix.EPERM:
		return -1, false, err
	}
	rwErr := err
	fd, err = openChecked(path, id, unix.O_RDONLY, o.claims())
	if err == nil && o.Access == Auto {
		return fd, true, nil
	}
	if err == nil {
		// A read-only block device can refuse O_RDWR with EACCES; the reason to give is the medium.
		if id.block && blockReadOnly(fd) {
			rwErr = unix.EROFS
		}
		unix.Close(fd)
	}
	return -1, false, rwErr
}

// openChecked opens path and makes sure that it still leads to id. O_NONBLOCK: should path be replaced by a FIFO
// meanwhile, open(2) must not wait for its other end.
func openChecked(path string, id identity, mode int, exclusive bool) (int, error) {
	flags := mode | unix.O_CLOEXEC | unix.O_NOCTTY | unix.O_NONBLOCK
	if id.block && exclusive {
		flags |= unix.O_EXCL // open(2): without O_CREAT, EBUSY if the block device is in use, such as mounted
	}
	var fd int
	err := ignoringEINTR(func() (err error) {
		fd, err = unix.Open(path, flags, 0)
		return err
	})
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil {
		var now identity
		if now, err = identityOf(path, &st); err != nil || now != id {
			err = unix.EAGAIN
		}
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// claims reports whether the descriptor that is opened is to claim what it leads to.
func (o Options) claims() bool { return !o.Force && o.Claim == nil }

// claim keeps others off a regular file; a block device was claimed when it was opened.
func (s *Store) claim() error {
	if s.id.block {
		return nil
	}
	how := unix.LOCK_EX
	if s.ReadOnly() {
		how = unix.LOCK_SH
	}
	claim := s.fd
	if s.claimFD >= 0 {
		claim = s.claimFD
	}
	err := ignoringEINTR(func() error { return unix.Flock(claim, how|unix.LOCK_NB) })
	switch {
	case err == unix.EWOULDBLOCK:
		return unix.EBUSY
	case err == unix.ENOLCK, errors.Is(err, errors.ErrUnsupported):
		s.claimNote = "its file system has no locks, so others are not kept off it"
		return nil
	}
	s.claimed = err == nil
	return err
}
