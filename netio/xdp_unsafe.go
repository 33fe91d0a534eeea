package netio

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// xdpRing is one of the four rings of an AF_XDP socket, shared with the kernel: entries that a producer writes
// and a consumer reads, in order, and the index of each, which only ever grows (linux/if_xdp.h, Documentation/
// networking/af_xdp.rst). We produce into the fill and transmit rings and consume the other two.
type xdpRing[E uint64 | unix.XDPDesc] struct {
	memory             []byte
	producer, consumer *uint32
	flags              *uint32
	entries            []E    // a power of two of them
	index              uint32 // ours; the kernel sees it after publish
}

// mapXDPRing maps the ring of that many entries which the kernel has made at that offset of the socket.
func mapXDPRing[E uint64 | unix.XDPDesc](fd int, at int64, o unix.XDPRingOffset, entries int) (xdpRing[E], error) {
	var entry E
	length := int(o.Desc) + entries*int(unsafe.Sizeof(entry))
	memory, err := unix.Mmap(fd, at, length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return xdpRing[E]{}, fmt.Errorf("mapping an AF_XDP ring of %d bytes: %w", length, err)
	}
	word := func(offset uint64) *uint32 { return (*uint32)(unsafe.Pointer(&memory[offset : offset+4][0])) }
	return xdpRing[E]{
		memory: memory, producer: word(o.Producer), consumer: word(o.Consumer), flags: word(o.Flags),
		entries: unsafe.Slice((*E)(unsafe.Pointer(&memory[o.Desc])), entries),
	}, nil
}

func (r *xdpRing[E]) unmap() error {
	memory := r.memory
	*r = xdpRing[E]{}
	if memory == nil {
		return nil
	}
	return unix.Munmap(memory)
}

// entry is where the entry of that index lies.
func (r *xdpRing[E]) entry(index uint32) *E { return &r.entries[index&uint32(len(r.entries)-1)] }

// ready is how many entries the kernel has produced that we have not consumed.
func (r *xdpRing[E]) ready() uint32 { return atomic.LoadUint32(r.producer) - r.index }

// pending is how many entries we have produced that the kernel does not say it has consumed.
func (r *xdpRing[E]) pending() uint32 { return r.index - atomic.LoadUint32(r.consumer) }

// produce makes our entries up to index the kernel's.
func (r *xdpRing[E]) produce() { atomic.StoreUint32(r.producer, r.index) }

// consume gives entries up to index back.
func (r *xdpRing[E]) consume() { atomic.StoreUint32(r.consumer, r.index) }

// needsWakeup says whether the kernel waits for a system call before it looks at the ring again.
func (r *xdpRing[E]) needsWakeup() bool {
	return atomic.LoadUint32(r.flags)&unix.XDP_RING_NEED_WAKEUP != 0
}

// registerUmem makes memory the socket's, in chunks of that size.
func registerUmem(fd int, memory []byte, chunk, headroom int) error {
	r := unix.XDPUmemReg{
		Addr: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(memory)))), Len: uint64(len(memory)),
		Size: uint32(chunk), Headroom: uint32(headroom),
	}
	_, _, errno := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_XDP, unix.XDP_UMEM_REG,
		uintptr(unsafe.Pointer(&r)), unsafe.Sizeof(r), 0)
	if errno == unix.ENOBUFS {
		return fmt.Errorf("locking %d bytes for the AF_XDP socket (needs CAP_IPC_LOCK or a larger ulimit -l): %w", len(memory), errno)
	}
	if errno != 0 {
		return fmt.Errorf("giving %d bytes to the AF_XDP socket: %w", len(memory), errno)
	}
	return nil
}

// xdpOption asks the socket for an option of that type; a kernel that knows less of it than we do is too old.
func xdpOption[V unix.XDPMmapOffsets | unix.XDPStatistics | uint32](fd, option int) (value V, err error) {
	length := uint32(unsafe.Sizeof(value))
	_, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_XDP, uintptr(option),
		uintptr(unsafe.Pointer(&value)), uintptr(unsafe.Pointer(&length)), 0)
	if errno != 0 {
		return value, fmt.Errorf("AF_XDP option %d: %w", option, errno)
	}
	if uintptr(length) != unsafe.Sizeof(value) {
		return value, fmt.Errorf("AF_XDP option %d has %d bytes: this needs Linux 5.9 or newer", option, length)
	}
	return value, nil
}

// kickSend has the kernel look at the transmit ring; in copy mode it sends what is there before it returns.
func kickSend(fd int) unix.Errno {
	_, _, errno := unix.Syscall6(unix.SYS_SENDTO, uintptr(fd), 0, 0, unix.MSG_DONTWAIT, 0, 0)
	return errno
}

// kickReceive has a driver that waits for free chunks look at the fill ring.
func kickReceive(fd int) unix.Errno {
	_, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(fd), 0, 0, unix.MSG_DONTWAIT, 0, 0)
	return errno
}

// ifreqMAC is struct ifreq as SIOCGIFHWADDR fills it.
type ifreqMAC struct {
	name   [unix.IFNAMSIZ]byte
	family uint16
	mac    [6]byte
	_      [16]byte // the rest of the kernel's union
}

// interfaceMAC asks for the address of the interface of that index, whatever it is called by now, in the
// namespace of the socket. ENODEV when there is no such interface any more. It allocates nothing.
func (q *macQuery) interfaceMAC(fd, index int) ([6]byte, unix.Errno) {
	q.byIndex = ifreqIndex{index: int32(index)}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCGIFNAME, uintptr(unsafe.Pointer(&q.byIndex)))
	if errno != 0 {
		return [6]byte{}, errno
	}
	q.byName = ifreqMAC{name: q.byIndex.name}
	_, _, errno = unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCGIFHWADDR, uintptr(unsafe.Pointer(&q.byName)))
	return q.byName.mac, errno
}

// macQuery is room for the two questions of interfaceMAC.
type macQuery struct {
	byIndex ifreqIndex
	byName  ifreqMAC
}

// ifreqEthtool is struct ifreq as SIOCETHTOOL takes it.
type ifreqEthtool struct {
	name [unix.IFNAMSIZ]byte
	data unsafe.Pointer
	_    [24 - unsafe.Sizeof(uintptr(0))]byte
}

// ethtoolValue is struct ethtool_value, ethtoolChannels struct ethtool_channels (linux/ethtool.h).
type (
	ethtoolValue    struct{ command, data uint32 }
	ethtoolChannels struct {
		command    uint32
		_          [4]uint32 // the most that there can be
		receive, _ uint32
		_          uint32 // other
		combined   uint32
	}
)

// ethtool asks the driver of the named interface; question begins with the command.
func ethtool[Q ethtoolValue | ethtoolChannels](fd int, netif string, question *Q) unix.Errno {
	request := ifreqEthtool{data: unsafe.Pointer(question)}
	copy(request.name[:len(request.name)-1], netif)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	return errno
}
