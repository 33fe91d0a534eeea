package interop

import (
	"bytes"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/target/aoe"
)

// recorder keeps the first AoE frame of each kind that passes an interface, either way.
type recorder struct {
	fd   int
	stop chan struct{}
	done chan struct{}

	mu     sync.Mutex
	client string            // whose frames they are now
	frames map[string][]byte // by client and kind
	order  []string
}

// startRecorder listens on an interface of the rig's segment.
func (r *rig) startRecorder(t *testing.T, netif string) *recorder {
	t.Helper()
	rec := &recorder{stop: make(chan struct{}), done: make(chan struct{}), frames: map[string][]byte{}}
	opened := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread goes to the segment's namespace, and ends with the goroutine
		opened <- rec.open(r.net.Netns(), netif)
		rec.run()
	}()
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		close(rec.stop)
		<-rec.done
		unix.Close(rec.fd)
	})
	return rec
}

// open takes all frames: those that the interface sends are shown to no socket of one protocol.
func (rec *recorder) open(netns, netif string) error {
	ns, err := unix.Open(netns, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(ns)
	if err := unix.Setns(ns, unix.CLONE_NEWNET); err != nil {
		return err
	}
	const all = unix.ETH_P_ALL<<8 | unix.ETH_P_ALL>>8 // in the order of the network
	if rec.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, all); err != nil {
		return err
	}
	index, err := interfaceIndex(rec.fd, netif)
	if err == nil {
		err = unix.Bind(rec.fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: index})
	}
	if err == nil { // run looks now and then whether it is to end
		err = unix.SetsockoptTimeval(rec.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000})
	}
	return err
}

func interfaceIndex(fd int, name string) (int, error) {
	request, err := unix.NewIfreq(name)
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request)
	}
	if err != nil {
		return 0, fmt.Errorf("interface %s: %w", name, err)
	}
	return int(request.Uint32()), nil
}

func (rec *recorder) run() {
	defer close(rec.done)
	for b := make([]byte, 64<<10); ; {
		n, _, err := unix.Recvfrom(rec.fd, b, 0)
		switch {
		case err == unix.EAGAIN || err == unix.EINTR:
			select {
			case <-rec.stop:
				return
			default:
			}
		case err != nil:
			return
		default:
			rec.note(b[:n])
		}
	}
}

func (rec *recorder) note(frame []byte) {
	h, ok := aoe.DecodeHeader(frame)
	if !ok {
		return
	}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if rec.client == "" {
		return
	}
	name := rec.client + "-" + kindOf(h, frame)
	if rec.frames[name] == nil {
		rec.frames[name] = bytes.Clone(frame)
		rec.order = append(rec.order, name)
	}
}

// during says whose frames those are that pass while f runs; what comes late is of the next.
func (rec *recorder) during(client string, f func()) {
	rec.set(client)
	f()
	time.Sleep(200 * time.Millisecond)
}

func (rec *recorder) set(client string) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.client = client
}

// kindOf is in a few words what a frame is.
func kindOf(h aoe.Header, frame []byte) string {
	kind := fmt.Sprintf("command-%d", h.Command)
	switch h.Command {
	case aoe.CmdATA:
		a, _, _ := aoe.DecodeATA(frame)
		kind = fmt.Sprintf("ata-%02x", a.Command)
	case aoe.CmdConfig:
		c, _ := aoe.DecodeConfig(frame)
		kind = fmt.Sprintf("config-%d", c.Command)
	}
	switch {
	case h.Response && h.Dst == aoe.Broadcast:
		kind += "-announcement"
	case h.Failed:
		kind += "-error"
	case h.Response:
		kind += "-reply"
	}
	return fmt.Sprintf("%s-%d", kind, len(frame))
}
