package main_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
)

// TestQaoedReload reads one file after the other while a target is written to and
// read from: targets come, go and change their disk, the write cache and the
// access lists of the one under load change, and some files are wrong; a client of
// the API adds and removes another one meanwhile. No request fails, and every byte
// is what it must be.
func TestQaoedReload(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 9000)
	client := connect(t, there, "eth0")
	loaded, content := image(t, mib)
	second, _ := image(t, mib)
	third, _ := image(t, 2*mib)
	log := filepath.Join(t.TempDir(), "qaoed.log")
	head := "apisocket = $S;\nlogging { name = default; type = file; filename = " + log + "; }\n" +
		"access-list { name = us; policy = reject; accept = " + client.mac.String() + "; }\n"
	device := func(path string, slot int, rest string) string {
		return fmt.Sprintf("device { target = %s; shelf = 3; slot = %d; interface = eth0; %s }\n", path, slot, rest)
	}
	files := []string{
		head + device(loaded, 0, "") + device(second, 1, ""),
		head + device(loaded, 0, "writecache = off;"),
		head + device(third, 1, "") + device(loaded, 0, "acl { read = us; write = us; cfgread = us; }") + device(second, 2, ""),
		head + "interface { interface = eth0; mtu = 4200; }\n" + device(loaded, 0, "broadcast = off;") + device(third, 2, ""),
	}
	wrong := head + device(loaded, 0, "") + device("/dev/nothing-here", 1, "")
	q := startQaoed(t, here, files[0])
	x := client.open("3.0")
	done := make(chan error, 1)
	const rounds = 12
	go func() { done <- reloadOften(q, files, wrong, log, rounds) }()
	stop, changed := make(chan struct{}), make(chan error, 1)
	go func() { changed <- changeOften(q.socket, rawTarget(second, 4, 0, "eth0", -1, -1), stop) }()
	ios := 0
	for err, ended := error(nil), false; !ended; ios += 2 {
		select {
		case err = <-done:
			if ended = true; err != nil {
				t.Error(err)
			}
		default:
		}
		at := rand.IntN(mib - 70000)
		put(t, x, content, at, 1+rand.IntN(70000))
		got := make([]byte, 1+rand.IntN(70000))
		from := rand.IntN(mib - len(got))
		if _, err := x.ReadAt(got, int64(from)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, content[from:from+len(got)]) {
			t.Fatalf("%d bytes at %d are not what was written", len(got), from)
		}
	}
	close(stop)
	if err := <-changed; err != nil {
		t.Error(err)
	}
	checkBytes(t, "the target under load", readAll(t, x), content)
	k := x.Engine().Counters()
	if k.ATAErrors != 0 || k.AoEErrorTotal() != 0 || k.Malformed != 0 || k.Timeouts != 0 {
		t.Errorf("the initiator saw errors: %+v", *k)
	}
	t.Logf("%d reloads, %d reads and writes verified meanwhile, %d retransmissions", 2*rounds, ios, k.Retransmits)
	client.discovers("3.0", "3.2") // the last good file
	q.endsBy(syscall.SIGTERM)
	checkFile(t, loaded, content)
}

// changeOften adds a target through the API and removes it again until stop. A
// reload may have been faster, so that either may fail; but each is answered.
func changeOften(socket string, target []byte, stop <-chan struct{}) error {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer c.Close()
	added := 0
	for {
		select {
		case <-stop:
			if added == 0 {
				return errors.New("nothing was ever added through the API")
			}
			return nil
		default:
		}
		for _, step := range []struct {
			command byte
			reply   int
		}{{8, 8 + 152}, {9, 8}} {
			request := append([]byte{step.command, 0, 0, 0}, binary.NativeEndian.AppendUint32(nil, 152)...)
			_ = c.SetDeadline(time.Now().Add(patience))
			reply := make([]byte, step.reply)
			if _, err := c.Write(append(request, target...)); err != nil {
				return err
			}
			if _, err := io.ReadFull(c, reply); err != nil {
				return fmt.Errorf("command %d: %w", step.command, err)
			}
			if step.command == 8 && reply[2] == 0 {
				added++
			}
		}
	}
}

// reloadOften has q read each of the files in turn, and a wrong one in between.
func reloadOften(q *qaoed, files []string, wrong, log string, rounds int) error {
	read := func(config, want string) error {
		before, _ := os.ReadFile(log)
		if err := os.WriteFile(q.config, []byte(strings.ReplaceAll(config, "$S", q.socket)), 0o600); err != nil {
			return err
		}
		if err := q.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			return err
		}
		for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
			after, _ := os.ReadFile(log)
			if said := string(after[min(len(before), len(after)):]); strings.Contains(said, want) {
				if strings.Contains(said, "not served") {
					return fmt.Errorf("it says %q", said)
				}
				return nil
			}
			if time.Now().After(end) {
				return fmt.Errorf("waited in vain for %q in %q", want, after[len(before):])
			}
		}
	}
	for i := range rounds {
		if err := read(files[i%len(files)], "was read again: serving "+fmt.Sprint(strings.Count(files[i%len(files)], "device {"))+" targets"); err != nil {
			return err
		}
		if err := read(wrong, "is not taken, and all stays as it is: "+q.config+":5: [device] target:"); err != nil {
			return err
		}
	}
	return nil
}
