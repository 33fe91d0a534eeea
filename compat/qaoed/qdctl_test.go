package qaoed

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"reflect"
	"strings"
	"syscall"
	"testing"
)

// daemonOf answers at the other end of a connection as the API does.
func daemonOf(m *machinery) func() (io.ReadWriteCloser, error) {
	return func() (io.ReadWriteCloser, error) {
		here, there := net.Pipe()
		go func() {
			defer there.Close()
			for {
				var head [HeaderSize]byte
				if _, err := io.ReadFull(there, head[:]); err != nil {
					return
				}
				h := DecodeHeader(head[:])
				argument := make([]byte, h.Length)
				if _, err := io.ReadFull(there, argument); err != nil {
					return
				}
				reply, _ := Answer(h, argument, m)
				if _, err := there.Write(reply); err != nil {
					return
				}
			}
		}()
		return here, nil
	}
}

func TestQdctl(t *testing.T) {
	unset := Target{Path: "/dev/x", Shelf: 0xffff, Slot: 0xff, Writecache: Unset, Broadcast: Unset}
	whole := Target{Path: "/dev/x", Shelf: 1, Slot: 2, Interface: "eth1", Writecache: Unset, Broadcast: Unset}
	const added = "Successfully added new target\nTarget: /dev/x\nShelf:  %d\nSlot:   %d\nInterface: %s\nBroadcast: -1\nWritecache: -1\n"
	status := "Qaoed status: \n   Running threads:   5\n   exported targets:  1\n   open interfaces:   2\n"
	title := "NAME" + strings.Repeat(" ", 33) + "SHELF" + "    " + "SLOT" + "     " + "INTERFACE\n\n"
	for _, c := range []struct {
		words string
		said  string
		asked []any // of the daemon, beside what only looks
	}{
		{"bogus", qdctlUsage, nil},
		{"show", showUsage, nil},
		{"show me", showUsage, nil},
		{"show status", status, nil},
		{"sh sta", status, nil},
		{"showing statistics", status, nil},
		{"show targets", title + "/dev/loop0" + strings.Repeat(" ", 25+1+2) + "4660" + strings.Repeat(" ", 2+4) + "86" + strings.Repeat(" ", 4+6) + "eth0\n", nil},
		{"show interfaces", "INTERFACE" + strings.Repeat(" ", 19) + "HWADDR      MTU\n\neth0      " + strings.Repeat(" ", 7) + "AA:BB:CC:DD:EE:FF     1500\n", nil},
		{"show acl", "acl -- few\nacl -- none\n", nil},
		{"show access-lists", "acl -- few\nacl -- none\n", nil},
		{"add target /dev/x", fmt.Sprintf(added, 65535, 255, ""), []any{unset}},
		{"add tar /dev/x 1 2 eth1", fmt.Sprintf(added, 1, 2, "eth1"), []any{whole}},
		{"add target /dev/x 666", commandFailed, []any{Target{"/dev/x", 666, 0xff, "", Unset, Unset}}},
		{"remove target /dev/x 1 2 eth1", "Command completed successfully\n", []any{whole}},
		{"remove target /dev/x 666 2", commandFailed, []any{Target{"/dev/x", 666, 2, "", Unset, Unset}}},
		{"add target", "add" + targetUsage, nil},
		{"add", "add" + targetUsage, nil},
		{"add target /dev/x 1 2 eth1 more", "add" + targetUsage, nil},
		{"add target /dev/x 65536", "add" + targetUsage, nil},
		{"add target /dev/x 1 256", "add" + targetUsage, nil},
		{"add target /dev/x -1", "add" + targetUsage, nil},
		{"remove target /dev/x one", "remove" + targetUsage, nil},
		{"add target /dev/x 1 2 " + strings.Repeat("e", 20), "add" + targetUsage, nil},
		{"add target " + strings.Repeat("e", 120), "add" + targetUsage, nil},
		{"add interface eth1", "", nil},
		{"remove acl few", "", nil},
		{"set interface mtu eth0 1400", "", []any{"eth0", int32(1400)}},
		{"set interface mtu eth0 auto", "", []any{"eth0", int32(-1)}},
		{"set interface mtu eth9 1400", "Status request failed\nNo such interface configured: eth9\n", nil},
		{"set interface mtu eth0 0", "Invalid MTU value: 0\n", nil},
		{"set interface mtu eth0 10001", "Invalid MTU value: 10001\n", nil},
		{"set interface mtu eth0 much", "Invalid MTU value: much\n", nil},
		{"set interface mtu eth0", setUsage, nil},
		{"set", setUsage, nil},
	} {
		var stdout bytes.Buffer
		m := &machinery{}
		if code := Qdctl(strings.Fields(c.words), daemonOf(m), &stdout); code != 0 || stdout.String() != c.said {
			t.Errorf("%s: exit code %d, it says\n%s, want 0,\n%s", c.words, code, &stdout, c.said)
		}
		if !reflect.DeepEqual(m.asked, c.asked) {
			t.Errorf("%s: it asks for %+v, want %+v", c.words, m.asked, c.asked)
		}
	}
}

