package disktest

import (
	"context"
	"slices"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// name is that of the file.
const name = "disk"

// folder is the root: a folder with one file, unless that has vanished.
type folder struct {
	fs.Inode
	disk *Disk
	file *fs.Inode
}

func (n *folder) OnAdd(ctx context.Context) {
	n.file = n.NewPersistentInode(ctx, &file{disk: n.disk}, fs.StableAttr{Mode: syscall.S_IFREG})
}

func (n *folder) Lookup(ctx context.Context, entry string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if entry != name || n.disk.isVanished() {
		return nil, syscall.ENOENT
	}
	n.disk.attr(&out.Attr)
	return n.file, 0
}

func (d *Disk) isVanished() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.vanished
}

func (d *Disk) awaitOpen() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stallLocked(Open)
}

func (d *Disk) attr(out *fuse.Attr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out.Mode, out.Size, out.Blocks, out.Blksize = syscall.S_IFREG|0o600, uint64(len(d.data)), uint64(len(d.data)/512), 4096
}

// file is the disk. The kernel neither caches what it holds nor puts its writes
// one behind the other.
type file struct {
	fs.Inode
	disk *Disk
}

func (n *file) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.disk.attr(&out.Attr)
	return 0
}

func (n *file) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	if n.disk.awaitOpen(); n.disk.isVanished() {
		return nil, 0, syscall.ENXIO
	}
	return nil, fuse.FOPEN_DIRECT_IO | fuse.FOPEN_PARALLEL_DIRECT_WRITES, 0
}

func (n *file) Read(_ context.Context, _ fs.FileHandle, dest []byte, offset int64) (fuse.ReadResult, syscall.Errno) {
	got := 0
	errno := n.disk.do(Read, offset, int64(len(dest)), Step{}, func() {
		if offset < int64(len(n.disk.data)) {
			got = copy(dest, n.disk.data[offset:])
		}
	})
	return fuse.ReadResultData(dest[:got]), errno
}

// write is in place: a disk does not grow.
func (d *Disk) write(data []byte, offset int64, sync bool) (uint32, syscall.Errno) {
	if offset < 0 || offset+int64(len(data)) > int64(len(d.data)) {
		return 0, syscall.ENOSPC
	}
	errno := d.do(Write, offset, int64(len(data)), Step{Data: data, Sync: sync}, func() { copy(d.data[offset:], data) })
	if errno != 0 {
		return 0, errno
	}
	return uint32(len(data)), 0
}

func (n *file) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	return n.disk.do(Flush, 0, 0, Step{}, func() {})
}

// flagged is the file system with a Writev that sees the flags of each write; that
// of package fs does not. There is one file only that can be written.
type flagged struct {
	fuse.RawFileSystem
	disk *Disk
}

func (f flagged) Writev(_ <-chan struct{}, in *fuse.WriteIn, data [][]byte) (uint32, fuse.Status) {
	n, errno := f.disk.write(slices.Concat(data...), int64(in.Offset), in.Flags&syscall.O_DSYNC != 0)
	return n, fuse.Status(errno)
}
