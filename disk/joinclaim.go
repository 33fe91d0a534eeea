package disk

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// A claim belongs to an open file description (flock(2), open(2) O_EXCL), so it goes from one process to another with a
// descriptor of that: both have it while both live, and nobody else gets in between.

// Claim is the descriptor that holds the claim of s, or would. It stays s's; a copy of it may be given to another process,
// which opens the same store with Options.Claim.
func (s *Store) Claim() (fd int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.claimFD >= 0 {
		return s.claimFD
	}
	return s.fd
}

// joinClaim makes a claim that another process gave away the one of s.
func (s *Store) joinClaim(claim *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(claim.Fd()), &st); err != nil {
		return fmt.Errorf("the claim that was handed over: %w", err)
	}
	if id, err := identityOf(s.path, &st); err != nil || id != s.id {
		return fmt.Errorf("the claim that was handed over is one of something else: %w", unix.EBUSY)
	}
	fd, err := unix.FcntlInt(claim.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	s.claimFD = fd
	return nil
}
