package fusectl

import (
	"context"
	"errors"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"vbladefs/compat/native"
	"vbladefs/target"
)

// A stream is what an open file gives that never ends by itself.
type stream interface {
	// next waits for more text; io.EOF: there will be none.
	next(context.Context) ([]byte, error)
	Close() error
}

// traceStream is the trace of an address as text.
type traceStream struct {
	trace *target.Trace
	spare []target.TraceEvent
	text  []byte
}

func (s *traceStream) next(ctx context.Context) ([]byte, error) {
	events, lost, err := s.trace.Read(ctx, s.spare)
	if err != nil {
		return nil, err
	}
	s.text = s.text[:0]
	for i := range events {
		s.text = native.AppendTrace(s.text, &events[i])
	}
	if lost > 0 {
		s.text = native.AppendLost(s.text, lost)
	}
	s.spare = events
	return s.text, nil
}

func (s *traceStream) Close() error { return s.trace.Close() }

// streamHandle is an open file with a stream.
type streamHandle struct {
	tree   *tree
	stream stream
	mu     sync.Mutex // one reader at a time
	rest   []byte     // of the text that came last; guarded by mu
}

// openStream opens a file for reading that gives a stream.
func (n *fileNode) openStream() (fs.FileHandle, uint32, syscall.Errno) {
	s, err := n.file.open(n.tree, n.subject)
	switch {
	case errors.Is(err, target.ErrTraced):
		return nil, 0, unix.EBUSY
	case err != nil:
		return nil, 0, unix.ENOENT
	}
	return &streamHandle{tree: n.tree, stream: s}, fuse.FOPEN_DIRECT_IO | fuse.FOPEN_STREAM | fuse.FOPEN_NONSEEKABLE | fuse.FOPEN_NOFLUSH, 0
}

// Read waits for text, until the reader is interrupted or the tree is unmounted.
func (h *streamHandle) Read(ctx context.Context, dest []byte, _ int64) (fuse.ReadResult, syscall.Errno) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.rest) == 0 {
		waiting, cancel := context.WithCancel(h.tree.life)
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		var err error
		h.rest, err = h.stream.next(waiting)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return nil, unix.EINTR
		default:
			return fuse.ReadResultData(nil), 0 // that is all
		}
	}
	n := copy(dest, h.rest)
	h.rest = h.rest[n:]
	return fuse.ReadResultData(dest[:n]), 0
}

// Release ends the stream.
func (h *streamHandle) Release(context.Context) syscall.Errno {
	_ = h.stream.Close()
	return 0
}

var _ interface {
	fs.FileReader
	fs.FileReleaser
} = (*streamHandle)(nil)
