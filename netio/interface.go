package netio

import (
	"errors"
	"fmt"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Interface is what the kernel says of a network interface at one moment. Values are comparable.
type Interface struct {
	Name     string
	Index    int     // stays the same when the interface is renamed
	MTU      int     // bytes after the Ethernet header
	MAC      [6]byte // zero when it has none of six bytes
	Up       bool    // switched on and with carrier: frames can pass
	Ethernet bool    // ARPHRD_ETHER; loopback is not, though it may be served
	Loopback bool
}

// maxNameBytes is the longest alternative name (ALTIFNAMSIZ of linux/if.h, less the NUL).
const maxNameBytes = 127

// ErrNoInterface is wrapped by errors that name an interface the kernel does not know.
var ErrNoInterface = errors.New("no such network interface")

// Lookup returns the interface of that name as it is now, in the network namespace of the calling
// thread. The name may also be an alternative one (ip-link(8) altname); Interface.Name then holds the
// real one. The error wraps ErrNoInterface when there is none. Any goroutine may call it.
func Lookup(name string) (Interface, error) {
	// The kernel would read a name up to its first NUL, and find another interface.
	if name == "" || len(name) > maxNameBytes || strings.IndexByte(name, 0) >= 0 {
		return Interface{}, fmt.Errorf("interface name %.40q: %w", name, ErrNoInterface)
	}
	ifi, err := askLink(name)
	switch {
	case err == nil:
		return ifi, nil
	case err == unix.ENODEV:
		return Interface{}, fmt.Errorf("interface %q: %w", name, ErrNoInterface)
	}
	link, err := netlink.LinkByName(name) // knows older kernels
	if isNotFound(err) {
		return Interface{}, fmt.Errorf("interface %q: %w", name, ErrNoInterface)
	}
	if err != nil {
		return Interface{}, fmt.Errorf("looking up interface %q: %w", name, err)
	}
	return fromAttrs(link.Attrs()), nil
}

// isNotFound knows the two ways of being told that a name is no interface's.
func isNotFound(err error) bool {
	var notFound netlink.LinkNotFoundError
	return errors.As(err, &notFound) || errors.Is(err, unix.ENODEV)
}

// List returns all interfaces as they are now, in the network namespace of the calling thread. Any
// goroutine may call it.
func List() ([]Interface, error) {
	var links []netlink.Link
	var err error
	// A list that changed while it was read may miss some: read it again, a few times.
	for range 10 {
		links, err = netlink.LinkList()
		if !errors.Is(err, netlink.ErrDumpInterrupted) && !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("listing network interfaces: %w", err)
	}
	list := make([]Interface, 0, len(links))
	for _, link := range links {
		list = append(list, fromAttrs(link.Attrs()))
	}
	return list, nil
}

func fromAttrs(a *netlink.LinkAttrs) Interface {
	const passing = unix.IFF_UP | unix.IFF_LOWER_UP
	ifi := Interface{
		Name:     a.Name,
		Index:    a.Index,
		MTU:      a.MTU,
		Up:       a.RawFlags&passing == passing,
		Ethernet: a.EncapType == "ether",
		Loopback: a.RawFlags&unix.IFF_LOOPBACK != 0,
	}
	if len(a.HardwareAddr) == len(ifi.MAC) {
		copy(ifi.MAC[:], a.HardwareAddr)
	}
	return ifi
}
