package main_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"vbladefs/cmd/internal/takeover"
	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe"
)

// takenOver starts a daemon that takes over from d, and returns it when it has. One
// that is refused, as d has a disk that answers nothing for a second, is started again.
func (d *daemon) takenOver(ns netiotest.Netns, program string, flags ...string) (next *daemon) {
	d.t.Helper()
	for end := time.Now().Add(patience); ; {
		next = startProgram(d.t, ns, program, slices.Concat([]string{"serve", "-takeover"}, flags, []string{d.dir})...)
		next.dir = d.dir
		select {
		case <-d.ended:
		case <-next.ended:
			if strings.Contains(next.stderr.String(), "goes on: requests in flight did not finish in time") && time.Now().Before(end) {
				continue
			}
		case <-time.After(patience):
		}
		break
	}
	select {
	case <-d.ended:
	case <-next.ended:
		d.t.Fatalf("nobody has taken over:\n%s", next.stderr)
	default:
		d.t.Errorf("the take-over hangs; the new daemon says\n%s", next.stderr)
	}
	if code := d.exitCode(); code != 0 {
		d.t.Fatalf("the daemon that was taken over from ended with %d:\n%s\nand the other said:\n%s", code, d.stderr, next.stderr)
	}
	next.await("it has taken over", func() bool { return strings.Contains(next.stderr.String(), "control tree on ") })
	for _, flag := range flags {
		if folder, ok := strings.CutPrefix(flag, "-state="); ok {
			next.await("the next one can take over", func() bool {
				_, err := os.Stat(takeover.SocketPath(folder))
				return err == nil
			})
		}
	}
	return next
}

// exports adds n exports to a daemon, on images and loop devices in turn.
func (d *daemon) exports(n int) (addrs []aoe.Addr) {
	d.t.Helper()
	for i := range n {
		path, _ := image(d.t, mib)
		if i%4 == 1 {
			path = loop(d.t, path)
		}
		a := aoe.Addr{Shelf: 6, Slot: uint8(i)}
		d.echo(fmt.Sprintf("add %s %d %d eth0", path, a.Shelf, a.Slot), "aoeserver")
		addrs = append(addrs, a)
	}
	return addrs
}

// A new daemon takes over under a load that knows what every sector may hold: it
// is answered in time, nothing is lost, and the tree is always there.
func TestTakeover(t *testing.T) {
	for _, tt := range []struct {
		name  string
		depth int
		flags []string // of the daemons from the second on
	}{
		{"one at a time", 1, nil},
		{"16 at a time", 16, nil},
		{"64 at a time", 64, nil},
		{"other options", 16, []string{"-busy-poll", "0", "-requests", "256", "-io", "sync", "-cache", "durable"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			here, there := netiotest.Pair(t, 9000)
			state := "-state=" + t.TempDir()
			d := serve(t, here, state)
			addrs := d.exports(4)
			d.echo("kept", "targets/e6.1/config")
			saved := d.read("saved")
			v := loadOn(t, there, "eth0", tt.depth, addrs...)
			missed := watchTree(t, d.dir)
			for range 3 {
				v.goesOn(100)
				d = d.takenOver(here, program, append([]string{state}, tt.flags...)...)
			}
			v.goesOn(100)
			if n := missed(); n > 0 {
				t.Errorf("the tree was away %d times", n)
			}
			if now := d.read("saved"); now != saved {
				t.Errorf("before:\n%s\nafter:\n%s", saved, now)
			}
			v.check()
			if n := v.exports[0].Engine().Counters().Retransmits; n > 0 && strict() { // else the machine may be busy
				t.Errorf("%d frames were sent again", n)
			}
			bound(t, "the longest request", v.longest, 200*time.Millisecond)
			d.echo("6 0 eth0", "kvblade/del") // the new tree takes commands
		})
	}
}

// watchTree looks into a tree again and again, and says how often it had no files.
func watchTree(t *testing.T, dir string) (missed func() int) {
	stop, ended, n := make(chan struct{}), make(chan struct{}), 0
	last := error(nil)
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Microsecond):
			}
			if _, err := os.Stat(filepath.Join(dir, "README")); err != nil {
				n++
				last = err
			}
		}
	}()
	closed := false
	missed = func() int {
		if !closed {
			closed = true
			close(stop)
		}
		<-ended
		if last != nil {
			t.Logf("the tree: %v", last)
		}
		return n
	}
	t.Cleanup(func() { missed() })
	return missed
}

