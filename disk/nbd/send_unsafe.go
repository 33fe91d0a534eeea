package nbd

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// sendVectors is sendmsg(2) without waiting, and without the signal for a broken connection. m is the caller's, so that it
// is not allocated.
func sendVectors(fd int, m *unix.Msghdr, vectors []unix.Iovec) (int, unix.Errno) {
	m.Iov = &vectors[0]
	m.SetIovlen(len(vectors))
	n, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(m)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// after is the address n bytes behind p, in the same memory.
func after(p *byte, n int) *byte { return (*byte)(unsafe.Add(unsafe.Pointer(p), n)) }

// bytesOf is what a vector describes.
func bytesOf(v *unix.Iovec) []byte { return unsafe.Slice(v.Base, int(v.Len)) }
