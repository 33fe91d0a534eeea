package disk

import (
	"math/bits"
	"unsafe"

	"golang.org/x/sys/unix"
)

// blockSizeBytes asks a block device for its size: BLKGETSIZE64 stores a u64 (linux/fs.h).
func blockSizeBytes(fd int) (int64, error) {
	var sizeBytes uint64
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.BLKGETSIZE64, uintptr(unsafe.Pointer(&sizeBytes)))
	if errno != 0 {
		return 0, errno
	}
	if sizeBytes > 1<<63-1 {
		return 0, unix.EOVERFLOW
	}
	return int64(sizeBytes), nil
}

// blockRange is an ioctl for a range of a block device: BLKDISCARD and BLKZEROOUT read two u64, start and length (linux/fs.h).
func blockRange(fd int, request uint, offset, length int64) error {
	bytes := [2]uint64{uint64(offset), uint64(length)}
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(unsafe.Pointer(&bytes)))
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
			continue
		}
		return errno
	}
}

// alignedTo reports whether data begins at a multiple of align, a power of two.
func alignedTo(data []byte, align uintptr) bool {
	return uintptr(unsafe.Pointer(unsafe.SliceData(data)))&(align-1) == 0
}

// transferInline is preadv2(2) or pwritev2(2), as trap says, for a call that does not wait: it does not tell the Go
// scheduler, which saves about as much as the call itself costs. data must not be empty.
func transferInline(trap uintptr, fd int, data []byte, offset int64, flags int) (int, unix.Errno) {
	iov := unix.Iovec{Base: unsafe.SliceData(data)}
	iov.SetLen(len(data))
	low, high := splitOffset(offset)
	n, _, errno := unix.RawSyscall6(trap, uintptr(fd), uintptr(unsafe.Pointer(&iov)), 1, low, high, uintptr(flags))
	return int(n), errno
}

// transferPlain is pread64(2) or pwrite64(2), as trap says, for a call that does not wait, as transferInline. It is for
// 64-bit machines: others split the offset in ways of their own.
func transferPlain(trap uintptr, fd int, data []byte, offset int64) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(trap, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(data))), uintptr(len(data)), uintptr(offset), 0, 0)
	return int(n), errno
}

// pwriteDsync is pwritev2(2) with RWF_DSYNC: the write is durable when it returns. data must not be empty.
func pwriteDsync(fd int, data []byte, offset int64) (int, error) {
	iov := unix.Iovec{Base: unsafe.SliceData(data)}
	iov.SetLen(len(data))
	low, high := splitOffset(offset)
	n, _, errno := unix.Syscall6(unix.SYS_PWRITEV2, uintptr(fd), uintptr(unsafe.Pointer(&iov)), 1, low, high, unix.RWF_DSYNC)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// splitOffset gives the two words of an offset that preadv2 takes; on 64-bit machines the first holds all of it and the
// kernel shifts the second away (pos_from_hilo in fs/read_write.c).
func splitOffset(offset int64) (low, high uintptr) {
	return uintptr(offset), uintptr(uint64(offset) >> (bits.UintSize - 1) >> 1)
}
