package engine

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/netio"
)

// listenBytes is the ring of a listener: some 2000 replies, as many as come at
// once when somebody answers for as many addresses.
const listenBytes = 4 << 20

// listenRest is how long a listener rests after each look: a flood of replies
// fills its ring and costs no more.
const listenRest = 5 * time.Millisecond

// Listen calls heard, from a goroutine of its own, for the replies that other
// targets send to the interface, until end is called. Only the "xdp" link needs
// it, which leaves them to the kernel; for others end is nil.
func (g group) Listen(heard func(frame []byte)) (end func() error, err error) {
	if g.Group.Links()[0].Kind() != "xdp" {
		return nil, nil
	}
	link, err := netio.Open(g.netif, netio.Options{Kind: "ring", Replies: true, RingBytes: listenBytes})
	if err != nil {
		return nil, fmt.Errorf("listening for other targets: %w", err)
	}
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listening for other targets: %w", err), link.Close())
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		listen(link, event, heard)
	}()
	return func() error {
		_, err := unix.Write(event, []byte{1, 0, 0, 0, 0, 0, 0, 0})
		if err == nil {
			<-ended
		}
		return errors.Join(err, link.Close(), unix.Close(event))
	}, nil
}

// listen passes frames on until event is readable or the link is of no more use.
func listen(link netio.Link, event int, heard func(frame []byte)) {
	var frames [64][]byte
	for {
		waiting := []unix.PollFd{{Fd: int32(link.FD()), Events: unix.POLLIN}, {Fd: int32(event), Events: unix.POLLIN}}
		if _, err := unix.Poll(waiting, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		if waiting[1].Revents != 0 {
			return
		}
		for {
			n, err := link.Receive(frames[:])
			if err != nil {
				return // the interface is gone, as the worker's link will say
			}
			for _, frame := range frames[:n] {
				heard(frame)
			}
			link.Release()
			if n < len(frames) {
				break
			}
		}
		time.Sleep(listenRest)
	}
}
