package targettest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"syscall"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// Netif is an interface of a Machine; its Machine guards it.
type Netif struct {
	info   target.Interface
	out    [][]byte                    // replies sent, not yet collected
	asked  [][]byte                    // queries sent, not yet collected
	answer func(query []byte) [][]byte // what they bring; or nil
	group  *group                      // the one whose links are open
	lost   error                       // what Receive and Send of the links return from now on
	mtu    int                         // of the links: frames over it are dropped on reception
}

// MAC is the address of the interface of that name.
func MAC(netif string) aoe.MAC {
	h := fnv.New32()
	_, _ = h.Write([]byte(netif))
	mac := aoe.MAC{0x02, 1}
	binary.BigEndian.PutUint32(mac[2:], h.Sum32())
	return mac
}

// SetInterface adds the interface, or changes it, and returns how it is now.
// It is an Ethernet interface that is up.
func (m *Machine) SetInterface(name string, index, mtu int) target.Interface {
	info := target.Interface{Name: name, Index: index, MTU: mtu, MAC: MAC(name), Up: true, Ethernet: true}
	m.SetInfo(info)
	return info
}

// SetInfo adds the interface, or changes it.
func (m *Machine) SetInfo(info target.Interface) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.netifs[info.Name]
	if n == nil {
		n = &Netif{}
		m.netifs[info.Name] = n
	}
	n.info = info
}

// RenameInterface gives an interface another name, and returns how it is now. Its
// links go on.
func (m *Machine) RenameInterface(from, to string) target.Interface {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.netifs[from]
	if n == nil || m.netifs[to] != nil {
		m.t.Fatalf("renaming %s to %s: the one is missing, or the other there", from, to)
	}
	delete(m.netifs, from)
	m.netifs[to] = n
	n.info.Name = to
	return n.info
}

// RemoveInterface takes an interface away; its links fail from now on.
func (m *Machine) RemoveInterface(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.netifs[name]
	delete(m.netifs, name)
	n.lost = errors.New("interface is gone")
	m.changed.Broadcast()
}

// BreakLink makes the links on the interface fail from now on; the next ones
// that are opened work.
func (m *Machine) BreakLink(name string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.netifs[name].lost = err
	m.changed.Broadcast()
}

// Inject has frames arrive on the interface. They are copied.
func (m *Machine) Inject(netif string, frames ...[]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.injectLocked(m.netifs[netif], frames...)
}

func (m *Machine) injectLocked(n *Netif, frames ...[]byte) {
	if n == nil || n.group == nil {
		return // nobody listens: lost, as on a wire
	}
	for _, f := range frames {
		if l := n.group.choose(f); l != nil && len(f) <= n.mtu+aoe.EthernetSize {
			l.in = append(l.in, append(make([]byte, 0, len(f)), f...)) // no spare capacity to read by mistake
		}
	}
	m.changed.Broadcast()
}

// Sent returns the replies sent on the interface since the last call.
func (m *Machine) Sent(netif string) [][]byte {
	return m.take(netif, func(n *Netif) *[][]byte { return &n.out })
}

// Asked returns the queries sent on the interface since the last call: those with
// which a target looks for its neighbours, at times of its own.
func (m *Machine) Asked(netif string) [][]byte {
	return m.take(netif, func(n *Netif) *[][]byte { return &n.asked })
}

func (m *Machine) take(netif string, list func(*Netif) *[][]byte) [][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.netifs[netif]
	if n == nil {
		return nil
	}
	frames := *list(n)
	*list(n) = nil
	return frames
}

// Answer has answer say what arrives on the interface for each query that is sent
// there; nil: nothing.
func (m *Machine) Answer(netif string, answer func(query []byte) [][]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.netifs[netif].answer = answer
}

func (m *Machine) lookupInterface(name string) (target.Interface, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.allowLocked("LookupInterface"); err != nil {
		return target.Interface{}, err
	}
	if n := m.netifs[name]; n != nil {
		return n.info, nil
	}
	return target.Interface{}, fmt.Errorf("%w: %q", target.ErrNoInterface, name)
}

// link is a link on an interface.
type link struct {
	m     *Machine
	netif *Netif
	fd    int
	in    [][]byte // waiting to be received
	late  bool     // it receives nothing for now
	lent  [][]byte
	drops uint64
}

// firstFD is above what a kernel gives: real descriptors are not for queue.Wait.
const firstFD = 1 << 30

// openLinkLocked opens one link more on n.
func (m *Machine) openLinkLocked(n *Netif) *link {
	l := &link{m: m, netif: n, fd: firstFD + m.calls}
	for m.links[l.fd] != nil {
		l.fd++
	}
	m.links[l.fd] = l
	return l
}

func (l *link) Receive(frames [][]byte) (int, error) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if l.netif.lost != nil {
		return 0, l.netif.lost
	}
	if l.late {
		return 0, nil
	}
	n := copy(frames, l.in)
	l.lent = append(l.lent, l.in[:n]...)
	l.in = l.in[n:]
	return n, nil
}

// Release spoils what was lent, so that use after it shows.
func (l *link) Release() {
	for _, f := range l.lent {
		for i := range f {
			f[i] = 0xdb
		}
	}
	l.lent = l.lent[:0]
}

func (l *link) Send(headers, payloads [][]byte) (int, error) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if l.netif.lost != nil {
		return 0, l.netif.lost
	}
	if len(headers) != len(payloads) {
		l.m.t.Errorf("%d headers with %d payloads", len(headers), len(payloads))
	}
	sent := 0
	for i, h := range headers {
		frame := append(bytes.Clone(h), payloads[i]...)
		if len(frame) > l.netif.info.MTU+aoe.EthernetSize || !l.netif.info.Up {
			l.drops++
			continue
		}
		sent++
		if h, _ := aoe.DecodeHeader(frame); h.Response {
			l.netif.out = append(l.netif.out, frame)
			continue
		}
		l.netif.asked = append(l.netif.asked, frame)
		if l.netif.answer != nil {
			l.m.injectLocked(l.netif, l.netif.answer(frame)...)
		}
	}
	l.m.changed.Broadcast()
	return sent, nil
}

func (l *link) FD() int              { return l.fd }
func (l *link) ReceiveDrops() uint64 { return 0 }
func (l *link) Kind() string         { return "memory" }

func (l *link) SendDrops() uint64 {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	return l.drops
}

func (l *link) Close() error {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if l.m.links[l.fd] != l {
		l.m.t.Errorf("link on %s closed twice", l.netif.info.Name)
		return syscall.EBADF
	}
	delete(l.m.links, l.fd)
	return nil
}
