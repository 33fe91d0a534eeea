package main_test

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"vbladefs/netio"
	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe"
)

// The image of the flood: two exports with guards around them.
//
//	guard | 0.1, verified I/O | guard | 0.2, open to the flood | guard
const floodPart = mib

// floodFor and floodFrames end the flood, whichever comes first; fewer than floodLeast frames are none, however long a
// busy machine takes for them.
const (
	floodFor    = 5 * time.Second
	floodFrames = 2_000_000
	floodLeast  = 1000
)

// pourOn tells whether a flood that was to end and has sent so many frames goes on.
func pourOn(end time.Time, sent int) bool {
	now := time.Now()
	return now.Before(end) || sent < floodLeast && now.Before(end.Add(patience))
}

// TestFlood: while frames of every kind pour in, an initiator's data stays right
// and nothing outside the exports is touched.
func TestFlood(t *testing.T) {
	const mtu = 4200
	here, there := netiotest.Pair(t, mtu)
	path := filepath.Join(t.TempDir(), "disk.img")
	disk := random(5 * floodPart)
	if err := os.WriteFile(path, disk, 0o600); err != nil {
		t.Fatal(err)
	}
	part := func(n int) string {
		return loop(t, path, "-o", strconv.Itoa(n*floodPart), "--sizelimit", strconv.Itoa(floodPart))
	}
	d := serve(t, here, "-cache", "writeback")
	d.echo("add "+part(1)+" 0 1 eth0", "aoeserver")
	d.echo("add "+part(3)+" 0 2 eth0", "aoeserver")
	client := connect(t, there, "eth0")
	verified, victim := client.open("0.1"), client.open("0.2")

	f := newFlood(t, there, mtu, verified.MAC)
	poured := make(chan int)
	go func() { poured <- f.pour() }()
	frames, ios := 0, 0
	for frames == 0 {
		select {
		case frames = <-poured:
		default:
			at := rand.IntN(floodPart - 70000)
			put(t, verified, disk[floodPart:2*floodPart], at, rand.IntN(70000))
			at = rand.IntN(floodPart - 70000)
			got := make([]byte, rand.IntN(70000))
			if _, err := verified.ReadAt(got, int64(at)); err != nil {
				t.Fatal(err)
			}
			checkBytes(t, "read during the flood", got, disk[floodPart+at:floodPart+at+len(got)])
			ios += 2
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	d.check()
	t.Logf("%d frames in the flood, %d reads and writes verified meanwhile, %d retransmissions", frames, ios,
		verified.Engine().Counters().Retransmits)
	if frames < floodLeast || ios < 2 {
		t.Errorf("%d frames and %d reads and writes are no flood", frames, ios)
	}
	if d.stat("vblade/stats", "writes") == "0" {
		t.Error("no write of the flood was valid")
	}

	checkBytes(t, "0.1", readAll(t, verified), disk[floodPart:2*floodPart])
	copy(disk[3*floodPart:], readAll(t, victim)) // whatever it is by now
	if err := verified.Flush(); err != nil {
		t.Error(err)
	}
	if err := victim.Flush(); err != nil {
		t.Error(err)
	}
	checkFile(t, path, disk) // the guards, and what each export says
}

// flood makes hostile frames: noise, and valid frames with a part of them
// changed. None is a valid command to 0.1 that may change it.
type flood struct {
	link   netio.Link
	rnd    *rand.Rand
	noise  []byte // where the bytes of frames are taken from
	target aoe.MAC
	mtu    int
	frames [][]byte // one batch, with room for the largest frame
}

const floodBatch = 64

func newFlood(t *testing.T, ns netiotest.Netns, mtu int, target aoe.MAC) *flood {
	t.Helper()
	f := &flood{rnd: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())), noise: random(1 << 16), target: target, mtu: mtu}
	ns.Do(func() {
		var err error
		if f.link, err = netio.Open("eth0", netio.Options{Replies: true}); err != nil {
			t.Fatal(err)
		}
	})
	t.Cleanup(func() { _ = f.link.Close() })
	f.frames = make([][]byte, floodBatch)
	for i := range f.frames {
		f.frames[i] = make([]byte, mtu+aoe.EthernetSize)
	}
	return f
}

// pour sends until the flood is over, and returns the number of frames.
func (f *flood) pour() int {
	sent, batch, none := 0, make([][]byte, floodBatch), make([][]byte, floodBatch)
	for end := time.Now().Add(floodFor); sent < floodFrames && pourOn(end, sent); {
		for i := range batch {
			batch[i] = f.frame(f.frames[i])
		}
		n, err := f.link.Send(batch, none)
		sent += n
		if err != nil {
			break
		}
	}
	return max(sent, 1)
}

// frame makes one frame in b and returns as much of b as it is long.
func (f *flood) frame(b []byte) []byte {
	b = b[:aoe.EthernetSize+f.rnd.IntN(f.mtu+1)]
	copy(b, f.noise[f.rnd.IntN(len(f.noise)-len(b)):])
	copy(b, f.target[:])
	if f.rnd.IntN(4) == 0 {
		copy(b, aoe.Broadcast[:])
	}
	b[6] &^= 1 // sources are stations
	binary.BigEndian.PutUint16(b[12:], aoe.EtherType)
	if len(b) < aoe.ConfigSize || f.rnd.IntN(4) == 0 {
		return b // noise; that it names 0.1 and makes sense will not happen
	}
	h := aoe.Header{Dst: aoe.MAC(b[:6]), Src: aoe.MAC(b[6:12]), Version: aoe.Version, Tag: f.rnd.Uint32(),
		Addr: aoe.Addr{Slot: 2}, Command: aoe.Command(f.rnd.IntN(2))}
	switch f.rnd.IntN(8) {
	case 0:
		h.Addr = aoe.Addr{Shelf: aoe.AnyShelf, Slot: aoe.AnySlot}
	case 1:
		h.Command = aoe.Command(f.rnd.Uint32()) &^ 3 // neither mask list nor reserve, which shut the flood out
	case 2:
		h.Response = true
	case 3:
		h.Version = uint8(f.rnd.IntN(16))
	}
	h.Put(b)
	if h.Command == aoe.CmdATA && len(b) >= aoe.ATASize {
		f.registers().Put(b)
	}
	return b
}

// registers are those of reads and writes around both ends of the export, or
// noise.
func (f *flood) registers() aoe.ATA {
	const sectors = floodPart / 512
	a := aoe.ATA{Flags: uint8(f.rnd.Uint32()), Count: uint8(f.rnd.IntN(10)), Command: uint8(f.rnd.Uint32())}
	binary.LittleEndian.PutUint32(a.LBA[:], f.rnd.Uint32())
	if commands := []uint8{0x24, 0x34, 0x20, 0x30, 0x35, 0x3d, 0xec, 0xea}; f.rnd.IntN(4) > 0 {
		a.Command = commands[f.rnd.IntN(len(commands))]
		lba := [...]uint32{0, sectors - 4, sectors, 1 << 28}[f.rnd.IntN(4)] + uint32(f.rnd.IntN(8))
		binary.LittleEndian.PutUint32(a.LBA[:], lba)
		a.LBA[4], a.LBA[5] = uint8(f.rnd.IntN(8)/7), uint8(f.rnd.IntN(8)/7)
		if a.Command&0x10 != 0 {
			a.Flags |= aoe.ATAWrite
		} else {
			a.Flags &^= aoe.ATAWrite
		}
	}
	return a
}
