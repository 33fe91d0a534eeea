package netio

import (
	"encoding/binary"
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// This file asks the kernel for one interface (rtnetlink(7), RTM_GETLINK). The
// library does, too, but takes five times as long: every added export asks.

// errOddAnswer is any answer that askLink does not understand; the library may.
var errOddAnswer = errors.New("netlink: an answer of another kind than was asked for")

// maxLinkAnswer is the most that the kernel says of an interface when it is not
// asked for statistics and virtual functions, and then some.
const maxLinkAnswer = 8 << 10

// skipStats is RTEXT_FILTER_SKIP_STATS of linux/rtnetlink.h.
const skipStats = 1 << 3

// askLink returns the interface of that name, which may be an alternative one.
// Its error is errOddAnswer or an errno: ENODEV if there is no such interface.
func askLink(name string) (Interface, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return Interface{}, err
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, linkQuestion(name), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return Interface{}, err
	}
	answer := make([]byte, maxLinkAnswer)
	for {
		n, from, err := unix.Recvfrom(fd, answer, unix.MSG_TRUNC)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return Interface{}, err
		}
		if sender, ok := from.(*unix.SockaddrNetlink); !ok || sender.Pid != 0 || n > len(answer) {
			return Interface{}, errOddAnswer
		}
		return linkAnswer(answer[:n])
	}
}

// linkQuestion is the message that asks for the interface called name.
func linkQuestion(name string) []byte {
	kind := uint16(unix.IFLA_IFNAME)
	if len(name) >= unix.IFNAMSIZ {
		kind = unix.IFLA_ALT_IFNAME
	}
	order := binary.NativeEndian
	m := make([]byte, unix.SizeofNlMsghdr+unix.SizeofIfInfomsg, 256)
	m = order.AppendUint16(m, unix.SizeofRtAttr+4)
	m = order.AppendUint16(m, unix.IFLA_EXT_MASK)
	m = order.AppendUint32(m, skipStats)
	m = order.AppendUint16(m, uint16(unix.SizeofRtAttr+len(name)+1))
	m = order.AppendUint16(m, kind)
	m = append(append(m, name...), 0)
	m = append(m, make([]byte, -len(m)&(unix.NLMSG_ALIGNTO-1))...)
	order.PutUint32(m[0:], uint32(len(m)))
	order.PutUint16(m[4:], unix.RTM_GETLINK)
	order.PutUint16(m[6:], unix.NLM_F_REQUEST)
	return m
}

// linkAnswer reads what the kernel answers.
func linkAnswer(answer []byte) (Interface, error) {
	order := binary.NativeEndian
	if len(answer) < unix.SizeofNlMsghdr+4 {
		return Interface{}, errOddAnswer
	}
	size, kind := order.Uint32(answer), order.Uint16(answer[4:])
	if size < unix.SizeofNlMsghdr+4 || int64(size) > int64(len(answer)) {
		return Interface{}, errOddAnswer
	}
	body := answer[unix.SizeofNlMsghdr:size]
	if kind == unix.NLMSG_ERROR {
		if errno := syscall.Errno(-int32(order.Uint32(body))); errno != 0 {
			return Interface{}, errno
		}
		return Interface{}, errOddAnswer
	}
	if kind != unix.RTM_NEWLINK || len(body) < unix.SizeofIfInfomsg {
		return Interface{}, errOddAnswer
	}
	// struct ifinfomsg: family, padding, type, index, flags, change.
	flags := order.Uint32(body[8:])
	const passing = unix.IFF_UP | unix.IFF_LOWER_UP
	ifi := Interface{
		Index:    int(int32(order.Uint32(body[4:]))),
		Up:       flags&passing == passing,
		Ethernet: order.Uint16(body[2:]) == unix.ARPHRD_ETHER,
		Loopback: flags&unix.IFF_LOOPBACK != 0,
	}
	return ifi, ifi.readAttributes(body[unix.SizeofIfInfomsg:])
}

// readAttributes takes name, MTU and address from a list of attributes.
func (ifi *Interface) readAttributes(list []byte) error {
	order := binary.NativeEndian
	for len(list) >= unix.SizeofRtAttr {
		size, kind := int(order.Uint16(list)), order.Uint16(list[2:])
		if size < unix.SizeofRtAttr || size > len(list) {
			return errOddAnswer
		}
		switch value := list[unix.SizeofRtAttr:size]; {
		case kind == unix.IFLA_IFNAME && len(value) > 1:
			ifi.Name = unix.ByteSliceToString(value)
		case kind == unix.IFLA_MTU && len(value) == 4:
			ifi.MTU = int(order.Uint32(value))
		case kind == unix.IFLA_ADDRESS && len(value) == len(ifi.MAC):
			copy(ifi.MAC[:], value)
		}
		list = list[min(len(list), (size+unix.RTA_ALIGNTO-1)&^(unix.RTA_ALIGNTO-1)):]
	}
	if ifi.Name == "" || ifi.MTU == 0 {
		return errOddAnswer
	}
	return nil
}
