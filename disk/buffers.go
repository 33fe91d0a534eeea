package disk

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// pageBytes is the smallest page size of Linux: what every mapping is aligned to at least.
const pageBytes = 4096

// AllocBuffers returns zeroed memory of its own, outside the Go heap, aligned to a page: it never moves, and stores with
// Direct policy take any part of it that is aligned to their need without a copy. The length is rounded up to whole
// pages. Release it with FreeBuffers.
func AllocBuffers(bytes int) ([]byte, error) {
	page := os.Getpagesize()
	if bytes <= 0 || bytes > int(^uint(0)>>1)-page {
		return nil, fmt.Errorf("allocate %d bytes of buffers: %w: ask for at least one byte", bytes, unix.EINVAL)
	}
	length := (bytes + page - 1) &^ (page - 1)
	buf, err := unix.Mmap(-1, 0, length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("allocate %d bytes of buffers: %w: raise the memory limit", bytes, err)
	}
	return buf, nil
}

// FreeBuffers releases what AllocBuffers returned, the slice itself and not a part of it. No request may use it any more.
func FreeBuffers(buf []byte) error {
	if err := unix.Munmap(buf); err != nil {
		return fmt.Errorf("free %d bytes of buffers: %w: pass the slice that AllocBuffers returned", len(buf), err)
	}
	return nil
}

// bounce is the aligned memory that one goroutine copies unaligned data through. The zero value is ready.
type bounce struct {
	buf []byte
}

// take returns aligned memory of the given length, valid until the next take.
func (b *bounce) take(length int) ([]byte, error) {
	if length > len(b.buf) {
		b.free()
		buf, err := AllocBuffers(length)
		if err != nil {
			return nil, unix.ENOMEM
		}
		b.buf = buf
	}
	return b.buf[:length], nil
}

func (b *bounce) free() {
	if b.buf != nil {
		unix.Munmap(b.buf)
		b.buf = nil
	}
}
