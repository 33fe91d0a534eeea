package main_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"vbladefs/netio"
	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
)

// overloadGrowth is what floods may add to the daemon's memory, in bytes, as
// docs/security.md says: some, and some for what is kept of each export.
const overloadGrowth = 64<<20 + overloadExports*24<<10

// strictOverload, set to 1, has TestOverload fail if the control tree takes longer
// than 10 ms, or an export keeps less than half its throughput: for a machine that
// does nothing else. overloadSeconds is how long each flood lasts, overloadRounds
// how many there are of each.
const (
	strictOverload  = "VBLADEFS_OVERLOAD_STRICT"
	overloadSeconds = "VBLADEFS_OVERLOAD_SECONDS"
	overloadRounds  = "VBLADEFS_OVERLOAD_ROUNDS"
)

// overloadExports is how many exports there are, all on eth0: 40 shelves of 250.
const overloadExports = 10_000

// TestOverload: while more comes than can be served, of each kind in turn, the
// daemon's memory stays in bounds, its tree answers, and an export goes on.
func TestOverload(t *testing.T) {
	here, there, flooding := switched(t)
	d := serve(t, here, "-cache", "writeback", "-state", t.TempDir())
	path, _ := image(t, mib)
	d.echo("add many "+path, "vblade/drives")
	d.addMany("vblade/many/ports")
	path, _ = image(t, mib)
	d.echo("add "+path+" 0 2 eth0", "aoeserver")
	path, _ = image(t, mib)
	d.echo("add one "+path, "vblade/drives")
	d.echo("add eth0 0 1\nadd eth0 0 3", "vblade/one/ports")
	x := connect(t, there, "eth0").open("0.1")
	o := &overload{daemon: d, x: x, far: x.MAC, rnd: rand.New(rand.NewPCG(1, 2)),
		urgent: d.onlooker(true), plain: d.onlooker(false)}
	flooding.Do(func() {
		var err error
		if o.link, err = netio.Open("eth0", netio.Options{Replies: true, RingBytes: 1 << 20}); err != nil {
			t.Fatal(err)
		}
	})
	t.Cleanup(func() { _ = o.link.Close() })
	o.measure(200*time.Millisecond, pouring{}) // warm
	first := d.resident()
	for _, kind := range overloadKinds {
		t.Run(kind.name, func(t *testing.T) { o.withstands(t, kind.frame, first+overloadGrowth) })
	}
	after := d.resident()
	t.Logf("%d MiB of memory before, %d MiB after", first>>20, after>>20)
	if after > first+overloadGrowth {
		t.Errorf("%d MiB of memory afterwards, %d before", after>>20, first>>20)
	}
	o.checkKept()
	d.check()
}

// withstands measures a flood, some rounds, and checks what must hold in it. The round whose share is
// the middle one is logged as the line of the table in docs/security.md.
func (o *overload) withstands(t *testing.T, frame frameMaker, mostMemory int) {
	rounds := make([]round, max(1, int(o.environment(overloadRounds, 1))))
	for i := range rounds {
		r := o.round(t, frame)
		t.Logf("flood:   %v", r.during)
		t.Logf("control: %v", r.control)
		t.Logf("quiet:   %.1f MiB/s, %v, by an ordinary process %v", float64(r.quiet)/mib, r.before.urgent, r.before.plain)
		if r.during.memory > mostMemory {
			t.Errorf("%d MiB of memory, want at most %d", r.during.memory>>20, mostMemory>>20)
		}
		if r.during.sent < floodLeast {
			t.Errorf("%d frames are no flood", r.during.sent)
		}
		rounds[i] = r
	}
	slices.SortFunc(rounds, func(a, b round) int { return cmp.Compare(a.share(a.during), b.share(b.during)) })
	middle := rounds[len(rounds)/2]
	t.Logf("%s", middle.row(filepath.Base(t.Name())))
	if os.Getenv(strictOverload) != "1" {
		return
	}
	if slowest := middle.during.urgent.slowest; slowest > 10*time.Millisecond {
		t.Errorf("the control tree took %v, want at most 10ms", slowest)
	}
	if share := middle.share(middle.during); share < 50 {
		t.Errorf("%d %% of what is read without the flood, want at least half", share)
	}
}

// round is a flood, and as many of the same frames by another protocol, between two measurements
// without.
type round struct {
	quiet                   int // bytes a second that are read without a flood
	before, during, control measured
}

