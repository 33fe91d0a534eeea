package disk

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// A store keeps its claim, and its descriptors their numbers, when it begins to take writes: what was opened first goes on
// to hold the claim (open(2) O_EXCL, or flock(2)) under another number, and dup3(2) puts what was opened for writing in its
// place in one step. So no one else gets in between, the claim is no obstacle to ourselves, and whoever asks for the size
// meanwhile finds a descriptor.

// SetWritable has a store that was opened read-only take writes; one that does is left as it is. No request may be in
// flight, and none begin, until it returns. It fails, and changes nothing, with EROFS when the medium is read-only, EBUSY
// when others read the file under a claim of their own, EACCES, or what else the kernel said.
func (s *Store) SetWritable() error {
	s.changing.Lock()
	defer s.changing.Unlock()
	if !s.ReadOnly() {
		return nil
	}
	if err := s.reopen(); err != nil {
		return openError(s.path, err)
	}
	return nil
}

// reopen opens for writing what is open already, and then for the claim of a writer; changing is held.
func (s *Store) reopen() error {
	plain, err := s.openAgain(unix.O_RDWR)
	if err != nil {
		return err
	}
	defer unix.Close(plain)
	if s.id.block && blockReadOnly(plain) {
		return unix.EROFS
	}
	direct := -1
	if s.directFD >= 0 {
		if direct, err = s.openAgain(unix.O_RDWR | unix.O_DIRECT); err != nil {
			return err
		}
		defer unix.Close(direct)
	}
	if err := s.keepClaim(); err != nil {
		return err
	}
	if err := s.claimForWriting(); err != nil {
		return err
	}
	if err := replace(s.fd, plain); err != nil {
		return err
	}
	if direct >= 0 {
		if err := replace(s.directFD, direct); err != nil {
			return err
		}
	}
	s.readOnly.Store(false)
	return nil
}

// openAgain opens what s has open, through its descriptor: the path may lead elsewhere by now. Without O_EXCL, as the claim
// is held by the first descriptor.
func (s *Store) openAgain(flags int) (fd int, err error) {
	again := fmt.Sprintf("/proc/self/fd/%d", s.fd)
	err = ignoringEINTR(func() (err error) {
		fd, err = unix.Open(again, flags|unix.O_CLOEXEC|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
		return err
	})
	return fd, err
}

// keepClaim gives what holds the claim a descriptor that stays.
func (s *Store) keepClaim() (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.claimFD < 0 {
		s.claimFD, err = unix.FcntlInt(uintptr(s.fd), unix.F_DUPFD_CLOEXEC, 0)
	}
	return err
}

// claimForWriting makes the shared claim of a regular file exclusive. A refused change of a lock loses it (flock(2)), so
// that it is taken anew.
func (s *Store) claimForWriting() error {
	if s.id.block || !s.claimed {
		return nil
	}
	lock := func(how int) error {
		return ignoringEINTR(func() error { return unix.Flock(s.claimFD, how|unix.LOCK_NB) })
	}
	err := lock(unix.LOCK_EX)
	if !errors.Is(err, unix.EWOULDBLOCK) {
		return err
	}
	if lock(unix.LOCK_SH) != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.claimNote = "another has taken it for writing, so it may change"
	}
	return unix.EBUSY
}

// replace has fd lead to what with is open on.
func replace(fd, with int) error {
	return ignoringEINTR(func() error { return unix.Dup3(with, fd, unix.O_CLOEXEC) })
}
