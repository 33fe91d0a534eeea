package main_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"vbladefs/netio"
	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
)

// client is an initiator on an interface at the other end.
type client struct {
	*initiator.Initiator
	t   *testing.T
	mac aoe.MAC
}

// connect makes a client on an interface of ns, for as long as the test lasts.
func connect(t *testing.T, ns netiotest.Netns, netif string) *client {
	t.Helper()
	var link netio.Link
	var info netio.Interface
	ns.Do(func() {
		var err error
		if info, err = netio.Lookup(netif); err == nil {
			link, err = netio.Open(netif, netio.Options{Replies: true})
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	t.Cleanup(func() { _ = link.Close() })
	i, err := initiator.New(link, initiator.Local{MAC: info.MAC, MTU: info.MTU})
	if err != nil {
		t.Fatal(err)
	}
	return &client{Initiator: i, t: t, mac: info.MAC}
}

// discovers asks until just these addresses answer, and returns the answers in
// the order of the addresses.
func (c *client) discovers(addrs ...string) []initiator.Found {
	c.t.Helper()
	var found []initiator.Found
	var got []string
	for end := time.Now().Add(patience); time.Now().Before(end); {
		var err error
		found, err = c.Discover(100 * time.Millisecond)
		if err != nil && !errors.Is(err, initiator.ErrNotSent) {
			c.t.Fatal(err)
		}
		slices.SortFunc(found, func(a, b initiator.Found) int {
			return int(a.Addr.Shelf)<<8 + int(a.Addr.Slot) - int(b.Addr.Shelf)<<8 - int(b.Addr.Slot)
		})
		got = got[:0]
		for _, f := range found {
			got = append(got, f.Addr.String())
		}
		if slices.Equal(got, addrs) {
			return found
		}
	}
	c.t.Fatalf("discovered %v, want %v", got, addrs)
	return nil
}

// open finds an export and identifies it.
func (c *client) open(addr string) *initiator.Export {
	c.t.Helper()
	a, err := aoe.ParseAddr(addr)
	if err != nil {
		c.t.Fatal(err)
	}
	x, err := c.Open(a, initiator.Options{Timeout: patience, FindTimeout: patience, Window: 16})
	if err != nil {
		c.t.Fatal(err)
	}
	return x
}

// awaitAnnouncement waits for the announcement of an export.
func (c *client) awaitAnnouncement(addr string) {
	c.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if slices.Contains(c.announcements(50*time.Millisecond), addr) {
			return
		}
	}
	c.t.Fatalf("%s was not announced", addr)
}

// announcements is what is announced within wait.
func (c *client) announcements(wait time.Duration) []string {
	c.t.Helper()
	frames, err := c.Exchange(nil, 0, wait)
	if err != nil {
		c.t.Fatal(err)
	}
	var addrs []string
	for _, frame := range frames {
		h, ok := aoe.DecodeHeader(frame)
		if ok && h.Dst == aoe.Broadcast && h.Command == aoe.CmdConfig && h.Tag == 0 {
			addrs = append(addrs, h.Addr.String())
		}
	}
	return addrs
}

// readAll is the whole content of an export.
func readAll(t *testing.T, x *initiator.Export) []byte {
	t.Helper()
	b := make([]byte, x.Size())
	if _, err := x.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

// put writes random bytes to an export, and to want, which it equals.
func put(t *testing.T, x *initiator.Export, want []byte, at, size int) {
	t.Helper()
	copy(want[at:], random(size))
	if _, err := x.WriteAt(want[at:at+size], int64(at)); err != nil {
		t.Fatal(err)
	}
}

// wantATAError checks that err is an ATA error with that error register.
func wantATAError(t *testing.T, what string, err error, reg uint8) {
	t.Helper()
	var failed *initiator.ATAError
	if !errors.As(err, &failed) || failed.Status != 0x41 || failed.Reg != reg {
		t.Errorf("%s: %v, want ATA status 0x41 and error %#02x", what, err, reg)
	}
}

// The error register: aborted, and uncorrectable data.
const (
	abrt = 0x04
	unc  = 0x40
)

// lines splits a text.
func lines(text string) []string { return strings.Split(strings.TrimSuffix(text, "\n"), "\n") }