func (o *overload) round(t *testing.T, frame frameMaker) (r round) {
	r.before = o.measure(o.period()/2, pouring{})
	r.during = o.measure(o.period(), pouring{frame: frame})
	o.settle()
	shed := o.drops("overload_drops")
	r.control = o.measure(o.period(), pouring{frame: elsewhere(frame), rate: r.during.rate()})
	if o.drops("overload_drops") != shed {
		t.Error("the daemon has seen frames of another protocol")
	}
	after := o.measure(o.period()/2, pouring{})
	r.quiet = (r.before.read + after.read) / 2
	return r
}

// settle waits until the daemon has taken all that it was sent, which a request that comes last
// shows, and answers no more of it: queries to all exports are answered a part at a time.
func (o *overload) settle() {
	o.t.Helper()
	if _, err := o.x.ReadAt(make([]byte, aoe.SectorSize), 0); err != nil {
		o.t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); ; {
		before := o.daemon.read("interfaces/eth0/traffic")
		time.Sleep(20 * time.Millisecond)
		switch {
		case o.daemon.read("interfaces/eth0/traffic") == before:
			return
		case time.Now().After(end):
			o.t.Fatal("the daemon still answers a flood that is long over")
		}
	}
}

// share is how much is left in m of what is read without a flood, in percent.
func (r round) share(m measured) int { return 100 * m.read / max(r.quiet, 1) }

// row is a line of the table in docs/security.md.
func (r round) row(name string) string {
	thousands := func(n int) float64 { return float64(n) / r.during.took.Seconds() / 1000 }
	return fmt.Sprintf("| %s | %.0f,000 | %.0f | %d %% | %d %% | %d | %d ms | %d ms |", strings.ReplaceAll(name, "_", " "),
		thousands(r.during.sent), 1000*thousands(r.during.replies), r.share(r.during), r.share(r.control), r.during.again, r.during.urgent.slowest.Milliseconds(), r.during.plain.slowest.Milliseconds())
}

// switched is three namespaces whose eth0 are on one switch, which spares each what
// is for another.
func switched(t *testing.T) (here, there, flooding netiotest.Netns) {
	t.Helper()
	between := netiotest.New(t)
	between.Run("ip", "link", "add", "br0", "type", "bridge", "stp_state", "0", "forward_delay", "0")
	between.Run("ip", "link", "set", "br0", "up")
	for i, ns := range []*netiotest.Netns{&here, &there, &flooding} {
		*ns = netiotest.New(t)
		port := fmt.Sprintf("port%d", i)
		netiotest.Join(*ns, "eth0", between, port, 1500)
		between.Run("ip", "link", "set", port, "master", "br0")
	}
	return here, there, flooding
}

// overload floods a daemon, and uses an export of it and its tree meanwhile.
type overload struct {
	*daemon
	x    *initiator.Export
	link netio.Link
	far  aoe.MAC
	rnd  *rand.Rand

	urgent, plain *onlooker
}

// period is how long to measure.
func (o *overload) period() time.Duration {
	return time.Duration(o.environment(overloadSeconds, 0.5) * float64(time.Second))
}

// environment is a number in an environment variable.
func (o *overload) environment(name string, unset float64) float64 {
	text := os.Getenv(name)
	if text == "" {
		return unset
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		o.t.Fatalf("%s: %v", name, err)
	}
	return n
}

// measured is what was seen during a flood.
type measured struct {
	sent    int // frames of the flood
	replies int // of the daemon to them
	read    int // bytes a second, by an initiator
	memory  int // the most, in bytes
	took    time.Duration
	again   uint64        // frames that the initiator repeated
	lost    int           // frames that found no room with the daemon
	shed    int           // frames that it dropped unserved
	busy    time.Duration // processor time of the daemon
	urgent  reads         // files of the tree, by who never waits for a processor
	plain   reads         // by who waits as others do
}

// rate is how many frames of the flood were sent in a second.
func (m measured) rate() float64 { return float64(m.sent) / m.took.Seconds() }

func (m measured) String() string {
	return fmt.Sprintf("%6.0f frames/s with %6.0f replies, %6.0f lost and %6.0f dropped, %5.1f MiB/s read with %3d frames repeated, %v, by an ordinary process %v, %3d MiB of memory, %3.0f %% of a processor",
		m.rate(), float64(m.replies)/m.took.Seconds(), float64(m.lost)/m.took.Seconds(), float64(m.shed)/m.took.Seconds(), float64(m.read)/mib, m.again,
		m.urgent, m.plain, m.memory>>20, 100*m.busy.Seconds()/m.took.Seconds())
}

