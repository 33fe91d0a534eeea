package daemon

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"

	"vbladefs/target/aoe"
)

// Claim is an address on an interface that this process alone is to serve. The
// engine asks the segment who else answers, but frames of this machine do not reach
// its own packet sockets (packet(7)): two processes on one interface would both
// answer, and initiators would write to two disks.
//
// It is an abstract unix socket (unix(7)): known within the network namespace, and
// gone with the process, however that ends.
type Claim struct{ listener *net.UnixListener }

// ErrClaimed is that another process of this machine serves an address.
var ErrClaimed = errors.New("address served by another process of this machine")

// NewClaim claims addr on netif until Close. One that root does not hold counts for
// nothing: anybody can make such a socket.
func NewClaim(netif string, addr aoe.Addr) (*Claim, error) {
	name := &net.UnixAddr{Net: "unix", Name: fmt.Sprintf("@vbladefs e%s on %s", addr, netif)}
	l, err := net.ListenUnix("unix", name)
	if err == nil {
		go turnAway(l)
		return &Claim{l}, nil
	}
	if !errors.Is(err, unix.EADDRINUSE) {
		return &Claim{}, nil
	}
	if holder, err := holderOf(name); err == nil && holder.Uid == 0 {
		return nil, fmt.Errorf("%w: e%s on %s, by process %d: end that one first, or choose another address",
			ErrClaimed, addr, netif, holder.Pid)
	}
	return &Claim{}, nil
}

// turnAway takes the connections of those who ask whose the claim is, lest they fill
// the backlog, and nobody else learns it.
func turnAway(l *net.UnixListener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_ = c.Close()
	}
}

func holderOf(name *net.UnixAddr) (*unix.Ucred, error) {
	c, err := net.DialUnix("unix", nil, name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var holder *unix.Ucred
	if ctl := raw.Control(func(fd uintptr) { holder, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); ctl != nil {
		return nil, ctl
	}
	return holder, err
}

// Close gives the address free. It may be called on nil.
func (c *Claim) Close() error {
	if c == nil || c.listener == nil {
		return nil
	}
	return c.listener.Close()
}
