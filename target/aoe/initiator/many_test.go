package initiator

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"vbladefs/target/aoe"
)

// crowd is a link with many stubs behind it, each with an address of its own.
type crowd struct {
	*stub // the first of all
	all   []*stub
}

func newCrowd(n int) (*crowd, []aoe.Addr) {
	c, addrs := &crowd{}, []aoe.Addr(nil)
	for i := range n {
		s := newStub(64 + i)
		s.addr = aoe.Addr{Shelf: uint16(i / 200), Slot: uint8(i % 200)}
		s.mac[5] = byte(i % 3) // some share a station
		c.all, addrs = append(c.all, s), append(addrs, s.addr)
	}
	c.stub = c.all[0]
	return c, addrs
}

func (c *crowd) Send(headers, payloads [][]byte) (int, error) {
	for _, s := range c.all {
		s.Send(headers, payloads)
	}
	return len(headers), nil
}

func (c *crowd) Receive(frames [][]byte) (int, error) {
	n := 0
	for _, s := range c.all {
		got, _ := s.Receive(frames[n:])
		n += got
	}
	return n, nil
}

func openAll(c *crowd, addrs []aoe.Addr, opt Options) ([]*Export, error) {
	i, err := New(c, Local{MAC: ourMAC, MTU: 9000})
	if err != nil {
		return nil, err
	}
	return i.OpenAll(addrs, opt)
}

func TestOpenAll(t *testing.T) {
	c, addrs := newCrowd(300)
	for i, s := range c.all {
		s.buffers = uint16(100 + i)
	}
	// The first query of some, and the first identify of others, is lost.
	c.all[7].lose = func(n int, _ []byte) bool { return n < 2 }
	identifies := 0
	c.all[250].lose = func(_ int, frame []byte) bool {
		if aoe.Command(frame[19]) == aoe.CmdATA && frame[17] == 1 && frame[18] == 50 {
			identifies++
		}
		return identifies == 1
	}
	exports, err := openAll(c, addrs, Options{FirstRTO: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range exports {
		if x.Addr != addrs[i] || x.MAC != c.all[i].mac || x.Peer != i || x.Size() != int64(64+i)*512 || x.Engine() != exports[0].Engine() {
			t.Errorf("export %d is %+v, %d bytes", i, x.Found, x.Size())
		}
	}
	if identifies < 2 || exports[0].Engine().Counters().Retransmits == 0 {
		t.Errorf("asked %d times", identifies)
	}
	if n := len(exports[0].Engine().slots); n != 100 {
		t.Errorf("window of %d frames, want the smallest buffer count", n)
	}
}

func TestPeersKeepApart(t *testing.T) {
	c, addrs := newCrowd(5)
	exports, err := openAll(c, addrs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	e := exports[0].Engine()
	ios := make([]IO, 50)
	for i := range ios {
		data := bytes.Repeat([]byte{byte(i + 1)}, 1024)
		ios[i] = IO{Op: Write, Peer: i % 5, LBA: uint64(i / 5 * 2), Data: data}
		if err := e.Submit(&ios[i]); err != nil {
			t.Fatal(err)
		}
	}
	for !e.Idle() {
		turn(t, e)
	}
	for i := range ios {
		if at := i / 5 * 1024; ios[i].Err != nil || !bytes.Equal(c.all[i%5].disk[at:at+1024], ios[i].Data) {
			t.Errorf("write %d to export %d: %v", i, i%5, ios[i].Err)
		}
	}
	got := make([]byte, 3000)
	if _, err := exports[3].ReadAt(got, 100); err != nil || !bytes.Equal(got, c.all[3].disk[100:3100]) {
		t.Errorf("reading export 3: %v", err)
	}
	past := IO{Op: Read, LBA: 66, Data: make([]byte, 512)}
	for _, c := range []struct {
		peer int
		want error
	}{{-1, ErrRange}, {5, ErrRange}, {2, ErrRange}, {3, nil}} { // of 66 sectors has export 2, of 67 export 3
		past.Peer = c.peer
		if err := e.Submit(&past); !errors.Is(err, c.want) {
			t.Errorf("a read of export %d: %v, want %v", c.peer, err, c.want)
		}
	}
}

// A reply that has the tag of a request to another export answers nothing.
func TestReplyOfAnotherPeer(t *testing.T) {
	c, addrs := newCrowd(2)
	exports, err := openAll(c, addrs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	c.all[1].answer = func(_ int, reply []byte) [][]byte {
		forged := bytes.Clone(reply)
		copy(forged[16:], []byte{0, 0, 0}) // shelf and slot of the other one
		return [][]byte{forged, reply}
	}
	e := exports[0].Engine()
	if _, err := exports[1].ReadAt(make([]byte, 512), 0); err != nil {
		t.Fatal(err)
	}
	if n := e.Counters(); n.Faults[WrongAddr]+n.Faults[WrongSource] != 1 || n.Retransmits != 0 {
		t.Errorf("counters %+v", n)
	}
}

func TestOpenAllRefuses(t *testing.T) {
	c, addrs := newCrowd(3)
	if _, err := openAll(c, nil, Options{}); err == nil {
		t.Error("none is named, and they are open")
	}
	_, err := openAll(c, append(addrs, aoe.Addr{Shelf: 9, Slot: 9}), Options{FindTimeout: 20 * time.Millisecond})
	if !errors.Is(err, ErrNoAnswer) || !strings.Contains(err.Error(), "9.9") {
		t.Errorf("one is missing: %v", err)
	}
	if _, err := openAll(c, append(addrs, addrs[1]), Options{}); err == nil || !strings.Contains(err.Error(), "0.1") {
		t.Errorf("one is named twice: %v", err)
	}
	c.all[2].answer = func(_ int, reply []byte) [][]byte {
		if reply[19] == byte(aoe.CmdATA) {
			reply[36] ^= 0x80 // spoils the checksum of its identity
		}
		return [][]byte{reply}
	}
	if _, err := openAll(c, addrs, Options{}); !errors.Is(err, ErrIdentify) || !strings.Contains(err.Error(), "0.2") {
		t.Errorf("one is not what it says: %v", err)
	}
}