// A daemon with a thousand exports, or as many as VBLADEFS_EXPORTS says, is taken
// over from in the same time.
func TestTakeoverOfManyExports(t *testing.T) {
	here, there := netiotest.Pair(t, 9000)
	state := "-state=" + t.TempDir()
	d := serve(t, here, state)
	n := 1000
	if given := os.Getenv("VBLADEFS_EXPORTS"); given != "" {
		var err error
		if n, err = strconv.Atoi(given); err != nil || n < 1 {
			t.Fatalf("VBLADEFS_EXPORTS=%s: want how many", given)
		}
	}
	var addrs []aoe.Addr
	var commands bytes.Buffer
	dir := t.TempDir()
	const files = 4000 // four descriptors each are needed for a moment; what comes after shares them
	for i := range n {
		path := filepath.Join(dir, fmt.Sprint(i%files))
		fmt.Fprintf(&commands, "add %s %d %d eth0\n", path, i/100, i%100)
		if i >= files {
			continue
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, verifiedSectors*aoe.SectorSize); err != nil {
			t.Fatal(err)
		}
		addrs = append(addrs, aoe.Addr{Shelf: uint16(i / 100), Slot: uint8(i % 100)})
	}
	if err := os.WriteFile(filepath.Join(d.dir, "aoeserver"), commands.Bytes(), 0); err != nil {
		t.Fatal(err)
	}
	v := loadOn(t, there, "eth0", 32, addrs...)
	for range 2 {
		v.goesOn(500)
		began := time.Now()
		d = d.takenOver(here, program, state)
		t.Logf("%d exports were taken over in %v", n, time.Since(began).Round(time.Millisecond))
	}
	v.goesOn(500)
	v.check()
	if n := v.exports[0].Engine().Counters().Retransmits; n > 0 && strict() { // else the machine may be busy
		t.Errorf("%d frames were sent again", n)
	}
	bound(t, "the longest request", v.longest, 200*time.Millisecond)
}

