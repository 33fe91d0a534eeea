package main

import (
	"fmt"

	"vbladefs/netio"
	"vbladefs/target/aoe/initiator"
)

// answersRoom is memory for the answers of 10,000 exports that come at once.
const answersRoom = 8 << 20

// onSegment calls f with an initiator on an interface. It hears what other
// machines serve there: frames of this one do not come back to it.
func onSegment(netif string, f func(*initiator.Initiator) error) error {
	ifi, err := netio.Lookup(netif)
	if err != nil {
		return err
	}
	if !ifi.Up {
		return fmt.Errorf("%s is down: ip link set %s up", netif, netif)
	}
	link, err := netio.Open(netif, netio.Options{Replies: true, RingBytes: answersRoom})
	if err != nil {
		return err
	}
	defer link.Close()
	i, err := initiator.New(link, initiator.Local{MAC: ifi.MAC, MTU: ifi.MTU})
	if err != nil {
		return fmt.Errorf("%s: %w", netif, err)
	}
	return f(i)
}
