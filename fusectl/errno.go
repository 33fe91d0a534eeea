package fusectl

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"

	"vbladefs/target"
)

// dialect chooses the errno that a file answers with: its legacy target's, or
// the natural one for files of our own.
type dialect int

const (
	natural dialect = iota
	kvbladeDialect
	aoeserverDialect
	vbladeDialect
	dialects // how many there are
)

// errnos is the one table from errors to errno: the first row that matches
// decides. Columns: natural, kvblade (sheet §2.1: whatever keeps a device or an
// interface from being used is ENOENT), aoeserver (sheet §1: everything is
// EINVAL), vblade-kernel (sheet §2.4). What the sheets leave open is natural.
var errnos = []struct {
	err   error
	errno [dialects]syscall.Errno
}{
	{target.ErrMalformed, [dialects]syscall.Errno{unix.EINVAL, unix.EINVAL, unix.EINVAL, unix.EINVAL}},
	{target.ErrRange, [dialects]syscall.Errno{unix.ERANGE, unix.EINVAL, unix.EINVAL, unix.ERANGE}},
	{target.ErrTooLong, [dialects]syscall.Errno{unix.E2BIG, unix.EINVAL, unix.EINVAL, unix.E2BIG}},
	{target.ErrNoInterface, [dialects]syscall.Errno{unix.ENOENT, unix.ENOENT, unix.EINVAL, unix.ENODEV}},
	{target.ErrNotEthernet, [dialects]syscall.Errno{unix.EPFNOSUPPORT, unix.ENOENT, unix.EINVAL, unix.EPFNOSUPPORT}},
	{target.ErrNameTaken, [dialects]syscall.Errno{unix.EEXIST, unix.EEXIST, unix.EINVAL, unix.EEXIST}},
	{target.ErrAddressTaken, [dialects]syscall.Errno{unix.EEXIST, unix.EEXIST, unix.EINVAL, unix.EEXIST}},
	{target.ErrAnswered, [dialects]syscall.Errno{unix.EADDRINUSE, unix.EADDRINUSE, unix.EADDRINUSE, unix.EADDRINUSE}},
	{target.ErrClaimed, [dialects]syscall.Errno{unix.EADDRINUSE, unix.EADDRINUSE, unix.EADDRINUSE, unix.EADDRINUSE}},
	{target.ErrNoDrive, [dialects]syscall.Errno{unix.ENOENT, unix.ENOENT, unix.EINVAL, unix.ENOENT}},
	{target.ErrNoPort, [dialects]syscall.Errno{unix.ENOENT, unix.ENOENT, unix.EINVAL, unix.ENOENT}},
	{target.ErrInUse, [dialects]syscall.Errno{unix.EBUSY, unix.EBUSY, unix.EINVAL, unix.EBUSY}},
	{target.ErrNotDrained, [dialects]syscall.Errno{unix.EBUSY, unix.EBUSY, unix.EINVAL, unix.EBUSY}},
	{target.ErrFull, [dialects]syscall.Errno{unix.ENOSPC, unix.ENOSPC, unix.EINVAL, unix.ENOSPC}},
	{target.ErrClosed, [dialects]syscall.Errno{unix.ESHUTDOWN, unix.ESHUTDOWN, unix.EINVAL, unix.ESHUTDOWN}},
	{target.ErrStore, [dialects]syscall.Errno{0, unix.ENOENT, unix.EINVAL, 0}}, // 0: the device's own
}

// errno is what a write that failed with err returns.
func (d dialect) errno(err error) syscall.Errno {
	for _, row := range errnos {
		if !errors.Is(err, row.err) {
			continue
		}
		if errno := row.errno[d]; errno != 0 {
			return errno
		}
		break
	}
	if d == aoeserverDialect {
		return unix.EINVAL
	}
	return d.deviceErrno(err)
}

// deviceErrno is the errno that err carries from a system call; EIO when it has
// none. ENOSYS is never passed on: the kernel would remember it and stop asking.
func (d dialect) deviceErrno(err error) syscall.Errno {
	var errno syscall.Errno
	if !errors.As(err, &errno) || errno == 0 || errno == unix.ENOSYS {
		return unix.EIO
	}
	if d == vbladeDialect {
		switch errno {
		case unix.EISDIR, unix.ENODEV:
			return unix.ENOTBLK // neither block device nor regular file
		case unix.EPERM:
			return unix.EACCES
		}
	}
	return errno
}

// errnoName is the symbol of errno, such as ENOENT.
func errnoName(errno syscall.Errno) string {
	if name := unix.ErrnoName(errno); name != "" {
		return name
	}
	return errno.Error()
}
