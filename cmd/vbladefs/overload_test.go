package main_test

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
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
// does nothing else. overloadSeconds is how long each flood lasts.
const (
	strictOverload  = "VBLADEFS_OVERLOAD_STRICT"
	overloadSeconds = "VBLADEFS_OVERLOAD_SECONDS"
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
	d.echo("add "+path+" 0 1 eth0", "aoeserver")
	path, _ = image(t, mib)
	d.echo("add "+path+" 0 2 eth0", "aoeserver")
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
	o.measure(200*time.Millisecond, nil) // warm
	first := d.resident()
	t.Run("another protocol", func(t *testing.T) {
		if o.withstands(t, elsewhere, first+overloadGrowth); o.drops("overload_drops") != 0 {
			t.Error("the daemon has seen it")
		}
	})
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

// withstands measures a flood, between two measurements without, and checks what
// must hold in it.
func (o *overload) withstands(t *testing.T, frame func(*overload, int, []byte) []byte, mostMemory int) {
	before := o.measure(o.period()/2, nil)
	during := o.measure(o.period(), frame)
	after := o.measure(o.period()/2, nil)
	quiet := (before.read + after.read) / 2
	t.Logf("%v", during)
	t.Logf("%d %% of the %.1f MiB/s without a flood, where the slowest file was answered in %v and read in %v", 100*during.read/max(quiet, 1),
		float64(quiet)/mib, max(before.urgent.slowest, after.urgent.slowest).Round(10*time.Microsecond),
		max(before.plain.slowest, after.plain.slowest).Round(10*time.Microsecond))
	if during.memory > mostMemory {
		t.Errorf("%d MiB of memory, want at most %d", during.memory>>20, mostMemory>>20)
	}
	if during.sent < 1000 {
		t.Errorf("%d frames are no flood", during.sent)
	}
	if os.Getenv(strictOverload) != "1" || strings.HasSuffix(t.Name(), "protocol") {
		return
	}
	if took := during.urgent.slowest; took > 10*time.Millisecond {
		t.Errorf("the control tree took %v, want at most 10ms", took)
	}
	if during.read < quiet/2 {
		t.Errorf("%d bytes read a second, want at least half of %d", during.read, quiet)
	}
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

// overloadKinds make frame n of each flood in b, of which they return a part.
var overloadKinds = []struct {
	name  string
	frame func(o *overload, n int, b []byte) []byte
}{
	{"reads", func(o *overload, n int, b []byte) []byte {
		return o.ata(b, floodHost(0), n, aoe.ATA{Flags: aoe.ATAExtended, Count: 2, Command: 0x24, LBA: lba48(uint64(n) * 2 % 2040)})
	}},
	{"writes", func(o *overload, n int, b []byte) []byte {
		return o.ata(b, floodHost(0), n, aoe.ATA{Flags: aoe.ATAExtended | aoe.ATAWrite, Count: 2, Command: 0x34, LBA: lba48(uint64(n) * 2 % 2040)})
	}},
	{"flushes", func(o *overload, n int, b []byte) []byte {
		return o.ata(b, floodHost(0), n, aoe.ATA{Command: 0xea})
	}},
	{"broadcasts", func(o *overload, n int, b []byte) []byte {
		return o.head(b[:aoe.MinFrame], floodHost(n%8), aoe.Addr{Shelf: aoe.AnyShelf, Slot: aoe.AnySlot}, aoe.CmdConfig, n)
	}},
	{"bad frames", func(o *overload, n int, b []byte) []byte {
		b = b[:aoe.EthernetSize+o.rnd.IntN(1400)]
		for i := 12; i < len(b); i += 8 {
			binary.BigEndian.PutUint64(b[i:][:8:8], o.rnd.Uint64())
		}
		copy(b, o.far[:])
		src := floodHost(n % 16)
		copy(b[6:], src[:])
		binary.BigEndian.PutUint16(b[12:], aoe.EtherType)
		if len(b) > 20 && n%2 == 0 { // half of them are to an export
			b[14], b[16], b[17], b[18] = 0x10, 0, 0, 2
		}
		if len(b) > 19 && b[19] <= byte(aoe.CmdReserve) {
			b[19] = 9 // no list is changed
		}
		return b
	}},
	{"10,000 sources", func(o *overload, n int, b []byte) []byte {
		return o.head(b[:aoe.MinFrame], floodHost(n%10_000), aoe.Addr{Slot: 2}, aoe.CmdConfig, n)
	}},
	{"replies of others", func(o *overload, n int, b []byte) []byte {
		b = o.head(b[:aoe.MinFrame], floodHost(n%10_000), aoe.Addr{Shelf: uint16(n / 200), Slot: uint8(n % 200)}, aoe.CmdConfig, n)
		b[14] |= 0x08
		return b
	}},
	{"config strings", func(o *overload, n int, b []byte) []byte {
		b = o.head(b[:aoe.ConfigSize+aoe.MaxConfigString], floodHost(n%16), o.anyExport(n), aoe.CmdConfig, n)
		aoe.Config{Command: aoe.ConfigForceSet, String: b[aoe.ConfigSize:]}.Put(b)
		binary.BigEndian.PutUint64(b[aoe.ConfigSize:], uint64(n))
		return b
	}},
	{"reservations", func(o *overload, n int, b []byte) []byte {
		b = o.head(b[:aoe.ReserveSize+6*aoe.MaxListed], floodHost(n%16), o.anyExport(n), aoe.CmdReserve, n)
		aoe.Reserve{Command: aoe.ReserveForceSet, Count: aoe.MaxListed}.Put(b)
		for i := range aoe.MaxListed {
			aoe.PutReserved(b, i, floodHost(n+i))
		}
		return b
	}},
	{"masks", func(o *overload, n int, b []byte) []byte {
		b = o.head(b[:aoe.MaskListSize+2*aoe.DirectiveSize], floodHost(0), o.anyExport(n), aoe.CmdMaskList, n)
		aoe.MaskList{Command: aoe.MaskEdit, Count: 2}.Put(b)
		aoe.PutDirective(b, 0, aoe.MaskAdd, floodHost(0))
		aoe.PutDirective(b, 1, aoe.MaskAdd, floodHost(n%10_000))
		return b
	}},
}

// elsewhere makes frames that the daemon is not given, as they are not AoE: what they
// take from an initiator the machine takes, which sends them and carries them
// to the daemon's interface.
func elsewhere(o *overload, n int, b []byte) []byte {
	b = o.head(b[:aoe.MinFrame], floodHost(n%16), aoe.Addr{Slot: 2}, aoe.CmdConfig, n)
	binary.BigEndian.PutUint16(b[12:], 0x88b5) // IEEE 802, local experiments
	return b
}

// floodHost is a station of a flood.
func floodHost(n int) (mac aoe.MAC) {
	mac[0] = 2
	binary.BigEndian.PutUint32(mac[2:], uint32(n)+0x1000)
	return mac
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

// anyExport is one of those that only the flood uses.
func (o *overload) anyExport(n int) aoe.Addr {
	n %= overloadExports
	return aoe.Addr{Shelf: uint16(1 + n/250), Slot: uint8(n % 250)}
}

func (o *overload) head(b []byte, src aoe.MAC, addr aoe.Addr, command aoe.Command, n int) []byte {
	clear(b)
	dst := o.far
	if addr.Wildcard() {
		dst = aoe.Broadcast
	}
	aoe.Header{Dst: dst, Src: src, Version: aoe.Version, Addr: addr, Command: command, Tag: uint32(n)}.Put(b)
	return b
}

func (o *overload) ata(b []byte, src aoe.MAC, n int, a aoe.ATA) []byte {
	b = o.head(b[:aoe.ATASize+1024], src, aoe.Addr{Slot: 2}, aoe.CmdATA, n)
	a.Put(b)
	return b
}

// period is how long to measure.
func (o *overload) period() time.Duration {
	seconds, err := strconv.ParseFloat(cmp.Or(os.Getenv(overloadSeconds), "0.7"), 64)
	if err != nil {
		o.t.Fatalf("%s: %v", overloadSeconds, err)
	}
	return time.Duration(seconds * float64(time.Second))
}

// measured is what was seen during a flood.
type measured struct {
	sent   int // frames of the flood
	read   int // bytes a second, by an initiator
	memory int // the most, in bytes
	took   time.Duration
	again  uint64        // frames that the initiator repeated
	lost   int           // frames that found no room with the daemon
	shed   int           // frames that it dropped unserved
	busy   time.Duration // processor time of the daemon
	urgent reads         // files of the tree, by who never waits for a processor
	plain  reads         // by who waits as others do
}

func (m measured) String() string {
	return fmt.Sprintf("%6.0f frames/s, %6.0f of them lost and %6.0f dropped, %5.1f MiB/s read with %3d frames repeated, %v, by an ordinary process %v, %3d MiB of memory, %3.0f %% of a processor",
		float64(m.sent)/m.took.Seconds(), float64(m.lost)/m.took.Seconds(), float64(m.shed)/m.took.Seconds(), float64(m.read)/mib, m.again,
		m.urgent, m.plain, m.memory>>20, 100*m.busy.Seconds()/m.took.Seconds())
}

// measure uses the export and the tree, beside a flood if there is one.
func (o *overload) measure(period time.Duration, frame func(*overload, int, []byte) []byte) (m measured) {
	o.t.Helper()
	begin := time.Now()
	end := begin.Add(period)
	sent, read := make(chan int, 1), make(chan int, 1)
	again, lost, shed, busy := o.x.Engine().Counters().Retransmits, o.drops("receive_drops"), o.drops("overload_drops"), o.processorTime()
	go func() { sent <- o.pour(end, frame) }()
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
	m.read = int(float64(m.read) / m.took.Seconds())
	m.again, m.busy = o.x.Engine().Counters().Retransmits-again, o.processorTime()-busy
	m.lost, m.shed = o.drops("receive_drops")-lost, o.drops("overload_drops")-shed
	return m
}

// pour sends a flood.
func (o *overload) pour(end time.Time, frame func(*overload, int, []byte) []byte) (sent int) {
	if frame == nil {
		return 0
	}
	batch, none := make([][]byte, floodBatch), make([][]byte, floodBatch)
	room := make([]byte, floodBatch*2048)
	for time.Now().Before(end) {
		for i := range batch {
			batch[i] = frame(o, sent+i, room[i*2048:][:1514:2048])
		}
		n, err := o.link.Send(batch, none)
		if sent += n; err != nil {
			o.t.Error(err)
			break
		}
		frames := make([][]byte, 64) // what it was answered
		for n, err := o.link.Receive(frames); n > 0 && err == nil; n, err = o.link.Receive(frames) {
			o.link.Release()
		}
	}
	return sent
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
