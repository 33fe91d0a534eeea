//lint:file-ignore SA1019 mdlayher/raw is the portable link by design; it is frozen, and calls its successor

package netio

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"github.com/mdlayher/raw"
	"golang.org/x/sys/unix"
)

// rawLink is the "raw" kind, on github.com/mdlayher/raw. That library gives neither its descriptor nor a
// call that does not wait, so a reader goroutine copies frames into a pool of slots, and an eventfd says
// that some wait.
//
// What cannot be avoided here: a copy each way, a system call per frame sent and one or two per frame
// received, and about ten small allocations per frame inside the library (addresses and closures).
type rawLink struct {
	netif   string
	conn    *raw.Conn
	rx      rawReceiver
	tx      rawSender
	control int // a socket to ask the kernel about the interface, in the link's own namespace
	index   int
	empty   uint // Receive calls in a row that found nothing
	reader  sync.WaitGroup

	closeMu     sync.Mutex // guards what ReceiveDrops needs while another goroutine may Close
	closed      bool
	kernelDrops uint64 // the library accumulates; this is its last sum
}

func openRaw(ifi Interface, o Options) (Link, error) {
	filter, err := filterProgram(ifi.Index, o.Replies)
	if err != nil {
		return nil, err
	}
	control, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("control socket for interface %s: %w", ifi.Name, err)
	}
	conn, err := raw.ListenPacket(&net.Interface{Name: ifi.Name, Index: ifi.Index, MTU: ifi.MTU},
		etherTypeAoE, &raw.Config{Filter: filter})
	if err != nil {
		unix.Close(control)
		return nil, rawOpenError(ifi, err)
	}
	l := &rawLink{netif: ifi.Name, conn: conn, control: control, index: ifi.Index}
	l.tx.init(conn, ifi.MTU)
	if err := l.rx.init(ifi.MTU, o.RingBytes); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	growRaw(conn, o.RingBytes)
	l.reader.Go(func() { l.rx.read(conn) })
	return l, nil
}

// growRaw gives the socket room for what comes while the reader waits for a processor: the system's default is 200 small
// frames, or 20 large ones. Where it cannot be had, the pool alone makes up for it.
func growRaw(conn *raw.Conn, bytes int) {
	socket, err := rawSocket(conn)
	if err != nil {
		return
	}
	_ = socket.Control(func(fd uintptr) {
		if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, bytes) != nil { // needs CAP_NET_ADMIN
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, bytes)
		}
	})
}

func rawOpenError(ifi Interface, err error) error {
	if errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("interface %s: %w", ifi.Name, ErrNoInterface)
	}
	return fmt.Errorf("raw socket on interface %s (needs root or CAP_NET_RAW): %w", ifi.Name, err)
}

func (l *rawLink) Receive(frames [][]byte) (int, error) {
	if l.closed {
		return 0, onLink(l.netif, os.ErrClosed)
	}
	n := l.rx.take(frames)
	if n > 0 {
		l.empty = 0
		return n, nil
	}
	if err := l.rx.failure.Load(); err != nil {
		return 0, onLink(l.netif, *err)
	}
	// The interface going down is dealt with by the reader; whether it still exists has to be asked.
	l.empty++
	look := l.empty%healthInterval == 0 || l.rx.down.Load()
	if look && interfaceExists(l.control, l.index) == unix.ENODEV {
		return 0, onLink(l.netif, ErrGone)
	}
	return 0, nil
}

func (l *rawLink) Release() { l.rx.release() }

func (l *rawLink) Send(headers, payloads [][]byte) (int, error) {
	if l.closed {
		return 0, onLink(l.netif, os.ErrClosed)
	}
	sent, err := l.tx.send(headers, payloads)
	return sent, onLink(l.netif, err)
}

func (l *rawLink) FD() int           { return l.rx.event }
func (l *rawLink) Kind() string      { return "raw" }
func (l *rawLink) SendDrops() uint64 { return l.tx.drops.Load() }

func (l *rawLink) ReceiveDrops() uint64 {
	l.closeMu.Lock()
	defer l.closeMu.Unlock()
	if !l.closed {
		l.readDropsLocked()
	}
	return l.kernelDrops + l.rx.skipped.Load()
}

func (l *rawLink) readDropsLocked() {
	if stats, err := l.conn.Stats(); err == nil {
		l.kernelDrops = stats.Drops
	}
}

func (l *rawLink) Close() error {
	l.closeMu.Lock()
	defer l.closeMu.Unlock()
	if l.closed {
		return nil
	}
	l.readDropsLocked()
	l.closed = true
	close(l.rx.done)
	err := l.conn.Close()
	l.reader.Wait()
	return errors.Join(err, unix.Close(l.control), l.rx.close())
}
