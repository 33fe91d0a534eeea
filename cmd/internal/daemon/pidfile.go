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

// WritePIDFile takes the file at path: a number and a newline, mode 0644, with
// a lock as of lockf(3). It refuses one that another process has locked; stale
// is what an ended one left in it.
func WritePIDFile(path string) (p *PIDFile, stale string, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o644)
	if errors.Is(err, unix.ELOOP) {
		err = fmt.Errorf("pid file %s is a symbolic link: remove it, or give the file itself", path)
	}
	if err != nil {
		return nil, "", err
	}
	if stale, err = fillPIDFile(f); err != nil {
		return nil, "", errors.Join(err, f.Close())
	}
	return &PIDFile{f}, stale, nil
}

func fillPIDFile(f *os.File) (stale string, err error) {
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("pid file %s is no regular file (%s)", f.Name(), info.Mode())
	}
	if err != nil {
		return "", err
	}
	left, err := io.ReadAll(io.LimitReader(f, 32))
	if err != nil {
		return "", err
	}
	stale = strings.TrimSpace(string(left))
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	if err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &lock); err != nil {
		return "", fmt.Errorf("another instance (process %q of pid file %s) is running: end it, or name another pid file: %w", stale, f.Name(), err)
	}
	if err := f.Truncate(0); err != nil {
		return "", err
	}
	_, err = f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	return stale, err
}

// Remove takes the file away, unless somebody has put another in its place.
func (p *PIDFile) Remove() error {
	mine, err := p.file.Stat()
	if err == nil {
		if there, e := os.Lstat(p.file.Name()); e == nil && os.SameFile(mine, there) {
			err = os.Remove(p.file.Name())
		}
	}
	return errors.Join(err, p.file.Close())
}
