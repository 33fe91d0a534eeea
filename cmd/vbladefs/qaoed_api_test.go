package main_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
	"vbladefs/target/ata"
)

// rawAPI is a client of qaoed's API that is made from the description of its
// bytes alone.
type rawAPI struct {
	t *testing.T
	net.Conn
}

func (q *qaoed) dialAPI() *rawAPI {
	q.t.Helper()
	c, err := net.Dial("unix", q.socket)
	if err != nil {
		q.t.Fatal(err)
	}
	q.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return &rawAPI{q.t, c}
}

// ask sends a request, header and argument by themselves as the original qdctl
// does, and returns the error of the reply and its payload.
func (a *rawAPI) ask(command byte, argument []byte) (byte, []byte) {
	a.t.Helper()
	head := []byte{command, 0, 0, 0xa5, 0, 0, 0, 0}
	binary.NativeEndian.PutUint32(head[4:], uint32(len(argument)))
	for _, part := range [][]byte{head, argument} {
		if _, err := a.Write(part); err != nil {
			a.t.Fatal(err)
		}
	}
	reply := make([]byte, 8)
	if _, err := io.ReadFull(a, reply); err != nil {
		a.t.Fatalf("command %d: no reply: %v", command, err)
	}
	if reply[0] != command || reply[1] != 1 || reply[3] != 0xa5 {
		a.t.Errorf("command %d: header % x", command, reply)
	}
	payload := make([]byte, binary.NativeEndian.Uint32(reply[4:]))
	if _, err := io.ReadFull(a, payload); err != nil {
		a.t.Fatalf("command %d: %d bytes of payload: %v", command, len(payload), err)
	}
	return reply[2], payload
}

// rawTarget is the structure of a target: device @0, shelf @120, slot @122,
// interface @123, writecache @144, broadcast @148.
func rawTarget(device string, shelf uint16, slot byte, netif string, writecache, broadcast int32) []byte {
	b := make([]byte, 152)
	copy(b, device)
	binary.NativeEndian.PutUint16(b[120:], shelf)
	b[122] = slot
	copy(b[123:], netif)
	binary.NativeEndian.PutUint32(b[144:], uint32(writecache))
	binary.NativeEndian.PutUint32(b[148:], uint32(broadcast))
	return b
}

// rawInterface is the argument of commands on interfaces: name @0, MTU @20.
func rawInterface(name string, mtu int32) []byte {
	return binary.NativeEndian.AppendUint32(append([]byte(name), make([]byte, 20-len(name))...), uint32(mtu))
}

// wantReply compares a reply with what is expected.
func (a *rawAPI) wantReply(command byte, argument []byte, failed byte, payload []byte) {
	a.t.Helper()
	if code, got := a.ask(command, argument); code != failed || !bytes.Equal(got, payload) {
		a.t.Errorf("command %d: error %d, payload (%d) % x\nwant error %d, (%d) % x", command, code, len(got), got, failed, len(payload), payload)
	}
}