// TestQdctlAlone: its exit codes where no daemon answers as one.
func TestQdctlAlone(t *testing.T) {
	status := append(Header{CmdStatus, isReply, CodeOK, 0, 12}.Append(nil), make([]byte, 12)...)
	reply := func(h Header, payload string) string { return string(status) + string(h.Append(nil)) + payload }
	for said, code := range map[string]int{
		"": 255, "\x00\x01": 255, "HTTP/1.1 400 Bad Request\r\n": 255,
		string(status):                 255,
		string(status[:len(status)-1]): 255,
		reply(Header{CmdACLList, isReply, CodeOK, 0, 12}, "twelve bytes"):            255, // no multiple of its size
		reply(Header{CmdTargetList, isReply, CodeOK, 0, 0}, ""):                      255, // of another command
		reply(Header{CmdACLList, isReply, CodeOK, 0, 0xffffffff}, "endless"):         255,
		reply(Header{CmdACLList, isReply, CodeOK, 0, 128}, strings.Repeat("x", 128)): 255, // a text without end
		reply(Header{CmdACLList, isReply, CodeFailure, 0, 0}, ""):                    0,
		reply(Header{CmdACLList, isReply, CodeOK, 0, 0}, ""):                         0,
	} {
		if got := Qdctl([]string{"show", "acl"}, fakeOf([]byte(said)), io.Discard); got != code {
			t.Errorf("a daemon that says %q: exit code %d, want %d", said, got, code)
		}
	}
	var stdout bytes.Buffer
	absent := func() (io.ReadWriteCloser, error) {
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	code := Qdctl([]string{"show", "acl"}, absent, &stdout)
	if want := "Failed to connect to API: connect() - Connection refused\n"; code != 1 || stdout.String() != want {
		t.Errorf("no daemon: exit code %d, %q, want 1, %q", code, &stdout, want)
	}
	stdout.Reset()
	if code := Qdctl(nil, absent, &stdout); code != 255 || stdout.String() != qdctlUsage {
		t.Errorf("no words: exit code %d, %q", code, &stdout)
	}
}

// fake is a daemon that says the same whatever it is asked.
type fake struct{ *bytes.Reader }

func fakeOf(said []byte) func() (io.ReadWriteCloser, error) {
	return func() (io.ReadWriteCloser, error) { return fake{bytes.NewReader(said)}, nil }
}

func (fake) Write(b []byte) (int, error) { return len(b), nil }
func (fake) Close() error                { return nil }

// FuzzQdctl: whatever words it gets and the daemon says, it ends with one of its
// codes.
func FuzzQdctl(f *testing.F) {
	f.Add("show targets", someTarget.Append(Header{CmdTargetList, isReply, CodeOK, 0, targetSize}.Append(nil)))
	f.Add("add target /dev/x 1 2", someTarget.Append(Header{CmdTargetAdd, isReply, CodeOK, 0, targetSize}.Append(nil)))
	f.Add("set int mtu eth0 auto", binary.NativeEndian.AppendUint32(nil, 7))
	status := append(Header{CmdStatus, isReply, CodeOK, 0, 12}.Append(nil), make([]byte, 12)...)
	f.Fuzz(func(t *testing.T, words string, said []byte) {
		var stdout bytes.Buffer
		code := Qdctl(strings.Fields(words), fakeOf(append(bytes.Clone(status), said...)), &stdout)
		if code != qdctlOK && code != qdctlMalformed {
			t.Errorf("exit code %d", code)
		}
		if code != qdctlOK && stdout.Len() == 0 {
			t.Error("it fails without a word")
		}
	})
}
