package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
)

// Sixteen programs work on all trees at once: some on addresses of their own, some
// racing each other, some reading.
const (
	owners         = 6
	racers         = 6
	readers        = 4
	concurrentDisk = 64 << 10 // bytes
)

// concurrentTime is how long they do, unless VBLADEFS_CONCURRENT says otherwise,
// such as 60s.
const concurrentTime = 5 * time.Second

// concurrent is a daemon that many use at once.
type concurrent struct {
	t     *testing.T
	d     *daemon
	disks []string
	named string // disk of the shared named drive
	loop  string // disk of the drive that stays
	seed  uint64

	start  time.Time
	until  time.Time
	faults atomic.Int32
	writes atomic.Int64
	reads  atomic.Int64
}

func TestConcurrentControl(t *testing.T) {
	here, there := netiotest.Pair(t, 1500)
	netiotest.Join(here, "eth1", there, "eth1", 1500)
	l := &concurrent{t: t, seed: rand.Uint64()}
	l.start = time.Now()
	folder, err := os.MkdirTemp("/tmp", "vc-") // aoeserver shows 30 bytes of a path, wherever TMPDIR leads
	if err != nil {
		t.Fatal(err)
	}
	done := netiotest.Afterwards("rm -rf " + folder)
	defer func() { _ = os.RemoveAll(folder); done() }()
	for i := range 4 {
		l.disks = append(l.disks, filepath.Join(folder, fmt.Sprintf("%d", i)))
	}
	l.named = filepath.Join(folder, "n")
	for _, path := range append(l.disks, l.named) {
		if err := os.WriteFile(path, random(concurrentDisk), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var disk []byte
	l.loop, _, disk = loopDisk(t, concurrentDisk)
	l.d = serveConcurrently(t, here)
	client := connect(t, there, "eth0")
	use := func(d time.Duration) {
		l.setUp()
		stop := make(chan struct{})
		served := make(chan int)
		export := client.open(fmt.Sprintf("%d.0", stayShelf))
		go func() {
			n, got := 0, make([]byte, concurrentDisk)
			for ; ; n++ {
				select {
				case <-stop:
					served <- n
					return
				default:
				}
				if _, err := export.ReadAt(got, 0); err != nil || !bytes.Equal(got, disk) {
					l.fault("reading the disk meanwhile: %v", err)
				}
			}
		}()
		events := l.run(d)
		close(stop)
		n := <-served
		l.settle(events)
		t.Logf("%v: %d writes and %d reads of the tree, of %d shared objects: %s; the disk read %d times; %s",
			d, l.writes.Swap(0), l.reads.Swap(0), len(events), count(events), n, l.d.memory())
		l.tearDown()
	}
	use(time.Second) // the runtime keeps threads and memory that it needed once
	descriptors, threads, memory := l.d.descriptors(), l.d.count("task"), l.d.memory()
	use(concurrentDuration(t))
	if after := l.d.descriptors(); !maps.Equal(after, descriptors) {
		t.Errorf("descriptors in the end: %v, before: %v", after, descriptors)
	}
	// The runtime has as many threads as were in system calls at once, which chance decides, of requests and of what they
	// leave to be done behind them: 20 to 50 were seen. A leak would be one for each of some thousand writes.
	if n := l.d.count("task"); n > threads+4*(owners+racers+readers) {
		t.Errorf("%d threads in the end, %d before", n, threads)
	}
	if n := l.d.holds(l.loop); n != 0 {
		t.Errorf("the disk is still open %d times", n)
	}
	if err := openExclusively(l.loop); err != nil {
		t.Errorf("the disk is still claimed: %v", err)
	}
	if after := l.d.memory(); after.anonymous > 2*memory.anonymous+16<<20 { // the collector's breath
		t.Errorf("in the end there is %s, before there was %s", after, memory)
	}
}

func concurrentDuration(t *testing.T) time.Duration {
	word := os.Getenv("VBLADEFS_CONCURRENT")
	if word == "" {
		return concurrentTime
	}
	d, err := time.ParseDuration(word)
	if err != nil {
		t.Fatalf("VBLADEFS_CONCURRENT: %v", err)
	}
	return d
}

// count says how often what happened.
func count(events map[string][]event) string {
	var counts [len(verbNames)]int
	for _, list := range events {
		for _, e := range list {
			counts[e.verb]++
		}
	}
	var words []string
	for v, n := range counts {
		words = append(words, fmt.Sprintf("%s %d", verbNames[v], n))
	}
	return strings.Join(words, ", ")
}

// fault reports what is wrong, a few times.
func (l *concurrent) fault(format string, args ...any) {
	l.t.Helper()
	if l.faults.Add(1) <= 10 {
		l.t.Errorf("seed %d: "+format, append([]any{l.seed}, args...)...)
	}
}

// over reports whether time is up, or more of the same would be pointless.
func (l *concurrent) over() bool { return time.Now().After(l.until) || l.faults.Load() > 10 }

// write writes a line as echo does, and returns the errno.
func (l *concurrent) write(file, line string) syscall.Errno {
	l.writes.Add(1)
	f, err := os.OpenFile(filepath.Join(l.d.dir, file), os.O_WRONLY|os.O_TRUNC, 0)
	if err == nil {
		_, err = f.WriteString(line + "\n")
		err = errors.Join(err, f.Close())
	}
	if err == nil {
		return 0
	}
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		l.fault("%q to %s: %v", line, file, err)
	}
	return errno
}

func errnoText(e syscall.Errno) string {
	if e == 0 {
		return "done"
	}
	return e.Error()
}

// must writes a line that cannot fail.
func (l *concurrent) must(file, format string, args ...any) {
	if errno := l.write(file, fmt.Sprintf(format, args...)); errno != 0 {
		l.t.Fatalf("%s to %s: %v", fmt.Sprintf(format, args...), file, errno)
	}
}

// setUp makes what stays while others come and go.
func (l *concurrent) setUp() {
	l.must("vblade/drives", "add %s %s", sharedDrive, l.named)
	l.must("vblade/drives", "add %s %s", stayDrive, l.loop)
	l.must("vblade/"+stayDrive+"/ports", "add eth0 %d 0", stayShelf)
	l.must("vblade/"+stayDrive+"/ports", "add eth0 %s", hostsShelf)
	l.must("vblade/"+stayDrive+"/model", "first")
	l.must("vblade/"+stayDrive+"/cache", "direct")
}

// run lets all work for d and returns what was done to the shared objects, with
// how they are in the end.
func (l *concurrent) run(d time.Duration) map[string][]event {
	l.until = time.Now().Add(d)
	var all []*racer
	var own []*owner
	var group sync.WaitGroup
	for n := range owners {
		o := newOwner(l, n+1)
		own = append(own, o)
		group.Go(func() {
			for !l.over() {
				o.step()
			}
		})
	}
	for n := range racers + readers {
		r := newRacer(l, n)
		all = append(all, r)
		group.Go(func() {
			for !l.over() {
				if r.look(); n < racers && !l.over() {
					r.step()
				}
			}
		})
	}
	group.Wait()
	last := newRacer(l, len(all))
	for range 200 { // sees every object several times
		last.look()
	}
	events := map[string][]event{}
	for _, r := range append(all, last) {
		for object, list := range r.record {
			events[object] = append(events[object], list...)
		}
	}
	l.agree(own)
	return events
}

// agree holds all views to show the same, and of the owners' what they know.
func (l *concurrent) agree(own []*owner) {
	views := l.views()
	want := views["aoeserver"]
	for tree, v := range views {
		if !maps.Equal(v, want) {
			l.fault("in %s there is\n%v\nin aoeserver\n%v", tree, v, want)
		}
	}
	for _, o := range own {
		for place, path := range o.expected() {
			if want[place] != path {
				l.fault("%s is %q, want %q", place, want[place], path)
			}
		}
	}
}

// settle holds the history of every shared object to be that of some serial order.
func (l *concurrent) settle(events map[string][]event) {
	first := map[string]string{"model": "first", "cache": "direct"}
	for object, list := range events {
		if story := explain(first[object], list); story != nil {
			l.fault("no serial order explains %s:\n%s", object, strings.Join(story, "\n"))
		}
	}
}

// tearDown removes everything, each export through another tree.
func (l *concurrent) tearDown() {
	turn := 0
	for place := range l.views()["kvblade"] {
		addr, netif, _ := strings.Cut(place, " ")
		shelf, slot, _ := strings.Cut(addr, ".")
		if turn++; turn%2 == 0 && netif != "*" {
			l.must("aoeserver", "del x %s %s %s", shelf, slot, netif)
		} else {
			l.must("kvblade/del", "%s %s %s", shelf, slot, netif)
		}
	}
	text, _ := l.read("vblade/drives")
	for line := range strings.Lines(text) {
		name, _, _ := strings.Cut(line, " ")
		l.must("vblade/drives", "del %s", name)
	}
	for tree, v := range l.views() {
		if len(v) > 0 {
			l.fault("after everything was removed %s has\n%v", tree, v)
		}
	}
	if names := l.names("interfaces"); len(names) > 0 {
		l.fault("after everything was removed there are interfaces %v", names)
	}
}

// descriptors counts the daemon's open files by what they are.
func (d *daemon) descriptors() map[string]int {
	folder := fmt.Sprintf("/proc/%d/fd", d.cmd.Process.Pid)
	entries, err := os.ReadDir(folder)
	if err != nil {
		d.t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, e := range entries {
		to, _ := os.Readlink(filepath.Join(folder, e.Name()))
		kind, _, _ := strings.Cut(to, ":[") // without its number
		kinds[kind]++
	}
	return kinds
}

// footprint is memory of the daemon, in bytes.
type footprint struct{ anonymous, locked int64 }

func (f footprint) String() string {
	return fmt.Sprintf("%.1f MiB anonymous, %.1f MiB locked", float64(f.anonymous)/mib, float64(f.locked)/mib)
}

var statusLine = regexp.MustCompile(`(?m)^(RssAnon|VmLck|VmPin):\s+(\d+) kB$`)

func (d *daemon) memory() footprint {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		d.t.Fatal(err)
	}
	var f footprint
	for _, m := range statusLine.FindAllStringSubmatch(string(text), -1) {
		n, _ := strconv.ParseInt(m[2], 10, 64)
		if m[1] == "RssAnon" {
			f.anonymous += n << 10
		} else {
			f.locked += n << 10
		}
	}
	return f
}

// serveConcurrently starts the daemon; in tests with the race detector, a daemon
// that has it, too, and ends with an error when it finds a race.
func serveConcurrently(t *testing.T, ns netiotest.Netns) *daemon {
	if !raceDetector {
		return serve(t, ns)
	}
	racing := filepath.Join(t.TempDir(), "vbladefs")
	tool(t, "go", "build", "-race", "-o", racing, ".")
	dir := mountDir(t)
	d := startProgram(t, ns, racing, "serve", dir)
	d.dir = dir
	d.await("the tree is mounted", func() bool {
		_, err := os.Stat(filepath.Join(dir, "log"))
		return err == nil
	})
	return d
}
