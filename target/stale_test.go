package target_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"math/rand/v2"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

var (
	staleSeed       = flag.Uint64("stale.seed", 0, "seed of TestStaleDuplicates; 0: a new one")
	staleOperations = flag.Int("stale.operations", 30000, "operations of TestStaleDuplicates")
)

const (
	staleSectors = 32 // few, so that most requests overlap others
	staleWindow  = 24 // operations at a time
)

// TestStaleDuplicates plays an initiator that repeats its requests under new
// tags, on either of two interfaces and two addresses of one device, whose
// transfers finish in random order, late or with an error (INITIATORS.md §8.9).
// No copy of a write may take effect once a later write was acknowledged.
func TestStaleDuplicates(t *testing.T) {
	t.Run("one worker", func(t *testing.T) { testStaleDuplicates(t, &stale{rig: newRig(t)}) })
	t.Run("three workers", func(t *testing.T) { testStaleDuplicates(t, &stale{rig: newRigOf(t, 3)}) })
	// Both addresses on one interface, whose workers may be late: what comes
	// first must be first, whichever address it is for.
	t.Run("late workers", func(t *testing.T) {
		testStaleDuplicates(t, &stale{rig: newRigOf(t, 3), late: true})
	})
}

func testStaleDuplicates(t *testing.T, s *stale) {
	seed := *staleSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("go test -run StaleDuplicates -stale.seed %d", seed)
	rig := s.rig
	s.t, s.machine, s.rnd, s.copies = t, rig.Machine(), rand.New(rand.NewPCG(seed, 1)), map[uint32]staleCopy{}
	s.setUp()
	for s.started < *staleOperations || len(s.active) > 0 {
		s.round()
		if t.Failed() {
			t.Fatalf("in round %d", s.now)
		}
	}
	contents := s.disk.Contents(0, staleSectors)
	s.history.check(t, s.now+1, s.now+1, 0, contents)
	t.Logf("%d operations, %d copies, %d rounds, %d replies with an error, %d reads checked", s.started, s.sent, s.now, s.failed, s.checked)
	if s.checked == 0 || s.sent <= s.started || s.failed == 0 {
		t.Error("the test has not tested anything")
	}
}

// stale is the initiator. Its clock counts rounds: what it sends in one it
// sends at one time.
type stale struct {
	t       *testing.T
	rig     targettest.Faults
	machine *targettest.Machine
	disk    *targettest.Medium
	rnd     *rand.Rand
	late    bool // one interface only, and workers that are late
	now     int
	paths   []stalePath
	active  []*staleOp
	copies  map[uint32]staleCopy // by tag
	history staleHistory

	started, sent, failed, checked int
}

// stalePath is a way to the device.
type stalePath struct {
	netif string
	addr  aoe.Addr
}

// staleOp is a read or write; generation is 0 for a read.
type staleOp struct {
	lba, n     int
	generation uint32
	newest     uint32 // tag of the newest copy: its reply alone completes the operation
}

type staleCopy struct {
	op   *staleOp
	sent int
}

func (s *stale) setUp() {
	for _, netif := range []string{"eth0", "eth1"} {
		s.rig.Interface(netif, 4200)
	}
	s.disk = s.machine.AddMedium("/disks/d", 256, false)
	s.disk.Alias("/disks/alias")
	must(s.t, s.rig.Target().Do(target.AddDrive{Name: "d", Path: "/disks/d"}))
	must(s.t, s.rig.Target().Do(target.AddDrive{Name: "alias", Path: "/disks/alias"}))
	for i, p := range []stalePath{{"eth0", aoe.Addr{Shelf: 1}}, {"eth1", aoe.Addr{Shelf: 1}}, {"eth0", aoe.Addr{Shelf: 2}}, {"eth1", aoe.Addr{Shelf: 2}}} {
		drive := []string{"d", "alias"}[i/2]
		must(s.t, s.rig.Target().Do(target.AddPort{Drive: drive, Addr: p.addr, Interface: p.netif, Buffers: 16}))
		if !s.late || p.netif == "eth0" {
			s.paths = append(s.paths, p)
		}
	}
	// As if written once, by generation 0.
	for lba := range staleSectors {
		s.sendCopy(&staleOp{lba: lba, n: 1, generation: 1 << 31}, s.paths[0])
		s.machine.Quiesce()
	}
	s.machine.Sent("eth0")
	s.machine.Sent("eth1")
	clear(s.copies)
	s.history.add(&staleOp{n: staleSectors, generation: 1 << 31}, -1).complete = -1
	s.sent = 0
}

