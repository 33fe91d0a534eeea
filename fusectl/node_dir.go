package fusectl

import (
	"context"
	"hash/fnv"
	"path"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// dirNode is a folder as FUSE sees it. It has no state but its place, since
// go-fuse keeps one node for all folders that ever had a path.
type dirNode struct {
	fs.Inode
	tree *tree
	dir  *dir
	subject
	path string // relative to the mount point; empty for the root
}

// inode is the number of the file or folder at a path: always the same, and
// neither 0 nor 1, which are special.
func inode(path string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(path))
	return h.Sum64() | 2
}

// forEver is how long the kernel may believe what never changes: the attributes
// of folders and of files that show no size, and the fixed entries of a folder.
// Those of an object's folder are as fixed: the kernel asks for the object each
// time, and forgets them with it.
const forEver = 1 << 30 * time.Second

// glance is how long the kernel may believe that the root is there. Every way
// into the tree passes it, and so finds out that the daemon is dead; a collector
// that reads thousands of files need not be told each time that it is alive.
const glance = 10 * time.Millisecond

// Lookup finds an entry of the folder.
func (n *dirNode) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	c, ok := n.dir.child(n.tree, n.subject, name)
	if !ok || !n.dir.exists(n.tree, n.subject) {
		return nil, unix.ENOENT
	}
	at := path.Join(n.path, name)
	attr := fs.StableAttr{Mode: c.kind(), Ino: inode(at)}
	if c.file == nil {
		node := &dirNode{tree: n.tree, dir: c.dir, subject: c.subject, path: at}
		node.fill(&out.Attr)
		out.SetAttrTimeout(forEver)
		if c.dir.find == nil {
			out.SetEntryTimeout(forEver)
		}
		return n.NewInode(ctx, node, attr), 0
	}
	node := &fileNode{tree: n.tree, file: c.file, subject: c.subject, path: at}
	if errno := node.fill(&out.Attr); errno != 0 {
		return nil, errno
	}
	out.SetEntryTimeout(forEver)
	if c.file.steady() {
		out.SetAttrTimeout(forEver)
	}
	return n.NewInode(ctx, node, attr), 0
}

func (c child) kind() uint32 {
	if c.file == nil {
		return unix.S_IFDIR
	}
	return unix.S_IFREG
}

// Readdir lists what is in the folder at this moment.
func (n *dirNode) Readdir(context.Context) (fs.DirStream, syscall.Errno) {
	if !n.dir.exists(n.tree, n.subject) {
		return nil, unix.ENOENT
	}
	var entries []fuse.DirEntry
	for _, c := range n.dir.children(n.tree, n.subject) {
		entries = append(entries, fuse.DirEntry{Name: c.name, Mode: c.kind(), Ino: inode(path.Join(n.path, c.name))})
	}
	return fs.NewListDirStream(entries), 0
}

// Getattr gives the folder's attributes. One whose object is gone keeps them, as
// in sysfs, so that whoever is in it can leave.
func (n *dirNode) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.fill(&out.Attr)
	out.SetTimeout(forEver)
	if n.path == "" {
		out.SetTimeout(glance)
	}
	return 0
}

func (n *dirNode) fill(out *fuse.Attr) {
	out.Mode, out.Nlink = 0o755, 2
	out.SetTimes(&n.tree.started, &n.tree.started, &n.tree.started)
}

// Setattr refuses everything but touching.
func (n *dirNode) Setattr(_ context.Context, _ fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	n.fill(&out.Attr)
	return settable(in)
}

// settable refuses to change mode and owner; the tree decides them.
func settable(in *fuse.SetAttrIn) syscall.Errno {
	if in.Valid&(fuse.FATTR_MODE|fuse.FATTR_UID|fuse.FATTR_GID) != 0 {
		return unix.EPERM
	}
	return 0
}

// The shape of the tree is the engine's state: nothing is made, removed or
// renamed by hand.

func (n *dirNode) Mkdir(context.Context, string, uint32, *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return nil, unix.EPERM
}

func (n *dirNode) Mknod(context.Context, string, uint32, uint32, *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return nil, unix.EPERM
}

func (n *dirNode) Create(context.Context, string, uint32, uint32, *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	return nil, nil, 0, unix.EPERM
}

func (n *dirNode) Symlink(context.Context, string, string, *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return nil, unix.EPERM
}

func (n *dirNode) Link(context.Context, fs.InodeEmbedder, string, *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return nil, unix.EPERM
}

func (n *dirNode) Rename(context.Context, string, fs.InodeEmbedder, string, uint32) syscall.Errno {
	return unix.EPERM
}

func (n *dirNode) Unlink(context.Context, string) syscall.Errno { return unix.EPERM }

func (n *dirNode) Rmdir(context.Context, string) syscall.Errno { return unix.EPERM }

// go-fuse finds methods by their interfaces: a wrong signature would go unseen.
var _ interface {
	fs.NodeLookuper
	fs.NodeReaddirer
	fs.NodeGetattrer
	fs.NodeSetattrer
	fs.NodeMkdirer
	fs.NodeMknoder
	fs.NodeCreater
	fs.NodeSymlinker
	fs.NodeLinker
	fs.NodeRenamer
	fs.NodeUnlinker
	fs.NodeRmdirer
} = (*dirNode)(nil)
