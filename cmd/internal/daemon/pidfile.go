package daemon

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// PIDFile is a file with the number of this process, locked while it lives.
type PIDFile struct{ file *os.File }

// ErrRunning is that of a pid file which another process has locked.
var ErrRunning = errors.New("another instance is running")

// errReplaced is that of a file that its owner removed while we opened it.
var errReplaced = errors.New("the pid file is removed again and again by others")

// WritePIDFile takes the file at path: a number and a newline, mode 0644, with
// a lock as of lockf(3). It refuses one that another process has locked, with
// ErrRunning, and one that holds anything but a number; stale is what an ended
// process left in it.
func WritePIDFile(path string) (p *PIDFile, stale string, err error) {
	for range 100 {
		if p, stale, err = writePIDFile(path); !errors.Is(err, errReplaced) {
			break
		}
	}
	if err != nil {
		err = fmt.Errorf("pid file %s: %w", path, err)
	}
	return p, stale, err
}

func writePIDFile(path string) (p *PIDFile, stale string, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o644)
	if errors.Is(err, unix.ELOOP) {
		err = errors.New("a symbolic link: remove it, or give the file itself")
	}
	if err != nil {
		return nil, "", err
	}
	if stale, err = fillPIDFile(f, path); err != nil {
		return nil, "", errors.Join(err, f.Close())
	}
	return &PIDFile{f}, stale, nil
}

func fillPIDFile(f *os.File, path string) (stale string, err error) {
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", errors.Join(err, errors.New("no regular file: give another path"))
	}
	left, err := io.ReadAll(io.LimitReader(f, 32))
	if err != nil {
		return "", err
	}
	stale = strings.TrimSpace(string(left))
	if strings.Trim(stale, "0123456789") != "" {
		return "", errors.New("it holds something else than the number of a process: give another path, or remove it")
	}
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	if err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &lock); err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES) {
		return "", fmt.Errorf("lock: %w", err)
	} else if err != nil {
		return "", fmt.Errorf("%w (process %q): end it, or give another path: %w", ErrRunning, stale, err)
	}
	if !inPlace(f, path) { // who had it locked has just ended
		return "", errReplaced
	}
	if err := f.Truncate(0); err != nil {
		return "", err
	}
	_, err = f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	return stale, err
}

// inPlace reports whether f is what is at path.
func inPlace(f *os.File, path string) bool {
	mine, err := f.Stat()
	there, errThere := os.Lstat(path)
	return err == nil && errThere == nil && os.SameFile(mine, there)
}

// Remove takes the file away, unless somebody has put another in its place.
func (p *PIDFile) Remove() error {
	var err error
	if inPlace(p.file, p.file.Name()) {
		err = os.Remove(p.file.Name())
	}
	return errors.Join(err, p.file.Close())
}
