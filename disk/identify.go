package disk

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// identity is what tells one backing store from another, whatever path led to it.
type identity struct {
	block  bool
	device uint64 // the block device itself, or the device a regular file lies on
	inode  uint64 // of a regular file
}

// Identify returns a key that is equal for all paths that lead to the same store: "block MAJOR:MINOR" for a block device,
// "file MAJOR:MINOR/INODE" for a regular file. It follows symbolic links and opens nothing. Its errors wrap a
// syscall.Errno, as those of Open do.
func Identify(path string) (key string, err error) {
	id, err := statIdentity(path)
	if err != nil {
		return "", err
	}
	return id.String(), nil
}

func (id identity) String() string {
	if id.block {
		return fmt.Sprintf("block %d:%d", unix.Major(id.device), unix.Minor(id.device))
	}
	return fmt.Sprintf("file %d:%d/%d", unix.Major(id.device), unix.Minor(id.device), id.inode)
}

func statIdentity(path string) (identity, error) {
	var st unix.Stat_t
	err := ignoringEINTR(func() error { return unix.Stat(path, &st) })
	if err != nil {
		return identity{}, openError(path, err)
	}
	return identityOf(path, &st)
}

func identityOf(path string, st *unix.Stat_t) (identity, error) {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFBLK:
		return identity{block: true, device: uint64(st.Rdev)}, nil
	case unix.S_IFREG:
		return identity{device: uint64(st.Dev), inode: st.Ino}, nil
	case unix.S_IFDIR:
		return identity{}, openError(path, unix.EISDIR)
	}
	return identity{}, openError(path, unix.ENOTBLK)
}

// advice says what to do next about an error of Open or Identify.
var advice = map[unix.Errno]string{
	unix.ENOENT:  "check the path",
	unix.ENOTDIR: "check the path",
	unix.ELOOP:   "check the symbolic links of the path",
	unix.EACCES:  "allow this user to open it, or export it read-only",
	unix.EPERM:   "allow this user to open it, or export it read-only",
	unix.EISDIR:  "name a regular file or a block device",
	unix.ENOTBLK: "name a regular file or a block device",
	unix.EROFS:   "nothing can be written there",
	unix.EBUSY:   "unmount it or end what uses it",
	unix.ENXIO:   "give it at least one sector of 512 bytes, or attach its medium",
	unix.EAGAIN:  "it was replaced while it was opened, so try again",
	unix.EDEADLK: "it is a file of this daemon itself, so name another",
	unix.EMFILE:  "raise the limit of open files",
	unix.ENFILE:  "raise the system's limit of open files",
}

// openError names the path and the remedy; the errno stays reachable with errors.As.
func openError(path string, err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) && advice[errno] != "" {
		return fmt.Errorf("open %s: %w: %s", path, err, advice[errno])
	}
	return fmt.Errorf("open %s: %w: see the kernel's log", path, err)
}

// ignoringEINTR repeats a call that a signal interrupted; the Go runtime sends signals to its own threads.
func ignoringEINTR(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
