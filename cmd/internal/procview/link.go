package procview

import (
	"bytes"
	"context"
	"fmt"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// link is a name that leads to the real one. It is relative, so that it holds wherever the view is mounted.
type link struct {
	fs.Inode
	view *root
	name string
}

var (
	_ fs.NodeReadlinker = (*link)(nil)
	_ fs.NodeGetattrer  = (*link)(nil)
)

// Getattr tells who owns the real thing.
func (l *link) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	var st unix.Stat_t
	if err := unix.Fstatat(l.view.proc, l.name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fs.ToErrno(err)
	}
	out.Mode, out.Nlink = unix.S_IFLNK|0o777, 1
	out.Uid, out.Gid = st.Uid, st.Gid
	out.Mtime, out.Ctime, out.Atime = uint64(st.Mtim.Sec), uint64(st.Ctim.Sec), uint64(st.Atim.Sec)
	return 0
}

// Readlink answers self and thread-self with the caller's numbers, as procfs does, and other links of procfs, such as
// net and mounts, with their own text.
func (l *link) Readlink(ctx context.Context) ([]byte, syscall.Errno) {
	through := []byte(Real + "/" + l.name)
	switch l.name {
	case "self", "thread-self":
		caller, _ := fuse.FromContext(ctx)
		if text := own(l.view.proc, l.name, caller); text != nil {
			return text, 0
		}
		return through, 0 // of a pid namespace that is not ours: procfs itself finds out
	}
	text := make([]byte, unix.PathMax)
	if n, err := unix.Readlinkat(l.view.proc, l.name, text); err == nil {
		return text[:n], 0
	}
	return through, 0
}

// own is the text of the link name for a caller, whose number is that of its thread; nil if it cannot be told.
func own(proc int, name string, caller *fuse.Caller) []byte {
	if caller == nil || caller.Pid == 0 {
		return nil
	}
	process := processOf(proc, caller.Pid)
	if process == nil {
		return nil
	}
	if name == "self" {
		return process
	}
	return fmt.Appendf(nil, "%s/task/%d", process, caller.Pid)
}

// processOf is the number of a thread's process, as text: see Tgid in proc_pid_status(5).
func processOf(proc int, thread uint32) []byte {
	fd, err := unix.Openat(proc, fmt.Sprintf("%d/status", thread), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	var text [256]byte
	n, err := unix.Read(fd, text[:])
	if err != nil {
		return nil
	}
	_, rest, found := bytes.Cut(text[:n], []byte("\nTgid:"))
	line, _, whole := bytes.Cut(rest, []byte("\n"))
	if !found || !whole {
		return nil
	}
	return bytes.TrimSpace(line)
}