// measure uses the export and the tree, beside a flood if there is one.
func (o *overload) measure(period time.Duration, f pouring) (m measured) {
	o.t.Helper()
	begin := time.Now()
	end := begin.Add(period)
	sent, read := make(chan int, 1), make(chan int, 1)
	replies := o.replies()
	again, lost, shed, busy := o.x.Engine().Counters().Retransmits, o.drops("receive_drops"), o.drops("overload_drops"), o.processorTime()
	go func() { sent <- o.pour(end, f) }()
	go func() { read <- o.readUntil(end) }()
	o.urgent.begin(period)
	o.plain.begin(period)
	for time.Now().Before(end) {
		m.memory = max(m.memory, o.resident())
		time.Sleep(2 * time.Millisecond)
	}
	m.sent, m.read = <-sent, <-read
	m.urgent, m.plain = o.urgent.end(), o.plain.end()
	m.took = time.Since(begin)
	m.replies = max(0, o.replies()-replies-m.read/(2*aoe.SectorSize)) // as many as an MTU of 1500 has room for
	m.read = int(float64(m.read) / m.took.Seconds())
	m.again, m.busy = o.x.Engine().Counters().Retransmits-again, o.processorTime()-busy
	m.lost, m.shed = o.drops("receive_drops")-lost, o.drops("overload_drops")-shed
	return m
}

// readUntil reads the export over and over, and returns how many bytes.
func (o *overload) readUntil(end time.Time) (read int) {
	b := make([]byte, 64<<10)
	for time.Now().Before(end) {
		if _, err := o.x.ReadAt(b, int64(read%(mib-len(b)+1))&^511); err != nil {
			o.t.Error(err)
			break
		}
		read += len(b)
	}
	return read
}

// replies is how many frames the daemon has sent.
func (o *overload) replies() int {
	n, err := strconv.Atoi(o.stat("interfaces/eth0/traffic", "sent_frames"))
	if err != nil {
		o.t.Fatal(err)
	}
	return n
}

// drops is how many frames the daemon has lost, in a way that its interface counts.
func (o *overload) drops(counter string) int {
	n, err := strconv.Atoi(o.stat("interfaces/eth0/stats", counter))
	if err != nil {
		o.t.Fatal(err)
	}
	return n
}

// processorTime is what the daemon has used, in user and in kernel mode.
func (d *daemon) processorTime() time.Duration {
	d.t.Helper()
	var clock [4]int // man 5 proc_pid_stat: the 14th and the 15th value, in hundredths of a second
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.cmd.Process.Pid))
	if err != nil {
		d.t.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	for i := range clock[:2] {
		if clock[i], err = strconv.Atoi(fields[11+i]); err != nil {
			d.t.Fatal(err)
		}
	}
	return time.Duration(clock[0]+clock[1]) * 10 * time.Millisecond
}

// resident is what of the daemon's is resident, in bytes.
func (d *daemon) resident() int {
	d.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		d.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if size, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(size), " kB"))
			if err != nil {
				d.t.Fatal(err)
			}
			return n << 10
		}
	}
	d.t.Fatal("no VmRSS")
	return 0
}

// addMany adds the ports of overloadExports.
func (d *daemon) addMany(file string) {
	d.t.Helper()
	f, err := os.OpenFile(filepath.Join(d.dir, file), os.O_WRONLY, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	for i := range overloadExports {
		if _, err := fmt.Fprintf(f, "add eth0 %d %d\n", 1+i/250, i%250); err != nil {
			d.t.Fatalf("%s: %v: %s", file, err, d.lastEvent())
		}
	}
}

// checkKept checks that what the daemon keeps because of clients is as little as
// docs/security.md says.
func (o *overload) checkKept() {
	o.t.Helper()
	if n := len(lines(o.daemon.read("targets/e0.2/initiators"))); n > 16+1 {
		o.t.Errorf("%d initiators are remembered of one export", n)
	}
	for n := range 500 {
		addr := "targets/e" + o.anyExport(n).String()
		if c := o.daemon.read(addr + "/config"); len(c) > aoe.MaxConfigString*4+64 {
			o.t.Errorf("%s: a config string of %d bytes", addr, len(c))
		}
		for _, list := range []string{"masks", "reserve"} {
			if n := len(lines(o.daemon.read(addr + "/" + list))); n > aoe.MaxListed {
				o.t.Errorf("%s/%s has %d entries", addr, list, n)
			}
		}
	}
	if n := len(lines(o.daemon.read("targets/e0.1/conflicts"))); n > 16+1 {
		o.t.Errorf("%d rivals of one export are remembered", n)
	}
}
