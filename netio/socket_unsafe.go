package netio

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// hostIsBigEndian is found by looking, as the kernel would see it.
var hostIsBigEndian = func() bool {
	probe := uint16(1)
	return *(*byte)(unsafe.Pointer(&probe)) == 0
}()

// socketName is room for the kernel's answers about a socket; it lives in the link so that asking
// allocates nothing.
type socketName struct {
	addr   unix.RawSockaddrLinklayer
	length uint32
	value  int32
}

// interfaceIndex returns sll_ifindex of a packet socket, which the kernel makes -1 when the interface
// is unregistered (net/packet/af_packet.c packet_notifier). A raw call: getsockname never blocks.
func (s *socketName) interfaceIndex(fd int) (int32, unix.Errno) {
	s.length = unix.SizeofSockaddrLinklayer
	_, _, errno := unix.RawSyscall(unix.SYS_GETSOCKNAME, uintptr(fd),
		uintptr(unsafe.Pointer(&s.addr)), uintptr(unsafe.Pointer(&s.length)))
	return s.addr.Ifindex, errno
}

// clearError returns SO_ERROR, which reading resets. A raw call: it never blocks.
func (s *socketName) clearError(fd int) unix.Errno {
	s.value = 0
	s.length = uint32(unsafe.Sizeof(s.value))
	unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_ERROR,
		uintptr(unsafe.Pointer(&s.value)), uintptr(unsafe.Pointer(&s.length)), 0)
	return unix.Errno(s.value)
}

// ifreqIndex is struct ifreq as SIOCGIFNAME takes it: the index goes in, the name comes out.
type ifreqIndex struct {
	name  [unix.IFNAMSIZ]byte
	index int32
	_     [20]byte // the rest of the kernel's union
}

// interfaceExists asks for the interface's name, in the namespace of the socket and not of the thread:
// ENODEV when there is no interface of that index any more.
func interfaceExists(fd, index int) unix.Errno {
	request := ifreqIndex{index: int32(index)}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCGIFNAME, uintptr(unsafe.Pointer(&request)))
	return errno
}
