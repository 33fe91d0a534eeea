package procview

import (
	"context"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// lasting is how long the kernel may remember names that stay. A mount on a name depends on it: when the kernel asks
// again and hears of another node, it detaches the mount.
const lasting = 100 * 365 * 24 * time.Hour

// processes is where the inode numbers of processes begin.
const processes = 1 << 40

// root is the view's only folder with contents of its own.
type root struct {
	fs.Inode
	proc    int
	folders map[string]bool
	shown   *atomic.Bool // whether File exists
}

var (
	_ fs.NodeLookuper  = (*root)(nil)
	_ fs.NodeReaddirer = (*root)(nil)
	_ fs.NodeGetattrer = (*root)(nil)
)

// Getattr tells procfs's own mode of its root.
func (r *root) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode = unix.S_IFDIR | 0o555
	return 0
}

// Lookup finds a name as procfs has it at this moment.
func (r *root) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	var node fs.InodeEmbedder
	var mode uint32
	timeout, process := lasting, -1
	switch {
	case name == File && !r.shown.Load():
		return nil, syscall.ENOENT
	case name == File:
		node, mode = &place{mode: 0o444}, unix.S_IFREG
	case r.folders[name]:
		node, mode = &place{mode: 0o555}, unix.S_IFDIR
	default:
		var st unix.Stat_t
		if err := unix.Fstatat(r.proc, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return nil, fs.ToErrno(err)
		}
		if n, err := strconv.Atoi(name); err == nil {
			timeout, process = 0, n // processes end
		}
		node, mode = &link{view: r, name: name}, unix.S_IFLNK
		out.Uid, out.Gid = st.Uid, st.Gid
	}
	out.SetEntryTimeout(timeout)
	out.Mode = mode | 0o555
	if process >= 0 {
		return r.NewInode(ctx, node, fs.StableAttr{Mode: mode, Ino: processes + uint64(process)}), 0
	}
	if old := r.GetChild(name); old != nil && old.Mode() == mode {
		return old, 0
	}
	child := r.NewInode(ctx, node, fs.StableAttr{Mode: mode})
	r.AddChild(name, child, true) // few, and they stay
	return child, 0
}

// Readdir lists what procfs does, and File. The kind of a process is left open: there are programs that pass over
// what they are told is no folder without a look.
func (r *root) Readdir(context.Context) (fs.DirStream, syscall.Errno) {
	fd, err := unix.Openat(r.proc, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fs.ToErrno(err)
	}
	folder := os.NewFile(uintptr(fd), "proc")
	defer folder.Close()
	names, err := folder.Readdirnames(-1)
	if err != nil {
		return nil, fs.ToErrno(err)
	}
	entries := make([]fuse.DirEntry, 0, len(names)+1)
	if r.shown.Load() {
		entries = append(entries, fuse.DirEntry{Name: File, Mode: unix.S_IFREG})
	}
	for _, name := range names {
		switch _, err := strconv.Atoi(name); {
		case name == File || name == Real: // a real aoeserver is covered
		case err == nil:
			entries = append(entries, fuse.DirEntry{Name: name})
		case r.folders[name]:
			entries = append(entries, fuse.DirEntry{Name: name, Mode: unix.S_IFDIR})
		default:
			entries = append(entries, fuse.DirEntry{Name: name, Mode: unix.S_IFLNK})
		}
	}
	return fs.NewListDirStream(entries), 0
}

// place is a file or folder that something is mounted on.
type place struct {
	fs.Inode
	mode uint32
}

var _ fs.NodeGetattrer = (*place)(nil)

func (p *place) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode = p.Mode() | p.mode
	return 0
}
