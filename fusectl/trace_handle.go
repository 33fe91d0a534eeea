package fusectl

import (
	"context"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"vbladefs/compat/native"
	"vbladefs/target"
)

// traceHandle is a trace that is open for reading; its text is made as it is read. The first
// end that a reader finds is where the trace ended when reading began, however busy the
// export is, so that cat ends; a read behind it goes on to where the trace ends by then,
// for tail -f. The size of the file is that of all requests since recording began, kept
// or not: it only grows, and nobody reads more than that.
type traceHandle struct {
	node *fileNode

	mu    sync.Mutex
	trace *target.Trace // what is being read; guarded by mu, as are the others
	text  []byte        // of some requests
	at    int64         // where in the file that is
	next  uint64        // the request after them
	end   uint64        // where the reader will find the end
	ended bool          // it has found it
	spare []target.TraceEvent
}

// traceChunk is how many requests are made text at once: workers wait while so many are copied.
const traceChunk = 128

// Read never waits for requests.
func (h *traceHandle) Read(_ context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	h.mu.Lock()
	defer h.mu.Unlock()
	trace, ok := h.node.file.trace(h.node.tree, h.node.subject)
	if !ok {
		return nil, unix.ENOENT
	}
	if trace == nil {
		return fuse.ReadResultData(nil), 0
	}
	if trace != h.trace || off == 0 || off < h.at || off > h.at+int64(len(h.text)) {
		h.seek(trace, off)
	}
	if off == h.at+int64(len(h.text)) && !h.more() {
		return fuse.ReadResultData(nil), 0
	}
	return fuse.ReadResultData(dest[:copy(dest, h.text[off-h.at:])]), 0
}

// seek has text be what covers off, or end there.
func (h *traceHandle) seek(trace *target.Trace, off int64) {
	h.trace, h.text, h.at, h.next, h.ended = trace, h.text[:0], 0, 0, false
	h.end, _, _ = trace.Stat()
	if off == 0 {
		return // and more tells of what is not kept
	}
	if h.next, h.at = trace.Find(off); h.at < off && h.more() && off < h.at+int64(len(h.text)) {
		return
	}
	h.text, h.at = h.text[:0], off
}

// more has text be what comes after it; false: that is all.
func (h *traceHandle) more() bool {
	if h.ended {
		h.end, _, _ = h.trace.Stat()
	}
	if h.ended = h.next >= h.end; h.ended {
		return false
	}
	if h.spare == nil {
		h.spare = make([]target.TraceEvent, traceChunk)
	}
	n, lost := h.trace.Read(h.next, h.end, h.spare)
	h.at, h.text = h.at+int64(len(h.text)), h.text[:0]
	if lost > 0 {
		h.text = native.AppendLost(h.text, lost)
	}
	for i := range h.spare[:n] {
		h.text = native.AppendTrace(h.text, &h.spare[i])
	}
	h.next += lost + uint64(n)
	return true
}

var _ fs.FileReader = (*traceHandle)(nil)
