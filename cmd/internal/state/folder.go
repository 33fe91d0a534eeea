package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/fusectl/dying"
)

// folder is where a state lies, locked against other processes.
type folder struct {
	dir  string
	root *os.Root
	lock *os.File
}

// openFolder makes the folder if need be, checks it, and takes it: with lock, the
// one of the process that has it.
func openFolder(dir string, lock *os.File) (*folder, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := makeFolder(dir); err != nil {
		return nil, fmt.Errorf("make the folder of the state: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the folder of the state: %w", err)
	}
	f := &folder{dir: dir, root: root}
	err = f.check()
	switch {
	case err != nil:
	case lock != nil:
		err = f.join(lock)
	default:
		if err = f.take(); err == nil {
			err = f.tidy()
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// makeFolder makes dir, for us alone, and sees it to the medium.
func makeFolder(dir string) error {
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return nil // check says what is wrong with it
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	p, err := os.Open(parent)
	if err != nil {
		return err
	}
	return errors.Join(p.Sync(), p.Close())
}

// check refuses a folder in which others could put a state: who writes that can
// export any file of this machine.
func (f *folder) check() error {
	named, err := os.Lstat(f.dir)
	if err != nil {
		return fmt.Errorf("the folder of the state: %w", err)
	}
	if named.Mode()&fs.ModeSymlink != 0 {
		to, _ := filepath.EvalSymlinks(f.dir)
		return fmt.Errorf("the folder of the state, %s, is a symbolic link: give the folder itself, %s", f.dir, to)
	}
	info, err := f.root.Stat(".")
	if err != nil {
		return fmt.Errorf("the folder of the state: %w", err)
	}
	if !os.SameFile(named, info) {
		return fmt.Errorf("the folder of the state, %s, was replaced at this moment: try again", f.dir)
	}
	if err := safe("the folder of the state", f.dir, info, "chmod go-w"); err != nil {
		return err
	}
	for _, name := range []string{fileName, lockName} {
		info, err := f.root.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && !info.Mode().IsRegular() {
			err = fmt.Errorf("%s is no regular file (%s): move it away", f.path(name), info.Mode())
		}
		if err == nil {
			err = safe("the file", f.path(name), info, "chmod go-w")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// safe refuses what belongs to someone else, or what others may write.
func safe(what, path string, info fs.FileInfo, mend string) error {
	owner := int(info.Sys().(*syscall.Stat_t).Uid)
	if owner != os.Geteuid() {
		return fmt.Errorf("%s, %s, belongs to user %d: want %d, who runs this (chown %d %s, once you know what is in it)",
			what, path, owner, os.Geteuid(), os.Geteuid(), path)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s, %s, may be written by others (mode %04o): %s %s, once you know what is in it",
			what, path, info.Mode().Perm(), mend, path)
	}
	return nil
}

// take locks the folder for as long as the process lives.
func (f *folder) take() error {
	turn, err := f.awaitTurn()
	if err != nil {
		return fmt.Errorf("lock the folder of the state: %w", err)
	}
	defer turn.Close()
	// Read-only, so that the file system can be mounted so meanwhile.
	lock, err := f.root.OpenFile(lockName, os.O_RDONLY|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("lock the folder of the state: %w", err)
	}
	f.lock = lock
	err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		by := make([]byte, 20)
		n, _ := lock.ReadAt(by, 0)
		process := strings.TrimSpace(string(by[:n]))
		if pid, _ := strconv.Atoi(process); dying.Process(pid) {
			return f.inherit()
		}
		return fmt.Errorf("another daemon keeps its state in %s (process %s): end it, or choose another folder with -state",
			f.dir, process)
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", f.path(lockName), err)
	}
	f.sign()
	return nil
}

// awaitTurn has those who would take the folder do so one after the other, until the file that it returns is closed.
func (f *folder) awaitTurn() (*os.File, error) {
	turn, err := f.root.Open(".")
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(turnTime); ; time.Sleep(turnTime / 500) {
		err := unix.Flock(int(turn.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return turn, nil // a file system without locks for folders does without
		}
		if time.Now().After(end) {
			return nil, errors.Join(fmt.Errorf("another process has locked %s for more than %v", f.dir, turnTime), turn.Close())
		}
	}
}

// turnTime is how long a start may take to find whether the folder is another's.
const turnTime = 5 * time.Second

// inherit puts another lock in the place of that of a process that is dying, which writes here no more.
func (f *folder) inherit() error {
	if err := f.root.Remove(newLockName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("lock the folder of the state: %w", err)
	}
	lock, err := f.root.OpenFile(newLockName, os.O_RDONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("lock the folder of the state: %w", err)
	}
	err = errors.Join(unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB), f.root.Rename(newLockName, lockName))
	if err != nil {
		return errors.Join(fmt.Errorf("lock %s: %w", f.path(lockName), err), lock.Close())
	}
	f.lock, lock = lock, f.lock
	f.sign()
	return lock.Close()
}

// sign writes who has the folder. It only helps others: a full disk keeps nobody
// from serving.
func (f *folder) sign() {
	_ = f.root.WriteFile(lockName, fmt.Appendf(nil, "%d\n", os.Getpid()), 0o600)
}

// join makes the lock of another process ours, too: it belongs to the open file
// description (flock(2)), so nobody else gets in between.
func (f *folder) join(lock *os.File) error {
	theirs, err := lock.Stat()
	if err != nil {
		return fmt.Errorf("the lock that was handed over: %w", err)
	}
	ours, err := f.root.Lstat(lockName)
	if err != nil || !os.SameFile(ours, theirs) {
		return fmt.Errorf("the lock that was handed over is not %s", f.path(lockName))
	}
	fd, err := unix.FcntlInt(lock.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	f.lock = os.NewFile(uintptr(fd), f.path(lockName))
	return nil
}

// tidy removes what a save left that did not come to its end.
func (f *folder) tidy() error {
	for _, name := range []string{tempName, newLockName} {
		if err := f.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what is left of an unfinished save: %w", err)
		}
	}
	return nil
}

func (f *folder) path(name string) string { return filepath.Join(f.dir, name) }

// close unlocks the folder.
func (f *folder) close() error {
	err := f.root.Close()
	if f.lock != nil {
		err = errors.Join(err, f.lock.Close())
	}
	return err
}
