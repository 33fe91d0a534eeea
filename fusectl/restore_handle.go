package fusectl

import (
	"context"
	"fmt"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"vbladefs/compat/text"
	"vbladefs/target"
)

// restoreFile takes a whole state at once, in however many writes.
var restoreFile = &file{
	name:  "restore",
	about: "has a saved state exported, and waits for the devices and interfaces of it that are missing",
	takes: []string{"(a saved state, after a line \"exact\" if nothing else is to be exported): checked and carried out when its writer closes the file"},
	gives: "how the last one went: + FILE LINE, ! LINE:COLUMN: ERRNO: REASON, = N carried out, M failed",
	long:  true, transaction: true,
	parse: notWithin,
	read:  func(t *tree, _ subject) ([]byte, bool) { return t.restores.report(), true },
}

// notWithin refuses the file as one of a state.
func notWithin(*tree, subject, string, string) (target.Operation, error) {
	return nil, text.Malformed("a state cannot restore another: want its lines themselves")
}

// maxRestore bounds a state, in bytes: 65,536 drives with all their lists stay
// below.
const maxRestore = 1 << 28

// restoreHandle is the file restore, open for writing. What is written is kept
// until its writer closes the file, or calls fsync(2): then it is checked as a
// whole, and carried out. Who closes waits for the end; who has called fsync can
// read the report as it grows.
type restoreHandle struct {
	tree *tree

	mu      sync.Mutex // guards what follows
	text    []byte
	next    int64 // where the next write is to begin
	process int   // that has written last
	refused syscall.Errno
	job     *job
}

func (h *restoreHandle) Write(ctx context.Context, data []byte, off int64) (uint32, syscall.Errno) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.refused != 0:
		return 0, h.refused
	case len(h.text) > 0 && off != h.next:
		return 0, h.refuse(unix.EINVAL, "written at %d, and then at %d: write it from its beginning to its end", h.next, off)
	case len(h.text)+len(data) > maxRestore:
		return 0, h.refuse(unix.EFBIG, "more than %d bytes: this is no state", maxRestore)
	}
	h.text = append(h.text, data...)
	h.next, h.process = off+int64(len(data)), callerOf(ctx).process()
	return uint32(len(data)), 0
}

// refuse forgets what was written, and takes no more: that would be a part only.
// mu is held.
func (h *restoreHandle) refuse(errno syscall.Errno, format string, args ...any) syscall.Errno {
	h.text, h.refused = nil, errno
	h.tree.log.Warnf("restore: refused: %s: %s; nothing was changed", errnoName(errno), fmt.Sprintf(format, args...))
	return errno
}

// begin begins to carry out what was written, if by is its writer; no job:
// nothing was, or it was refused.
func (h *restoreHandle) begin(by caller) (*job, syscall.Errno) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.text) > 0 && by.process() == h.process {
		h.job = h.tree.restore(h.text)
		h.text = nil
	}
	return h.job, h.refused
}

// Flush is called by every close(2), also of a copy of the descriptor that a
// child got and never used.
func (h *restoreHandle) Flush(ctx context.Context) syscall.Errno {
	j, refused := h.begin(callerOf(ctx))
	if refused != 0 || j == nil {
		return refused
	}
	return j.wait(ctx)
}

// Fsync says that all is written; it fails if that has mistakes.
func (h *restoreHandle) Fsync(ctx context.Context, _ uint32) syscall.Errno {
	j, refused := h.begin(callerOf(ctx))
	if refused != 0 || j == nil {
		return refused
	}
	if _, done, _ := j.now(); done {
		return j.wait(ctx)
	}
	return 0
}

// Read gives the report, and waits for more of it while there may be any.
func (h *restoreHandle) Read(ctx context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	h.mu.Lock()
	j := h.job
	h.mu.Unlock()
	if j == nil {
		return fuse.ReadResultData(nil), 0
	}
	text, err := j.read(ctx, off)
	if err != nil {
		return nil, unix.EINTR
	}
	return fuse.ReadResultData(text[:min(len(dest), len(text))]), 0
}

// Release comes when no copy of the descriptor is left. Text that nobody has
// closed is not known to be all.
func (h *restoreHandle) Release(context.Context) syscall.Errno {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.text) > 0 {
		return h.refuse(unix.EINVAL, "its writer did not close the file")
	}
	return 0
}

var _ interface {
	fs.FileReader
	fs.FileWriter
	fs.FileFlusher
	fs.FileFsyncer
	fs.FileReleaser
} = (*restoreHandle)(nil)
