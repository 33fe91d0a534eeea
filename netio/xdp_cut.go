package netio

import (
	"errors"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// An xdp link takes another's place, or gives its own up, without stamps: what comes to it comes to no packet socket, and
// waits for its owner. When it is to bring nothing more, its program passes frames on to those.

// Stamp does nothing, as nobody else has the frames of this link.
func (l *xdpLink) Stamp(bool) error { return nil }

// Skip does nothing, for the same reason.
func (l *xdpLink) Skip() {}

// Alone is true.
func (l *xdpLink) Alone() bool { return true }

// Only with an end has frames that come from now on go the ordinary way, to other links; those that came before can be
// received still. A program that could not be told goes on to bring all.
func (l *xdpLink) Only(_, until int64) {
	if until == 0 || l.closed {
		return
	}
	for queue := range l.sockets {
		if err := l.program.sockets.Delete(uint32(queue)); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return
		}
	}
	l.turnedAway = make(chan struct{})
	go func() {
		defer close(l.turnedAway)
		awaitPrograms()
	}()
}

// Arrived reports whether what came before Only had an end can be received.
func (l *xdpLink) Arrived() bool {
	select {
	case <-l.turnedAway:
		return true
	default:
		return l.turnedAway == nil
	}
}

// awaitPrograms returns when each program that runs at this moment has ended, and what it has handed to a socket is there:
// the kernel does both in one stretch that RCU protects (net/core/filter.c xdp_do_flush), and membarrier(2) waits for those.
// A kernel without it ends them well before the owner has looked a few times.
func awaitPrograms() {
	const commandGlobal = 1 // MEMBARRIER_CMD_GLOBAL
	_, _, _ = unix.Syscall(unix.SYS_MEMBARRIER, commandGlobal, 0, 0)
}
