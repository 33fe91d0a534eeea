package main_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
)

// TestQaoedHostileClients: garbage, half a message, nothing, more than is taken
// and far too many clients harm nobody.
func TestQaoedHostileClients(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	client := connect(t, there, "eth0")
	disk, content := image(t, mib)
	q := startQaoed(t, here, "apisocket = $S; device { target = "+disk+"; interface = eth0; }")
	q.awaitAPI()
	before := q.count("fd")
	for _, sent := range []string{"", "\x06", "\x06\x00\x00\x00\x98\x00\x00\x00/dev", strings.Repeat("\xff", 4096), "GET / HTTP/1.1\r\n\r\n"} {
		for range 20 {
			c := q.dialAPI()
			_, _ = io.WriteString(c, sent)
		}
		q.says("open interfaces:   1\n", "show", "status")
	}
	tooLong := q.dialAPI()
	_, _ = tooLong.Write([]byte{6, 0, 0, 0, 0x01, 0x08, 0, 0}) // 2049 bytes to come
	if n, err := tooLong.Read(make([]byte, 1)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a request that is too long: %d bytes, %v, want the end", n, err)
	}
	deaf := q.dialAPI() // asks and never listens
	_ = deaf.SetWriteDeadline(time.Now().Add(time.Second))
	for range 1 << 16 {
		if _, err := deaf.Write([]byte{6, 0, 0, 0, 0, 0, 0, 0}); err != nil {
			break
		}
	}
	for range 200 {
		q.dialAPI()
	}
	q.says("open interfaces:   1\n", "show", "status")
	if after := q.count("fd"); after > before+40 {
		t.Errorf("%d descriptors, %d before: connections pile up", after, before)
	}
	checkBytes(t, "the export", readAll(t, client.open("0.0")), content)
	q.endsBy(syscall.SIGTERM)
}

// TestQaoedSocket: who may connect, and what lies in the socket's place.
func TestQaoedSocket(t *testing.T) {
	t.Parallel()
	here, _ := netiotest.Pair(t, 1500)
	disk, _ := image(t, mib)
	q := startQaoed(t, here, "apisocket = $S; device { target = "+disk+"; interface = eth0; }")
	info, err := os.Lstat(q.socket)
	if err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("the socket: %v, %v", info.Mode(), err)
	}
	out, err := here.Command(q.path, "-f", "-c", q.config).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "another daemon listens there") {
		t.Errorf("a second daemon: %v, %q", err, out)
	}
	q.says("exported targets:  1\n   open interfaces:   1\n", "show", "status")
	q.stop(syscall.SIGKILL)
	if _, err := os.Lstat(q.socket); err != nil {
		t.Fatal(err)
	}
	second := &qaoed{path: q.path, config: q.config, socket: q.socket}
	second.foreground = run(t, here, "", q.path, "-f", "-c", q.config)
	second.awaitAPI()
	moved := filepath.Join(t.TempDir(), "moved")
	second.write(t, "apisocket = "+moved+"; device { target = "+disk+"; interface = eth0; }")
	_ = second.cmd.Process.Signal(syscall.SIGHUP)
	old := second.socket
	second.socket = moved
	second.awaitAPI()
	if err := os.Remove(moved); err != nil { // as those do who tidy up /tmp
		t.Fatal(err)
	}
	_ = second.cmd.Process.Signal(syscall.SIGHUP)
	second.awaitAPI()
	second.await("the old socket is gone", func() bool {
		_, err := os.Lstat(old)
		return errors.Is(err, os.ErrNotExist)
	})
	second.endsBy(syscall.SIGTERM)
}

// TestQaoedTwoWays: a second way to a target is added and removed while the first
// is used.
func TestQaoedTwoWays(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	netiotest.Join(here, "eth1", there, "eth1", 1500)
	first, second := connect(t, there, "eth0"), connect(t, there, "eth1")
	disk, content := image(t, mib)
	other, _ := image(t, mib)
	q := startQaoed(t, here, "apisocket = $S; device { target = "+disk+"; interface = eth0; shelf = 2; slot = 2; writecache = off; }")
	x := first.open("2.2")
	second.discovers()
	q.says("Command failed!\n", "add", "target", other, "2", "2", "eth1")
	q.says("Interface: eth1\nBroadcast: 1\nWritecache: 0\n", "add", "target", disk, "2", "2", "eth1")
	y := second.open("2.2")
	put(t, x, content, 0, 65536)
	checkBytes(t, "the second way", readAll(t, y), content)
	q.says("Command failed!\n", "remove", "target", disk, "2", "2")
	q.says("Command completed successfully\n", "remove", "target", disk, "2", "2", "eth1")
	second.discovers()
	first.discovers("2.2")
	checkBytes(t, "the first way", readAll(t, x), content)
	q.endsBy(syscall.SIGTERM)
	checkFile(t, disk, content)
}
