package disk

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Create makes a sparse file of so many bytes, for its owner alone, where nothing is; what is there must be a regular file
// of that size. undo removes what was made, unless somebody has written or claimed it since. Its errors name the path and wrap a syscall.Errno: EEXIST if what is there is
// something else, or what the kernel said.
func Create(path string, sizeBytes int64) (undo func(), err error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if errors.Is(err, unix.EEXIST) {
		return func() {}, sameSize(path, sizeBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: make it: %w", path, err)
	}
	var st unix.Stat_t
	undo = func() { removeUnused(path, &st) }
	err = unix.Ftruncate(fd, sizeBytes)
	if failed := unix.Fstat(fd, &st); err == nil {
		err = failed
	}
	if err == nil {
		err = unix.Fsync(fd)
	}
	_ = unix.Close(fd)
	if err == nil {
		err = syncFolder(path)
	}
	if err != nil {
		undo()
		return nil, fmt.Errorf("%s: make a sparse file of %d bytes: %w", path, sizeBytes, err)
	}
	return undo, nil
}

// removeUnused removes the file at path if it is the one that st is of, nobody has written it since, and nobody has
// claimed it: where a file system hung, long may have passed.
func removeUnused(path string, st *unix.Stat_t) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	var now unix.Stat_t
	if unix.Fstat(fd, &now) != nil || now.Dev != st.Dev || now.Ino != st.Ino || now.Size != st.Size || now.Mtim != st.Mtim {
		return
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return
	}
	_ = unix.Unlink(path)
}

// sameSize refuses what is at path unless it is what Create would make.
func sameSize(path string, sizeBytes int64) error {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size != sizeBytes {
		return fmt.Errorf("%s: %w, and is no file of %d bytes: leave size= away to take it as it is", path, unix.EEXIST, sizeBytes)
	}
	return nil
}

// syncFolder sees the name of path to the medium.
func syncFolder(path string) error {
	fd, err := unix.Open(filepath.Dir(path), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	err = unix.Fsync(fd)
	_ = unix.Close(fd)
	return err
}
