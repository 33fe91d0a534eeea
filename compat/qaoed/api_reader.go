package qaoed

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"vbladefs/target"
)

// This file has the pieces of the structures.

// appendText writes s and NULs, size bytes in all.
func appendText(b []byte, s string, size int) []byte {
	s = s[:min(len(s), size-1)]
	return append(append(b, s...), make([]byte, size-len(s))...)
}

// reader takes a structure apart. After an error it reads zeros.
type reader struct {
	rest []byte
	err  error
}

func newReader(b []byte, size int) *reader {
	r := &reader{rest: b}
	if len(b) != size {
		r.fail("%d bytes: want %d", len(b), size)
	}
	return r
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: "+format, append([]any{target.ErrMalformed}, args...)...)
	}
}

func (r *reader) next(n int) []byte {
	if r.err != nil {
		return make([]byte, n)
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) uint32() uint32 { return binary.NativeEndian.Uint32(r.next(4)) }

// text reads what stands before the first NUL; clients leave anything behind it.
func (r *reader) text(what string, size int) string {
	b := r.next(size)
	end := bytes.IndexByte(b, 0)
	if end < 0 {
		r.fail("the text for %s does not end within its %d bytes", what, size)
		return ""
	}
	return string(b[:end])
}

func (r *reader) target() Target {
	t := Target{Path: r.text("target", pathText)}
	t.Shelf = binary.NativeEndian.Uint16(r.next(2))
	t.Slot = r.next(1)[0]
	t.Interface = r.text("interface", netifText)
	r.next(1)
	t.Writecache = Switch(r.uint32())
	t.Broadcast = Switch(r.uint32())
	return t
}
