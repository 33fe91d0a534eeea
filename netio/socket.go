package netio

import (
	"errors"
	"fmt"
	"math/bits"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// sendBufferBytes bounds what may wait in the interface's queue: some 400 frames at MTU 9000 as the
// kernel counts them. The kernel's default of 208 KiB holds a dozen, less than one batch.
const sendBufferBytes = 8 << 20

// etherTypeNet is etherTypeAoE as sockaddr_ll wants it, in network order.
var etherTypeNet = networkOrder(etherTypeAoE)

func networkOrder(v uint16) uint16 {
	if hostIsBigEndian {
		return v
	}
	return bits.ReverseBytes16(v)
}

// newPacketSocket makes a packet socket that receives nothing yet: without a protocol and unbound, no
// frame can slip in before the filter and the ring are there (packet(7)).
func newPacketSocket(filter []bpf.RawInstruction) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("packet socket (needs root or CAP_NET_RAW): %w", err)
	}
	if err := prepareSocket(fd, filter); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func prepareSocket(fd int, filter []bpf.RawInstruction) error {
	if err := attachFilter(fd, filter); err != nil {
		return err
	}
	// Saves the kernel a copy per frame sent where it would be handed up; the filter rejects it anyway,
	// so a kernel before 4.20, which lacks the option, works too.
	err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
	if err != nil && !errors.Is(err, unix.ENOPROTOOPT) {
		return fmt.Errorf("setting PACKET_IGNORE_OUTGOING: %w", err)
	}
	return nil
}

// newSendSocket makes a packet socket that sends on an interface and receives nothing, having no protocol. Each frame
// is preceded by a vnetHeader; a receive ring on the same socket would have one, too, hence a socket of its own.
func newSendSocket(ifi Interface) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("packet socket (needs root or CAP_NET_RAW): %w", err)
	}
	if err := prepareSending(fd, ifi); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func prepareSending(fd int, ifi Interface) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1); err != nil {
		return fmt.Errorf("setting PACKET_VNET_HDR: %w", err)
	}
	// SO_SNDBUFFORCE needs CAP_NET_ADMIN; without it take what net.core.wmem_max allows.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, sendBufferBytes) != nil {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBufferBytes); err != nil {
			return fmt.Errorf("setting SO_SNDBUF: %w", err)
		}
	}
	return bindSocket(fd, ifi, 0)
}

func attachFilter(fd int, filter []bpf.RawInstruction) error {
	program := make([]unix.SockFilter, len(filter))
	for i, in := range filter {
		program[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog); err != nil {
		return fmt.Errorf("attaching the AoE frame filter: %w", err)
	}
	return nil
}

// bindSocket binds to the interface; with a protocol, which is in network order, it starts the reception.
func bindSocket(fd int, ifi Interface, protocol uint16) error {
	err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: ifi.Index})
	if errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("interface %s: %w", ifi.Name, ErrNoInterface)
	}
	if err != nil {
		return fmt.Errorf("binding to interface %s: %w", ifi.Name, err)
	}
	return nil
}