// round sends some new requests and some copies of old ones while transfers
// finish, and reads the replies.
func (s *stale) round() {
	s.now++
	s.machine.SetMode([]targettest.Mode{targettest.Held, targettest.Held, targettest.Held, targettest.Prompt, targettest.Inline}[s.rnd.IntN(5)])
	for i := 0; s.late && i < 3; i++ {
		s.machine.Delay("eth0", i, s.rnd.IntN(3) == 0 && s.started < *staleOperations)
	}
	finish := s.someTransfers()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, f := range finish {
			f()
		}
	}()
	// A copy may go another way than the one before it only once that has
	// arrived: the network is not the target's to put in order.
	for _, op := range s.active {
		if s.rnd.IntN(4) == 0 {
			s.sendCopy(op, s.path())
		}
	}
	for range s.rnd.IntN(8) {
		if len(s.active) < staleWindow && s.started < *staleOperations {
			s.start()
		}
	}
	<-done
	s.machine.Quiesce()
	for _, netif := range []string{"eth0", "eth1"} {
		for _, frame := range s.machine.Sent(netif) {
			s.reply(frame)
		}
	}
}

// someTransfers picks from what is held back, in random order.
func (s *stale) someTransfers() []func() {
	pending := s.machine.Pending()
	s.rnd.Shuffle(len(pending), func(i, j int) { pending[i], pending[j] = pending[j], pending[i] })
	var list []func()
	for _, x := range pending[:s.rnd.IntN(len(pending)+1)] {
		var err error
		if s.rnd.IntN(200) == 0 {
			err = errors.New("medium error")
		}
		list = append(list, func() { x.Finish(err) })
	}
	return list
}

func (s *stale) path() stalePath { return s.paths[s.rnd.IntN(len(s.paths))] }

func (s *stale) start() {
	s.started++
	op := &staleOp{lba: s.rnd.IntN(staleSectors), n: 1 + s.rnd.IntN(8)}
	op.n = min(op.n, staleSectors-op.lba)
	if s.rnd.IntN(2) == 0 {
		op.generation = uint32(s.started)
		s.history.add(op, s.now)
	}
	s.active = append(s.active, op)
	path := s.path()
	s.sendCopy(op, path)
	if s.rnd.IntN(4) == 0 { // twice back to back, on one link: in this order
		s.sendCopy(op, path)
	}
}

func (s *stale) sendCopy(op *staleOp, path stalePath) {
	s.sent++
	op.newest = uint32(s.sent)
	s.copies[op.newest] = staleCopy{op, s.now}
	if op.generation == 0 {
		s.machine.Inject(path.netif, readFrame(path.addr, op.newest, op.lba, op.n))
		return
	}
	var data []byte
	for i := range op.n {
		data = append(data, stamp(op.lba+i, op.generation)...)
	}
	s.machine.Inject(path.netif, writeFrame(path.addr, op.newest, op.lba, data))
}

// stamp fills a sector with its address and the generation of its write.
func stamp(lba int, generation uint32) []byte {
	var eight [8]byte
	binary.BigEndian.PutUint32(eight[:], uint32(lba))
	binary.BigEndian.PutUint32(eight[4:], generation)
	return bytes.Repeat(eight[:], aoe.SectorSize/len(eight))
}

// reply takes the reply to a copy.
func (s *stale) reply(frame []byte) {
	h, _ := aoe.DecodeHeader(frame)
	a, data, _ := aoe.DecodeATA(frame)
	sent, ok := s.copies[h.Tag]
	switch {
	case h.Command == aoe.CmdConfig && h.Tag == 0:
		return // an announcement
	case !ok || h.Failed || h.Command != aoe.CmdATA:
		s.t.Errorf("a reply to nothing, or the second to one request: % x", frame[:36])
		return
	}
	delete(s.copies, h.Tag)
	good := a.Command == 0x40 && a.Feature == 0 && a.Count == 0
	if !good {
		s.failed++
	}
	op := sent.op
	if good && op.generation == 0 {
		s.checked++
		if len(data) != op.n*aoe.SectorSize {
			s.t.Errorf("a read of %d sectors brings %d bytes", op.n, len(data))
			return
		}
		s.history.check(s.t, sent.sent, s.now, op.lba, data)
	}
	if h.Tag == op.newest {
		s.complete(op, good)
	}
}

// complete ends an operation: its newest copy was answered, so that all
// earlier ones have taken effect, or never will.
func (s *stale) complete(op *staleOp, good bool) {
	for i, o := range s.active {
		if o == op {
			s.active = append(s.active[:i], s.active[i+1:]...)
			break
		}
	}
	if op.generation != 0 {
		s.history.completed(op, s.now, good)
	}
}
