package fusectl

import (
	"context"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// fileNode is a file as FUSE sees it. Like dirNode it has no state.
type fileNode struct {
	fs.Inode
	tree *tree
	file *file
	subject
	path string // relative to the mount point
}

// Open gives a reader its snapshot and a writer its place for unfinished lines.
// Permission was checked by the kernel; root passes there, and is refused here
// to write what nobody may write, as sysfs does.
//
// This process may open nothing, such as for a drive: killed with a file open that it answers for itself, it would wait
// for its own answer to close(2), for ever, and so would everybody who looks at the tree.
func (n *fileNode) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	if callerOf(ctx).own() {
		return nil, 0, unix.EDEADLK
	}
	h := &handle{node: n}
	access := flags & unix.O_ACCMODE
	if access != unix.O_RDONLY {
		if !n.file.writable() {
			return nil, 0, unwritable(n.tree, n.path, n.file)
		}
		if n.file.transaction {
			return &restoreHandle{tree: n.tree}, fuse.FOPEN_DIRECT_IO, 0
		}
		h.writer = &writer{tree: n.tree, path: n.path, file: n.file, subject: n.subject}
	}
	if n.file.trace != nil && access == unix.O_RDONLY {
		return &traceHandle{node: n}, fuse.FOPEN_DIRECT_IO | fuse.FOPEN_NOFLUSH, 0
	}
	if access == unix.O_RDONLY && n.file.read != nil && !h.refresh() {
		return nil, 0, unix.ENOENT
	}
	open := uint32(fuse.FOPEN_DIRECT_IO)
	if access == unix.O_RDONLY {
		open |= fuse.FOPEN_NOFLUSH // closing says nothing to a reader; Linux 5.16
	}
	return h, open, 0
}

// Getattr gives the file's attributes.
func (n *fileNode) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	if n.file.steady() {
		out.SetTimeout(forEver)
	}
	return n.fill(&out.Attr)
}

// fill sets the attributes; the size is 0 for what is not read or too long to
// measure.
func (n *fileNode) fill(out *fuse.Attr) syscall.Errno {
	size, changed := 0, n.tree.started
	switch {
	case n.file.follow:
		size, changed = n.tree.events.size()
	case n.file.trace != nil:
		trace, ok := n.file.trace(n.tree, n.subject)
		if !ok {
			return unix.ENOENT
		}
		if trace != nil {
			_, length, at := trace.Stat()
			size, changed = int(length), at
		}
	case n.file.read != nil && !n.file.long:
		text, ok := n.file.text(n.tree, n.subject)
		if !ok {
			return unix.ENOENT
		}
		size = len(text)
	}
	out.Mode, out.Nlink, out.Size = n.file.mode(n.tree), 1, uint64(size)
	if n.file.writable() || n.file.private {
		out.Gid = n.tree.group
	}
	out.SetTimes(&changed, &changed, &n.tree.started)
	return 0
}

// Setattr takes the truncation that every shell's > sends before it writes; it
// changes nothing. Mode and owner stay.
func (n *fileNode) Setattr(_ context.Context, _ fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if _, resize := in.GetSize(); resize && !n.file.writable() {
		return unwritable(n.tree, n.path, n.file)
	}
	if errno := settable(in); errno != 0 {
		return errno
	}
	return n.fill(&out.Attr)
}

var _ interface {
	fs.NodeOpener
	fs.NodeGetattrer
	fs.NodeSetattrer
} = (*fileNode)(nil)
