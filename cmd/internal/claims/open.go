package claims

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
)

// Directory has the files, one for each network namespace. Nobody but root changes
// what is there: who could, would keep addresses from being served.
const Directory = "/run/vbladefs-claims"

const filePrefix = "net-"

// Open joins the claims of the daemons in this network namespace. It is for root,
// before it becomes somebody else, and one is enough for all interfaces that ever
// come. If that cannot be it says so in the log, and nothing is claimed.
func Open(log *logrus.Logger) *Claims {
	c := &Claims{log: log}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.open(); err != nil {
		c.fail(err)
		c.admit()
		if c.file != nil {
			_ = c.file.Close()
		}
		c.file = nil
	}
	return c
}

func (c *Claims) open() error {
	if err := makeDirectory(); err != nil {
		return err
	}
	var err error
	if c.path, err = pathOfNamespace(); err != nil {
		return err
	}
	sweep(c.path)
	for {
		if c.file, err = openTable(c.path, unix.O_CREAT); err != nil {
			return err
		}
		if err := c.exclude(); err != nil {
			return err
		}
		var now unix.Stat_t
		if err := unix.Fstat(int(c.file.Fd()), &now); err != nil {
			return err
		}
		if now.Nlink > 0 {
			break
		}
		c.admit()
		_ = c.file.Close() // the last daemon has ended meanwhile
	}
	defer c.admit()
	return c.enrol()
}

// enrol gives this daemon a number. The first of all begins with an empty table.
func (c *Claims) enrol() error {
	others, err := locked(c.file, lifeStart, math.MaxUint32)
	if err != nil {
		return err
	}
	if !others {
		if err := c.file.Truncate(0); err != nil {
			return err
		}
	}
	var next [4]byte
	if _, err := readAt(c.file, next[:], 0); err != nil {
		return err
	}
	c.id = max(binary.LittleEndian.Uint32(next[:]), 1)
	if c.id == math.MaxUint32 {
		return fmt.Errorf("%s: no number is left: remove it when no daemon runs", c.path)
	}
	if err := lock(c.file, unix.F_WRLCK, lifeOffset(c.id)); err != nil {
		return err
	}
	if _, err := unix.Pwrite(int(c.file.Fd()), binary.LittleEndian.AppendUint32(nil, c.id+1), 0); err != nil {
		return err
	}
	return c.record()
}

// Close frees all claims, and removes the file if nobody else has any. It may be
// called on nil.
func (c *Claims) Close() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == nil {
		return nil
	}
	c.admit()
	f := c.file
	c.file = nil
	if !c.shared {
		removeUnused(f, c.path)
	}
	return f.Close()
}

// removeUnused removes a file that no other daemon uses, unless one is about to.
func removeUnused(f *os.File, path string) {
	if lock(f, unix.F_WRLCK, tableLock) != nil {
		return
	}
	defer func() { _ = lock(f, unix.F_UNLCK, tableLock) }()
	var has, there unix.Stat_t
	if others, err := locked(f, lifeStart, math.MaxUint32); others || err != nil {
		return
	}
	if unix.Fstat(int(f.Fd()), &has) == nil && unix.Lstat(path, &there) == nil && has.Ino == there.Ino && has.Dev == there.Dev {
		_ = os.Remove(path) // who has become another user cannot; the next start does
	}
}

// sweep removes what killed daemons have left, in other namespaces.
func sweep(own string) {
	entries, err := os.ReadDir(Directory)
	if err != nil {
		return
	}
	for _, e := range entries {
		path := filepath.Join(Directory, e.Name())
		if path == own || !strings.HasPrefix(e.Name(), filePrefix) {
			continue
		}
		if f, err := openTable(path, 0); err == nil {
			removeUnused(f, path)
			_ = f.Close()
		}
	}
}

// makeDirectory makes the folder, or makes sure that it is root's alone.
func makeDirectory() error {
	if err := os.Mkdir(Directory, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(Directory)
	if err != nil {
		return err
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; !info.IsDir() || owner != 0 || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s is of user %d with mode %s: want a folder of root's that nobody else may write to", Directory, owner, info.Mode())
	}
	return nil
}

func openTable(path string, flags int) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOFOLLOW|flags, 0o600)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// pathOfNamespace names the file after the inode of the namespace, which no other
// has at a time, whatever container it belongs to (namespaces(7)).
func pathOfNamespace() (string, error) {
	const self = "/proc/thread-self/ns/net"
	var ns unix.Stat_t
	if err := unix.Stat(self, &ns); err != nil {
		return "", &os.PathError{Op: "stat", Path: self, Err: err}
	}
	return filepath.Join(Directory, fmt.Sprint(filePrefix, ns.Ino)), nil
}