// TestQaoedRawAPI: every command of the API, byte for byte, on one connection.
func TestQaoedRawAPI(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 9000)
	client := connect(t, there, "eth0")
	first, _ := image(t, mib)
	second, content := image(t, mib)
	q := startQaoed(t, here, `apisocket = $S;
access-list { name = none; policy = reject; }
access-list { name = all; policy = accept; }
default { interface = eth0; shelf = 1; slot = 5; acl { write = all; } }
device { target = `+first+`; writecache = off; }
`)
	a := q.dialAPI()
	u32 := func(list ...uint32) (b []byte) {
		for _, n := range list {
			b = binary.NativeEndian.AppendUint32(b, n)
		}
		return b
	}
	var mac [6]byte
	here.Do(func() {
		i, err := net.InterfaceByName("eth0")
		if err != nil {
			t.Fatal(err)
		}
		copy(mac[:], i.HardwareAddr)
	})
	netif := func(mtu uint32) []byte {
		b := append([]byte("eth0"), make([]byte, 16)...)
		return append(append(append(b, mac[:]...), 0, 0), u32(mtu)...)
	}
	one := rawTarget(first, 1, 5, "eth0", 0, 1)
	a.wantReply(0, nil, 0, u32(1, 1, 4))
	a.wantReply(1, nil, 0, netif(9000))
	a.wantReply(2, rawInterface("eth0", 0), 0, netif(9000))
	a.wantReply(2, rawInterface("eth1", 0), 2, make([]byte, 32))
	a.wantReply(6, nil, 0, one)
	a.wantReply(5, rawInterface("eth0", 1500), 0, rawInterface("eth0", 1500))
	a.wantReply(1, nil, 0, netif(1500))
	if found := client.discovers("1.5"); found[0].Sectors != 2 {
		t.Errorf("%d sectors with the MTU 1500", found[0].Sectors)
	}
	a.wantReply(5, rawInterface("eth0", 9001), 2, rawInterface("eth0", 1500))
	a.wantReply(5, rawInterface("eth9", 1500), 2, rawInterface("eth9", 0))
	a.wantReply(5, rawInterface("eth0", -1), 0, rawInterface("eth0", 9000))

	two := rawTarget(second, 1, 6, "eth0", 1, 1)
	a.wantReply(8, rawTarget(second, 0xffff, 0xff, "", -1, -1), 0, two)
	client.discovers("1.5", "1.6")
	x := client.open("1.6")
	checkBytes(t, "the target that was added", readAll(t, x), content)
	for i, wrong := range [][]byte{rawTarget(second+"x", 2, 1, "", -1, -1), rawTarget(second, 1, 5, "", -1, -1),
		rawTarget(second, 2, 1, "eth9", -1, -1)} {
		if code, payload := a.ask(8, wrong); code != 2 || !bytes.Equal(payload, wrong) {
			t.Errorf("wrong target %d: error %d, payload % x", i, code, payload)
		}
	}
	a.wantReply(8, rawTarget(second, 2, 1, "", 7, -1), 2, nil)
	a.wantReply(6, nil, 0, append(bytes.Clone(one), two...))
	a.wantReply(0, nil, 0, u32(2, 1, 5))

	acl := func(name string, number, policy uint32) []byte {
		return append(append([]byte(name), make([]byte, 120-len(name))...), u32(number, policy)...)
	}
	a.wantReply(12, nil, 0, append(acl("none", 0, 2), acl("all", 1, 1)...))
	detail := func(target []byte, write, read string, config string) []byte {
		b := append(bytes.Clone(target), make([]byte, 1284-152)...)
		copy(b[152:], write)
		copy(b[172:], read)
		copy(b[232:], "default")
		copy(b[256:], u32(uint32(len(config))))
		copy(b[260:], config)
		return b
	}
	a.wantReply(7, rawTarget("", 1, 6, "", 0, 0), 0, detail(two, "all", "", ""))
	a.wantReply(7, rawTarget("", 1, 9, "", 0, 0), 2, nil)
	a.wantReply(11, detail(rawTarget("", 1, 6, "", 0, 0), "none", "", ""), 0, detail(rawTarget("", 1, 6, "", 0, 0), "none", "", ""))
	_, err := x.WriteAt(random(512), 0)
	wantATAError(t, "a write that the list forbids", err, ata.ABRT)
	unknown := detail(rawTarget("", 1, 6, "", 0, 0), "", "nobody", "")
	a.wantReply(11, unknown, 2, unknown)
	a.wantReply(7, rawTarget("", 1, 6, "", 0, 0), 0, detail(two, "none", "", ""))

	a.wantReply(9, rawTarget("anything", 1, 7, "", 0, 0), 2, nil)
	a.wantReply(9, rawTarget("anything", 1, 6, "eth9", 0, 0), 2, nil)
	a.wantReply(9, rawTarget("anything", 1, 6, "", 77, 99), 0, nil)
	client.discovers("1.5")
	for command := range 20 {
		if c := byte(command); strings.IndexByte("\x00\x01\x06\x0c", c) < 0 {
			a.wantReply(c, nil, 2, nil)
			a.wantReply(c, make([]byte, 2048), 2, nil)
		}
	}
	a.wantReply(200, nil, 1, nil)
	a.wantReply(6, make([]byte, 100), 0, one)
	q.endsBy(syscall.SIGINT)
}

// TestQdctl: what qdctl shows, and what its changes do on the wire.
func TestQdctl(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	client := connect(t, there, "eth0")
	first, _ := image(t, mib)
	second, content := image(t, mib)
	config := "apisocket = $S; access-list { name = few; policy = reject; }\ndefault { interface = eth0; shelf = 0; slot = 3; }\ndevice { target = " + first + "; }\n"
	tree := mountDir(t)
	q := startQaoed(t, here, config, "--mount", tree)
	q.dir = tree
	q.says("Qaoed status: \n   Running threads:   4\n   exported targets:  1\n   open interfaces:   1\n", "show", "status")
	q.says("acl -- few\n", "show", "acl")
	q.says("Successfully added new target\nTarget: "+second+"\nShelf:  0\nSlot:   4\nInterface: eth0\nBroadcast: 1\nWritecache: 1\n",
		"add", "target", second)
	checkBytes(t, "the target that was added", readAll(t, client.open("0.4")), content)
	if got, want := q.cat("targets/ports"), "e0.3 eth0 20 0 2 up\ne0.4 eth0 20 0 2 up\n"; got != want {
		t.Errorf("targets/ports: %q, want %q", got, want)
	}
	row := func(path string, slot int) string {
		return fmt.Sprintf("%-35s      0  %6d          eth0\n", path, slot)
	}
	title := "NAME                                 SHELF    SLOT     INTERFACE\n\n"
	q.says(title+row(first, 3)+row(second, 4), "show", "targets")
	q.says("Command failed!\n", "add", "target", second, "0", "3")
	q.says("add target <device> [shelf] [slot] [interface]\n", "add", "target", second, "x")
	q.says("Command failed!\n", "remove", "target", first+"x")
	q.says("Command completed successfully\n", "remove", "target", first, "0", "3")
	client.discovers("0.4")
	q.says("Command completed successfully\n", "remove", "target", second)
	q.says(title, "show", "targets")
	q.says("", "set", "interface", "mtu", "eth0", "1100")
	q.says("No such interface configured: eth9\n", "set", "interface", "mtu", "eth9", "auto")
	q.says("1100\n", "show", "interfaces")
	q.reload(config, func() bool { return strings.HasSuffix(q.qdctl("show", "int"), " 1500\n") })
	q.says(title+row(first, 3), "show", "targets")
	client.discovers("0.3")
	q.endsBy(syscall.SIGTERM)
	q.checkUnmounted()
	q.says("Failed to connect to API: connect() - No such file or directory\n", "show", "status")
}

// says checks how what qdctl says ends.
func (q *qaoed) says(want string, words ...string) {
	q.t.Helper()
	if got := q.qdctl(words...); !strings.HasSuffix(got, want) || want == "" && got != "" {
		q.t.Errorf("qdctl %q says %q, want %q", words, got, want)
	}
}
