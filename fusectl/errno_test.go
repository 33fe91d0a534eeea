package fusectl

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"vbladefs/target"
)

func TestErrno(t *testing.T) {
	device := func(errno syscall.Errno) error {
		return fmt.Errorf("%w: open /dev/x: %w", target.ErrStore, errno)
	}
	type row = [dialects]syscall.Errno // natural, kvblade, aoeserver, vblade
	tests := []struct {
		name string
		err  error
		want row
	}{
		{"malformed", target.ErrMalformed, row{unix.EINVAL, unix.EINVAL, unix.EINVAL, unix.EINVAL}},
		{"out of range", target.ErrRange, row{unix.ERANGE, unix.EINVAL, unix.EINVAL, unix.ERANGE}},
		{"no interface", target.ErrNoInterface, row{unix.ENOENT, unix.ENOENT, unix.EINVAL, unix.ENODEV}},
		{"table full", target.ErrFull, row{unix.ENOSPC, unix.ENOSPC, unix.EINVAL, unix.ENOSPC}},
		{"closed", target.ErrClosed, row{unix.ESHUTDOWN, unix.ESHUTDOWN, unix.EINVAL, unix.ESHUTDOWN}},
		{"device missing", device(unix.ENOENT), row{unix.ENOENT, unix.ENOENT, unix.EINVAL, unix.ENOENT}},
		{"device busy", device(unix.EBUSY), row{unix.EBUSY, unix.ENOENT, unix.EINVAL, unix.EBUSY}},
		{"a folder", device(unix.EISDIR), row{unix.EISDIR, unix.ENOENT, unix.EINVAL, unix.ENOTBLK}},
		{"not permitted", device(unix.EPERM), row{unix.EPERM, unix.ENOENT, unix.EINVAL, unix.EACCES}},
		{"no such call", device(unix.ENOSYS), row{unix.EIO, unix.ENOENT, unix.EINVAL, unix.EIO}},
		{"device without errno", target.ErrStore, row{unix.EIO, unix.ENOENT, unix.EINVAL, unix.EIO}},
		{"out of memory", fmt.Errorf("buffers: %w", unix.ENOMEM), row{unix.ENOMEM, unix.ENOMEM, unix.EINVAL, unix.ENOMEM}},
		{"unknown", errors.New("?"), row{unix.EIO, unix.EIO, unix.EINVAL, unix.EIO}},
	}
	for _, tt := range tests {
		for d, want := range tt.want {
			if got := dialect(d).errno(fmt.Errorf("wrapped: %w", tt.err)); got != want {
				t.Errorf("%s, dialect %d: got %s, want %s", tt.name, d, errnoName(got), errnoName(want))
			}
		}
	}
}

// TestErrnoRows checks that no row lacks a column but the device's.
func TestErrnoRows(t *testing.T) {
	for _, row := range errnos {
		for d, errno := range row.errno {
			if errno == 0 && row.err != target.ErrStore || errno == unix.ENOSYS {
				t.Errorf("%v, dialect %d: errno %d", row.err, d, errno)
			}
		}
	}
}
