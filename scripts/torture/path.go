package main

import (
	"errors"
	"fmt"

	"vbladefs/netio"
	"vbladefs/scripts/torture/faultnet"
	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
)

// path is a way from a client to the target:
//
//	client c<n> ── veth ── a<n> ─ wire ─ b<n> ── veth ── t<n> target
//
// Each end of the wire has the MAC of the interface on the other side, so that
// its frames are for it as for that.
type path struct {
	netif string // the target's
	link  netio.Link
	local initiator.Local
	wire  *faultnet.Wire
	ends  [2]netio.Link
	ran   chan error
}

// newPath makes the n-th path of a rig and runs its wire.
func (r *rig) newPath(n, mtu int, seed uint64) (*path, error) {
	client, near, far, target := fmt.Sprintf("c%d", n), fmt.Sprintf("a%d", n), fmt.Sprintf("b%d", n), fmt.Sprintf("t%d", n)
	for _, ends := range [][2]string{{client, near}, {far, target}} {
		if err := r.pair(ends[0], ends[1], mtu); err != nil {
			return nil, err
		}
	}
	p := &path{netif: target, ran: make(chan error, 1)}
	for _, same := range [][2]string{{near, target}, {far, client}} {
		info, err := netio.Lookup(same[1])
		if err == nil {
			err = setMAC(same[0], info.MAC[:])
		}
		if err != nil {
			return nil, err
		}
	}
	info, err := netio.Lookup(client)
	if err != nil {
		return nil, err
	}
	p.local = initiator.Local{MAC: aoe.MAC(info.MAC), MTU: mtu}
	if p.link, err = netio.Open(client, netio.Options{Replies: true}); err != nil {
		return nil, err
	}
	for i, netif := range []string{near, far} {
		if p.ends[i], err = netio.Open(netif, netio.Options{}); err != nil {
			return nil, err
		}
	}
	p.wire = faultnet.New(p.ends[0], p.ends[1], mtu, seed+uint64(n))
	go func() { p.ran <- p.wire.Run() }()
	r.later(p.close)
	return p, nil
}

// newStraightPath makes a path without a wire between its ends.
func (r *rig) newStraightPath(n, mtu int) (*path, error) {
	client, target := fmt.Sprintf("c%d", n), fmt.Sprintf("t%d", n)
	if err := r.pair(client, target, mtu); err != nil {
		return nil, err
	}
	info, err := netio.Lookup(client)
	if err != nil {
		return nil, err
	}
	p := &path{netif: target, local: initiator.Local{MAC: aoe.MAC(info.MAC), MTU: mtu}}
	if p.link, err = netio.Open(client, netio.Options{Replies: true}); err != nil {
		return nil, err
	}
	r.later(p.link.Close)
	return p, nil
}

func (p *path) close() error {
	p.wire.Close()
	return errors.Join(<-p.ran, p.link.Close(), p.ends[0].Close(), p.ends[1].Close())
}
