package nbd

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestKernelLayout holds what sendVectors gives to the kernel against its struct user_msghdr (include/linux/socket.h): two
// words, one of them a length, then the vectors and their number.
func TestKernelLayout(t *testing.T) {
	var m unix.Msghdr
	word := unsafe.Sizeof(uintptr(0))
	if unsafe.Offsetof(m.Iov) != 2*word || unsafe.Offsetof(m.Iovlen) != 3*word || unsafe.Sizeof(m) != 7*word || unsafe.Sizeof(unix.Iovec{}) != 2*word {
		t.Errorf("vectors at %d, their number at %d, %d bytes in all", unsafe.Offsetof(m.Iov), unsafe.Offsetof(m.Iovlen), unsafe.Sizeof(m))
	}
	b := []byte("abcdef")
	if v := (unix.Iovec{Base: after(&b[0], 2)}); *v.Base != 'c' {
		t.Errorf("two behind a is %c", *v.Base)
	}
}
