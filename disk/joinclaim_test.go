package disk

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// claimOf is the claim of s as another process would get it.
func claimOf(t *testing.T, s *Store) *os.File {
	t.Helper()
	fd, err := unix.FcntlInt(uintptr(s.Claim()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "claim")
	t.Cleanup(func() { f.Close() })
	return f
}

// TestJoinClaim has a claim go from store to store: there is no moment without it.
func TestJoinClaim(t *testing.T) {
	for _, place := range []string{"file", "tmpfs", "loop"} {
		t.Run(place, func(t *testing.T) {
			path, _ := places[place](t, 8192)
			s := open(t, path, Options{Policy: Direct})
			for range 3 { // the claim that was joined goes on, too
				before := descriptors(t)
				claim := claimOf(t, s)
				next := open(t, path, Options{Policy: Direct, Claim: claim})
				claim.Close()
				s.Close()
				if after := descriptors(t); after > before+1 {
					t.Errorf("%d descriptors, then %d", before, after)
				}
				_, err := Open(path, Options{})
				wantErrno(t, err, unix.EBUSY)
				s = next
			}
			s.Close()
			open(t, path, Options{}).Close()
		})
	}
}

// TestJoinClaimThatFails leaves the claim where it is.
func TestJoinClaimThatFails(t *testing.T) {
	path, _ := image(t, "", 8192)
	other, _ := image(t, "", 8192)
	s := open(t, path, Options{})
	claim := claimOf(t, s)
	_, err := Open(other, Options{Claim: claim})
	wantErrno(t, err, unix.EBUSY)
	open(t, path, Options{Claim: claim}).Close() // and gave up again
	claim.Close()
	_, err = Open(path, Options{})
	wantErrno(t, err, unix.EBUSY)
}
