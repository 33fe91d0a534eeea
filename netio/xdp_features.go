package netio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Of linux/netdev.h: a question of the generic netlink family "netdev" (Linux 6.3), and of its answer what we use.
const (
	netdevGet                   = 1      // NETDEV_CMD_DEV_GET
	netdevInterfaceIndex        = 1      // NETDEV_A_DEV_IFINDEX, 32 bits
	netdevXDPFeatures           = 3      // NETDEV_A_DEV_XDP_FEATURES, 64 bits
	netdevMetadata              = 5      // NETDEV_A_DEV_XDP_RX_METADATA_FEATURES, 64 bits
	xdpFeatureZeroCopy          = 1 << 3 // NETDEV_XDP_ACT_XSK_ZEROCOPY
	xdpFeatureRedirect          = 1 << 1
	xdpMetadataVLAN      uint64 = 1 << 2
)

// xdpDriver is what an interface's driver can do for us.
type xdpDriver struct {
	queues     int  // receive queues in use
	stripsTags bool // the interface strips VLAN tags before the program sees a frame
	tellsTag   bool // the program can ask for the tag, in native mode
	noRedirect bool // known not to hand frames to sockets in native mode
	zeroCopy   bool // it may have zero copy; binding tells
}

// askDriver works in the namespace of the calling thread. What a kernel or driver does not answer, it cannot do.
func askDriver(ifi Interface) (xdpDriver, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return xdpDriver{}, fmt.Errorf("control socket for interface %s: %w", ifi.Name, err)
	}
	defer unix.Close(fd)
	if interfaceExists(fd, ifi.Index) == unix.ENODEV {
		return xdpDriver{}, fmt.Errorf("interface %s: %w", ifi.Name, ErrNoInterface)
	}
	d := xdpDriver{queues: 1}
	channels := ethtoolChannels{command: unix.ETHTOOL_GCHANNELS}
	if ethtool(fd, ifi.Name, &channels) == 0 {
		d.queues = max(1, int(channels.receive+channels.combined))
	} else if link, err := netlink.LinkByIndex(ifi.Index); err == nil {
		d.queues = max(1, link.Attrs().NumRxQueues) // without channels, all that there are
	}
	flags := ethtoolValue{command: unix.ETHTOOL_GFLAGS}
	if ethtool(fd, ifi.Name, &flags) == 0 {
		const stripsTags = 1 << 8 // ETH_FLAG_RXVLAN
		d.stripsTags = flags.data&stripsTags != 0
	}
	d.zeroCopy = true // an older kernel cannot say
	features, metadata, err := netdevFeatures(ifi.Index)
	if err == nil {
		d.tellsTag = metadata&xdpMetadataVLAN != 0
		d.noRedirect = features != 0 && features&xdpFeatureRedirect == 0
		d.zeroCopy = features&xdpFeatureZeroCopy != 0
	}
	return d, nil
}

// netdevFeatures asks the kernel what the driver of the interface can do with XDP.
func netdevFeatures(index int) (features, metadata uint64, err error) {
	family, err := netdevFamily()
	if err != nil {
		return 0, 0, err
	}
	attributes, err := askGeneric(family, netdevGet, nl.NewRtAttr(netdevInterfaceIndex, nl.Uint32Attr(uint32(index))))
	if err != nil {
		return 0, 0, err
	}
	for _, a := range attributes {
		if len(a.Value) < 8 {
			continue
		}
		switch a.Attr.Type {
		case netdevXDPFeatures:
			features = binary.NativeEndian.Uint64(a.Value)
		case netdevMetadata:
			metadata = binary.NativeEndian.Uint64(a.Value)
		}
	}
	return features, metadata, nil
}

// netdevFamily asks for the number of the generic netlink family "netdev".
func netdevFamily() (int, error) {
	attributes, err := askGeneric(unix.GENL_ID_CTRL, unix.CTRL_CMD_GETFAMILY,
		nl.NewRtAttr(unix.CTRL_ATTR_FAMILY_NAME, nl.ZeroTerminated("netdev")))
	if err != nil {
		return 0, err
	}
	for _, a := range attributes {
		if a.Attr.Type == unix.CTRL_ATTR_FAMILY_ID && len(a.Value) >= 2 {
			return int(binary.NativeEndian.Uint16(a.Value)), nil
		}
	}
	return 0, errors.New("the kernel does not number the netdev family")
}

// askGeneric sends one generic netlink question and returns what the first answer holds. The library's own Genlmsg is
// not used: it is sent with two bytes of whatever lies behind it in memory.
func askGeneric(family int, command byte, question *nl.RtAttr) ([]syscall.NetlinkRouteAttr, error) {
	request := nl.NewNetlinkRequest(family, 0)
	request.AddRawData(append([]byte{command, 1, 0, 0}, question.Serialize()...))
	messages, err := request.Execute(unix.NETLINK_GENERIC, 0)
	if err != nil {
		return nil, err
	}
	if len(messages) == 0 || len(messages[0]) < nl.SizeofGenlmsg {
		return nil, errors.New("no answer from generic netlink")
	}
	return nl.ParseRouteAttr(messages[0][nl.SizeofGenlmsg:])
}
