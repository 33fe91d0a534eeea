package fusectl

import (
	"cmp"
	"fmt"

	"vbladefs/target"
)

// interfacesDir is this project's own: the interfaces that something is
// exported on, whether by name or because it is exported on all of them.
var interfacesDir = &dir{
	name:  "interfaces",
	about: "the interfaces that have exports; one that an export names stays while it is away, but is not here before it was ever there",
	dirs:  []*dir{interfaceDir},
}

var interfaceDir = &dir{
	name:  "<INTERFACE>",
	about: "an interface",
	list: func(t *tree, _ subject) []subject {
		return folders(t.engine.Interfaces(), func(n target.InterfaceInfo) subject {
			return subject{name: n.Name, netif: n.Name}
		})
	},
	find: func(t *tree, _ subject, name string) (subject, bool) {
		_, ok := t.engine.Interface(name)
		return subject{name: name, netif: name}, ok
	},
	files: []*file{
		interfaceFile("mtu", "the interface's MTU in bytes", func(n target.InterfaceInfo) string {
			return fmt.Sprintf("%d\n", n.MTU)
		}),
		interfaceFile("link", "up or down, then how frames are received: ring, raw, xdp, or none while they are not", linkText),
		interfaceFile("stats", "ports, and frames that got no reply: NAME VALUE, a line each", interfaceStats),
		interfaceFile("traffic", "what passed its links: NAME VALUE, a line each; a batch is what one call took or sent", interfaceTraffic),
		clientsFile,
	},
}

// interfaceFile is an attribute of an interface.
func interfaceFile(name, gives string, show func(target.InterfaceInfo) string) *file {
	return &file{name: name, gives: gives, read: func(t *tree, s subject) ([]byte, bool) {
		netif, ok := t.engine.Interface(s.netif)
		return []byte(show(netif)), ok
	}}
}

// linkText is the text of link: always two words, the second for the case too
// that the interface is up and frames cannot be received.
func linkText(n target.InterfaceInfo) string {
	state := "down"
	if n.Up {
		state = "up"
	}
	return state + " " + cmp.Or(n.Link, "none") + "\n"
}

// interfaceStats is the text of stats; new keys go to the end.
func interfaceStats(n target.InterfaceInfo) string {
	return fmt.Sprintf("ports %d\nignored %d\nforeign %d\nreceive_drops %d\nsend_drops %d\nworkers %d\noverload_drops %d\n",
		n.Ports, n.Ignored, n.Foreign, n.ReceiveDrops, n.SendDrops, n.Workers, n.OverloadDrops)
}

// interfaceTraffic is the text of traffic.
func interfaceTraffic(n target.InterfaceInfo) string {
	return trafficText("received", n.Received) + trafficText("sent", n.Sent) + fmt.Sprintf("wildcards %d\n", n.Wildcards)
}

func trafficText(name string, t target.Traffic) string {
	return fmt.Sprintf("%s_frames %d\n%[1]s_bytes %[3]d\n%[1]s_batches %[4]d\n", name, t.Frames, t.Bytes, t.Batches)
}
