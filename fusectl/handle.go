package fusectl

import (
	"context"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// handle is an open file.
type handle struct {
	node   *fileNode
	writer *writer // nil if opened for reading only

	mu         sync.Mutex // guards what follows
	text       []byte     // the snapshot; never changed, only replaced
	generation int        // of the snapshot of a followed file
	fresh      bool       // nothing was read of the snapshot yet
	taken      bool       // there is a snapshot
}

// refresh takes a new snapshot; it is false when the object is gone.
func (h *handle) refresh() bool {
	n := h.node
	var ok bool
	if n.file.follow {
		h.text, h.generation = n.tree.events.snapshot()
		ok = true
	} else {
		h.text, ok = n.file.text(n.tree, n.subject)
	}
	h.fresh, h.taken = ok, ok
	return ok
}

// Read reads the snapshot. Reading from offset 0 takes a new one, but for the
// first time after open, so that a program may keep a file open and look again.
func (h *handle) Read(_ context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.node.file.read == nil {
		return nil, unix.EIO
	}
	if !h.taken || off == 0 && !h.fresh {
		if !h.refresh() {
			return nil, unix.ENOENT
		}
	}
	h.fresh = false
	if off >= int64(len(h.text)) {
		h.follow()
	}
	if off >= int64(len(h.text)) {
		return fuse.ReadResultData(nil), 0
	}
	rest := h.text[off:]
	return fuse.ReadResultData(rest[:min(len(dest), len(rest))]), 0
}

// follow adds what a followed file got since the snapshot.
func (h *handle) follow() {
	if !h.node.file.follow {
		return
	}
	if text, generation := h.node.tree.events.snapshot(); generation == h.generation {
		h.text = text
	}
}

// Write applies commands, whatever the offset: a command file has no places.
func (h *handle) Write(ctx context.Context, data []byte, _ int64) (uint32, syscall.Errno) {
	if h.writer == nil {
		return 0, unix.EBADF
	}
	n, errno := h.writer.write(string(data), callerOf(ctx))
	h.settle()
	return uint32(n), errno
}

// Flush is called by every close(2), which returns its errno: that of a copy of
// the descriptor too, such as a child's that was never meant to have it.
func (h *handle) Flush(ctx context.Context) syscall.Errno {
	if h.writer == nil {
		return 0
	}
	errno := h.writer.flush(callerOf(ctx))
	h.settle()
	return errno
}

// settle has whoever writes learn the outcome when it is durable.
func (h *handle) settle() {
	if settle := h.node.tree.settle; settle != nil {
		settle()
	}
}

// Fsync does what Flush does; there is nothing else to bring to safety.
func (h *handle) Fsync(ctx context.Context, _ uint32) syscall.Errno { return h.Flush(ctx) }

// Release comes once, when no copy of the descriptor is left. Nobody waits for
// its errno: the log has it.
func (h *handle) Release(context.Context) syscall.Errno {
	if h.writer == nil {
		return 0
	}
	return h.writer.release()
}

var _ interface {
	fs.FileReader
	fs.FileWriter
	fs.FileFlusher
	fs.FileFsyncer
	fs.FileReleaser
} = (*handle)(nil)