// Another version of the program takes over, with other links: rings and workers
// change without losing a frame, and to and from other kinds a few are repeated.
func TestTakeoverByAnother(t *testing.T) {
	t.Parallel()
	need(t, "go")
	newer := filepath.Join(t.TempDir(), "vbladefs")
	build := exec.Command("go", "build", "-ldflags", "-X main.version=9.9-test", "-o", newer, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, tt := range []struct {
		name  string
		loses bool
		steps []changedOptions
	}{
		{"rings and workers", false, []changedOptions{
			{newer, nil, "version 1.2-test"},
			{program, []string{"-ring", "1m"}, "version 9.9-test"},
			{program, []string{"-workers", "2"}, "took over"},
			{newer, []string{"-workers", "2"}, "took over"},
			{newer, []string{"-workers", "3", "-ring", "2m"}, "took over"},
			{program, nil, "took over"},
			{program, []string{"-link", "xdp"}, "took over"},
		}},
		{"kinds", false, []changedOptions{
			{program, []string{"-link", "raw"}, "serving by raw"},
			{program, []string{"-link", "raw"}, "serving by raw"},
			{program, []string{"-link", "xdp"}, "serving by xdp"},
			{program, []string{"-link", "xdp"}, "serving by xdp"},
			{program, []string{"-link", "raw"}, "serving by raw"},
			{program, nil, "took over"},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			here, there := netiotest.Pair(t, 9000)
			state := "-state=" + t.TempDir()
			d := serve(t, here, state)
			v := loadOn(t, there, "eth0", 16, d.exports(3)...)
			for _, to := range tt.steps {
				v.goesOn(100)
				before := d
				d = d.takenOver(here, to.program, append([]string{state}, to.flags...)...)
				v.goesOn(100)
				d.await(to.says, func() bool { return strings.Contains(before.stderr.String()+d.stderr.String(), to.says) })
			}
			v.check()
			if n := v.lost(); n > 0 && !tt.loses && strict() { // else the machine may be so busy that rings overflow
				t.Errorf("%d frames were lost", n)
			}
			most := 200 * time.Millisecond
			if tt.loses {
				most = 2 * time.Second // as long as the client waits before it repeats
			}
			bound(t, "the longest request", v.longest, most)
		})
	}
}

// changedOptions is how the next daemon is started, and what one of the two says.
type changedOptions struct {
	program string
	flags   []string
	says    string
}

// What no state keeps goes from one daemon to the next: pauses, and the durable
// writes that an initiator has asked for.
func TestTakeoverOfPausesAndWriteThrough(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	state := "-state=" + t.TempDir()
	d := serve(t, here, state)
	d.exports(2)
	x := connect(t, there, "eth0").open("6.0")
	const setFeatures, disableCache = 0xef, 0x82 // ATA-6, as PROTOCOL §3 has it
	if _, err := x.Command(aoe.ATA{Command: setFeatures, Feature: disableCache}, nil); err != nil {
		t.Fatal(err)
	}
	cached := func() bool {
		t.Helper()
		data := make([]byte, aoe.SectorSize)
		if _, err := x.Command(aoe.ATA{Count: 1, Command: 0xec}, data); err != nil {
			t.Fatal(err)
		}
		return data[2*85]&(1<<5) != 0
	}
	if cached() {
		t.Fatal("the write cache is on")
	}
	other := d.pauseFile("6.1")
	d.echo("1", other)
	d = d.takenOver(here, program, state)
	if cached() {
		t.Error("the write cache is on again")
	}
	if got := d.read(other); got != "1\n" {
		t.Errorf("%s has %q", other, got)
	}
	if got := d.read(d.pauseFile("6.0")); got != "0\n" {
		t.Errorf("the other drive is paused, too: %q", got)
	}
	d.echo("0", other)
}

// pauseFile is the file that pauses the drive at an address.
func (d *daemon) pauseFile(addr string) string {
	d.t.Helper()
	return "vblade/" + strings.TrimSpace(d.read("targets/e"+addr+"/drive")) + "/pause"
}

// What an initiator changes at the moment of a take-over is kept: the string that
// was acknowledged last is there in the end.
func TestTakeoverWhileInitiatorsChangeThings(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	state := "-state=" + t.TempDir()
	d := serve(t, here, state)
	d.exports(2)
	x := connect(t, there, "eth0").open("6.0")
	stop, last := make(chan struct{}), make(chan string)
	go func() {
		defer close(last)
		for n := 0; ; n++ {
			text := fmt.Sprint("config ", n)
			if _, err := x.Config(aoe.ConfigForceSet, text); err != nil {
				t.Errorf("%s: %v", text, err)
				return
			}
			select {
			case <-stop:
				last <- text
				return
			default:
			}
		}
	}()
	for range 4 {
		time.Sleep(20 * time.Millisecond)
		d = d.takenOver(here, program, state)
	}
	close(stop)
	want := <-last + "\n"
	if got := d.read("targets/e6.0/config"); got != want {
		t.Errorf("the config string is %q, want %q", got, want)
	}
	d.stop(syscall.SIGKILL)
	d = serveOn(t, here, d.dir, state)
	if got := d.read("targets/e6.0/config"); got != want {
		t.Errorf("after a restart the config string is %q, want %q", got, want)
	}
}

// Whichever of the two daemons is killed at any moment of a take-over, nothing is
// lost: the other serves, or the next one that is started.
func TestTakeoverKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 9000)
	state := "-state=" + t.TempDir()
	d := serve(t, here, state)
	saved := ""
	v := loadOn(t, there, "eth0", 16, d.exports(3)...)
	saved = d.read("saved")
	survived := map[string]int{}
	for round := range 3 * crashes(t) {
		v.goesOn(50)
		next := start(t, here, "serve", "-takeover", state, d.dir)
		next.dir = d.dir
		victim, name := next, "new"
		if round%4 == 3 {
			victim, name = d, "old"
		}
		time.Sleep(time.Duration(rand.IntN(250_000)) * time.Microsecond)
		const goesOn, serves = "nobody has taken over; serving goes on here", "control tree on "
		before := strings.Count(d.stderr.String(), goesOn)
		victim.stop(syscall.SIGKILL)
		for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
			if victim == d && (!next.running() || strings.Contains(next.stderr.String(), serves)) {
				break // it has given up, or has taken over
			}
			if victim == next && (!strings.Contains(next.stderr.String(), "took over from process") ||
				!d.running() || strings.Count(d.stderr.String(), goesOn) > before) {
				break // it had nothing, or the other ends, or goes on
			}
		}
		switch {
		case d.running():
			survived[name+" killed, old serves"]++
		case next.running():
			survived[name+" killed, new serves"]++
			d = next
		default:
			survived[name+" killed, started again"]++
			dir := d.dir
			d = serveOn(t, here, dir, state)
		}
		v.goesOn(50)
		d.await("the tree is there", func() bool { return strings.HasPrefix(d.lookAt("saved"), "#") })
		if now := d.read("saved"); now != saved {
			t.Fatalf("before:\n%s\nafter:\n%s", saved, now)
		}
	}
	v.check()
	t.Log(survived)
}

// A daemon that cannot take over says why, and leaves the other as it was.
func TestTakeoverRefused(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	folder := t.TempDir()
	state := "-state=" + folder
	d := serve(t, here, state)
	path, disk := image(t, mib)
	d.echo("add "+path+" 0 1 eth0", "aoeserver")
	x := connect(t, there, "eth0").open("0.1")
	refused := func(code int, want string, args ...string) {
		t.Helper()
		next := start(t, here, append([]string{"serve", "-takeover"}, args...)...)
		if got := next.exitCode(); got != code || !strings.Contains(next.stderr.String(), want) {
			t.Errorf("%v: exit code %d, want %d and %q; it says\n%s", args, got, code, want, next.stderr)
		}
		d.check()
		put(t, x, disk, 0, 5000)
		d.echo("1", "kvblade/announce")
	}
	refused(2, "-state", "-state=", d.dir)
	refused(1, "start without -takeover", "-state="+t.TempDir(), d.dir)
	refused(1, "its control tree is on "+d.dir, state, mountDir(t))
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	refused(1, "lead elsewhere", state, d.dir)
	if err := os.WriteFile(path, disk, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(1, "lead elsewhere", state, d.dir)
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"takeover", "state"} {
		info, err := os.Stat(filepath.Join(folder, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	d = d.takenOver(here, program, state)
	checkBytes(t, "in the end", readAll(t, x), disk)
}
