package main

import (
	"fmt"

	"github.com/vishvananda/netlink"
)

// segment puts a bridge behind the client's end of a pair and two clients at it,
// and returns their interfaces. Two programs on one interface would each get the
// other's frames, and the target's processor would deliver every frame twice.
// removeSegment takes them away.
func segment(client string) (first, second string, err error) {
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: client + "-bridge", MTU: mtu}}
	if err := netlink.LinkAdd(bridge); err != nil {
		return "", "", fmt.Errorf("making the bridge %s: %w", bridge.Name, err)
	}
	if err := netlink.LinkSetUp(bridge); err != nil {
		return "", "", fmt.Errorf("setting %s up: %w", bridge.Name, err)
	}
	ports := []string{client}
	for _, name := range []string{client + "a", client + "b"} {
		port := name + "-port"
		if err := makePair(port, name); err != nil {
			return "", "", err
		}
		ports = append(ports, port)
	}
	for _, port := range ports {
		link, err := netlink.LinkByName(port)
		if err == nil {
			err = netlink.LinkSetMaster(link, bridge)
		}
		if err != nil {
			return "", "", fmt.Errorf("attaching %s to %s: %w", port, bridge.Name, err)
		}
	}
	return client + "a", client + "b", nil
}

func removeSegment(client string) {
	for _, name := range []string{client + "a", client + "b", client + "-bridge"} {
		if link, err := netlink.LinkByName(name); err == nil {
			_ = netlink.LinkDel(link)
		}
	}
}
