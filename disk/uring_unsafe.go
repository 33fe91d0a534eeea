package disk

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	sqeBytes = int(unsafe.Sizeof(sqe{}))
	cqeBytes = int(unsafe.Sizeof(cqe{}))
)

// ioUringSetup is io_uring_setup(2).
func ioUringSetup(entries uint32, p *ringParams) (fd int, errno unix.Errno) {
	n, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, uintptr(entries), uintptr(unsafe.Pointer(p)), 0)
	return int(n), errno
}

// ioUringEnter is io_uring_enter(2). Even a submission that is not to wait may do so, for what a file system must read to
// find the blocks; as a raw call, which is some percent faster, it would then stop the whole process.
func ioUringEnter(fd int, submit, complete, flags uint32) (submitted uint32, errno unix.Errno) {
	n, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(fd), uintptr(submit), uintptr(complete), uintptr(flags), 0, 0)
	return uint32(n), errno
}

// registerRingEventfd has completions signalled on an eventfd.
func registerRingEventfd(ring, eventFD int) unix.Errno {
	fd := int32(eventFD)
	_, _, errno := unix.Syscall6(unix.SYS_IO_URING_REGISTER, uintptr(ring), registerEventfd, uintptr(unsafe.Pointer(&fd)), 1, 0, 0)
	return errno
}

// registerRingBuffer pins memory and gives it the index 0.
func registerRingBuffer(ring int, memory []byte) unix.Errno {
	iov := iovec(memory)
	_, _, errno := unix.Syscall6(unix.SYS_IO_URING_REGISTER, uintptr(ring), registerBuffers, uintptr(unsafe.Pointer(&iov)), 1, 0, 0)
	return errno
}

// probeRing asks which operations the kernel has.
func probeRing(ring int, p *ringProbe) unix.Errno {
	_, _, errno := unix.Syscall6(unix.SYS_IO_URING_REGISTER, uintptr(ring), registerProbe, uintptr(unsafe.Pointer(p)), uintptr(len(p.ops)), 0, 0)
	return errno
}

// enableRing starts a ring made disabled; the calling thread becomes its only user if it is for one.
func enableRing(ring int) unix.Errno {
	_, _, errno := unix.Syscall6(unix.SYS_IO_URING_REGISTER, uintptr(ring), registerEnableRings, 0, 0, 0, 0)
	return errno
}

// word is the word at a byte offset of a mapping, which must hold it.
func word(mapping []byte, offset uint32) *atomic.Uint32 {
	return (*atomic.Uint32)(unsafe.Pointer(unsafe.SliceData(mapping[offset:][:4])))
}

// sqesIn and cqesIn are the entries at the beginning of a mapping's part, which must hold them.
func sqesIn(part []byte, entries int) []sqe {
	part = part[:entries*sqeBytes]
	return unsafe.Slice((*sqe)(unsafe.Pointer(unsafe.SliceData(part))), entries)
}

func cqesIn(part []byte, entries int) []cqe {
	part = part[:entries*cqeBytes]
	return unsafe.Slice((*cqe)(unsafe.Pointer(unsafe.SliceData(part))), entries)
}

// address is where data is in memory. The caller keeps data reachable and off the stack while the kernel uses it.
func address(data []byte) uint64 {
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(data))))
}

// iovec describes data to the kernel, as address does.
func iovec(data []byte) unix.Iovec {
	v := unix.Iovec{Base: unsafe.SliceData(data)}
	v.SetLen(len(data))
	return v
}

// addressOfIovecs is where they are. They must not be empty, and stay reachable.
func addressOfIovecs(iovecs []unix.Iovec) uint64 {
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(iovecs))))
}

// within reports whether data lies in memory. Neither may be empty.
func within(data, memory []byte) bool {
	return len(data) <= len(memory) && address(data)-address(memory) <= uint64(len(memory)-len(data))
}
