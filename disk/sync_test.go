package disk

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// TestManySubmits keeps more requests in flight than goroutines, on two stores, in several queues at once.
func TestManySubmits(t *testing.T) { onEachQueue(t, testManySubmits) }

func testManySubmits(t *testing.T, newQueue queueMaker) {
	const slots, rounds, queues = 100, 10, 3
	file, _ := image(t, "", queues*slots*512)
	device, _ := image(t, "", queues*slots*512)
	stores := []*Store{open(t, file, Options{}), open(t, loopDevice(t, device), Options{Policy: Direct})}
	var all sync.WaitGroup
	for part := range queues {
		q := newQueue(t)
		all.Go(func() {
			data := make([][]byte, len(stores)*slots)
			for i := range data {
				data[i] = make([]byte, 512)
			}
			submit := func(op Op, i int) {
				q.Submit(stores[i%2], op, data[i], int64(part*slots+i/2)*512, uint64(i))
			}
			for round := range rounds {
				for i := range data {
					binary.BigEndian.PutUint64(data[i], uint64(round*1000+i))
					submit(Write, i)
				}
				check(t, reapAll(t, q, len(data)))
				for i := range data {
					clear(data[i])
					submit(Read, i)
				}
				check(t, reapAll(t, q, len(data)))
				for i := range data {
					if got := binary.BigEndian.Uint64(data[i]); got != uint64(round*1000+i) {
						t.Errorf("slot %d holds %d in round %d", i, got, round)
						return
					}
				}
			}
		})
	}
	all.Wait()
}

func check(t *testing.T, results map[uint64]error) {
	for token, err := range results {
		if err != nil {
			t.Errorf("request %d: %v", token, err)
		}
	}
}

// TestStalledStores freezes a file system under some stores: their writes hang in the kernel, and those to another store
// go on. There are more hanging stores than the queue gives all of their depth.
func TestStalledStores(t *testing.T) { onEachQueue(t, testStalledStores) }

func testStalledStores(t *testing.T, newQueue queueMaker) {
	needRoot(t)
	for _, policy := range []Policy{Writeback, Direct} {
		t.Run(policy.String(), func(t *testing.T) { stallStores(t, newQueue(t), policy) })
	}
}

func stallStores(t *testing.T, q Queue, policy Policy) {
	const stalled, each = 20, 20
	_, dir := mounted(t, 16<<20)
	var stores []*Store
	for i := range stalled {
		sub := filepath.Join(dir, fmt.Sprint(i))
		if err := unix.Mkdir(sub, 0o700); err != nil {
			t.Fatal(err)
		}
		path, _ := image(t, sub, each*512)
		stores = append(stores, open(t, path, Options{Policy: policy}))
	}
	livePath, _ := image(t, "", 64<<10)
	live := open(t, livePath, Options{Policy: policy})

	run(t, "fsfreeze", "-f", dir)
	thaw := sync.OnceFunc(func() { run(t, "fsfreeze", "-u", dir) })
	t.Cleanup(thaw)
	data := buffers(t, 512)[:512]
	for i := range stalled * each {
		q.Submit(stores[i%stalled], Write, data, int64(i/stalled)*512, uint64(i))
	}
	page := buffers(t, 4096)
	for i := range 500 {
		q.Submit(live, Write, page, int64(i%16)*4096, uint64(100000+i))
		if err := reapAll(t, q, 1)[uint64(100000+i)]; err != nil {
			t.Fatal(err)
		}
	}
	lanes := threads(q)
	lanes.mu.Lock()
	if busy := lanes.running; busy < crowded || busy > crowded+stalled {
		t.Errorf("%d requests hang, want about %d", busy, crowded)
	}
	for s, l := range lanes.lanes {
		if s != live && (l.running == 0 || l.running > storeDepth || l.running+l.waiting.length != each) {
			t.Errorf("%s has %d requests running and %d waiting", s.Path(), l.running, l.waiting.length)
		}
	}
	lanes.mu.Unlock()

	thaw()
	results := reapAll(t, q, stalled*each)
	check(t, results)
	if len(results) != stalled*each {
		t.Errorf("%d of %d requests came back", len(results), stalled*each)
	}
}

// TestNoAllocations covers a Try that hits, a request that is refused, and the way through Submit, Wait and Reap.
func TestNoAllocations(t *testing.T) { onEachQueue(t, testNoAllocations) }

func testNoAllocations(t *testing.T, newQueue queueMaker) {
	path, _ := image(t, "", 64<<10)
	memoryPath, _ := image(t, tmpfsDir(t), 64<<10)
	q, file, memory := newQueue(t), open(t, path, Options{}), open(t, memoryPath, Options{})
	direct := open(t, loopDevice(t, path), Options{Policy: Direct})
	inParts := open(t, bigBlocks(t, path), Options{Policy: Direct})
	readOnlyPath, _ := image(t, "", 8192)
	readOnly := open(t, readOnlyPath, Options{Access: ReadOnly})
	data := buffers(t, 17*512)
	unaligned := data[1:]
	tokens, errs := make([]uint64, 16), make([]error, 16)

	depth16 := func(s *Store, op Op, data []byte) func() {
		return func() {
			for i := range 16 {
				part := data
				if op != Flush {
					part = data[i*512:][:512]
				}
				if op > Flush {
					q.SubmitRange(s, op, int64(i)*512, 512, uint64(i))
					continue
				}
				q.Submit(s, op, part, int64(i)*512, uint64(i))
			}
			for n := 0; n < 16; {
				if got := q.Reap(tokens, errs); got > 0 {
					n += got
				} else if err := q.Wait(-1, patience); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	try := func(s *Store, op Op, offset int64, want error) func() {
		return func() {
			if done, err := q.Try(s, op, data, offset); !done || err != want {
				t.Fatalf("Try: done %v, %v, want %v", done, err, want)
			}
		}
	}
	if err := do(t, q, file, Read, data, 0); err != nil { // into the page cache
		t.Fatal(err)
	}
	for name, f := range map[string]func(){
		"Try read":         try(file, Read, 0, nil),
		"Try tmpfs read":   try(memory, Read, 0, nil),
		"Try tmpfs write":  try(memory, Write, 0, nil),
		"refused range":    try(file, Write, 1<<40, ErrRange),
		"refused write":    try(readOnly, Write, 0, unix.EROFS),
		"submitted read":   depth16(file, Read, data),
		"submitted write":  depth16(file, Write, data),
		"direct read":      depth16(direct, Read, data),
		"direct write":     depth16(direct, Write, data),
		"direct with copy": depth16(direct, Read, unaligned),
		"read in parts":    depth16(inParts, Read, data),
		"write in parts":   depth16(inParts, Write, data),
		"submitted flush":  depth16(memory, Flush, nil),
		"submitted EROFS":  depth16(readOnly, Write, data),
		"submitted zeroes": depth16(direct, WriteZeroes, data),
		"discard":          depth16(memory, Discard, data),
	} {
		for range 50 {
			f() // until there are as many goroutines and requests as it takes
		}
		if n := testing.AllocsPerRun(200, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

// TestTryDoesNotWait asks for what is not cached, and for what must reach the device.
func TestTryDoesNotWait(t *testing.T) { onEachQueue(t, testTryDoesNotWait) }

func testTryDoesNotWait(t *testing.T, newQueue queueMaker) {
	file, _ := image(t, "", 1<<20)
	q, s := newQueue(t), open(t, loopDevice(t, file), Options{})
	data := make([]byte, 4096)
	if err := unix.Fadvise(s.fd, 0, 0, unix.FADV_RANDOM); err != nil {
		t.Fatal(err)
	}
	if done, _ := q.Try(s, Read, data, 512<<10); done {
		t.Error("Try read what was not in memory")
	}
	if err := do(t, q, s, Read, data, 512<<10); err != nil {
		t.Fatal(err)
	}
	if done, err := q.Try(s, Read, data, 512<<10); !done || err != nil {
		t.Errorf("Try of a cached read: done %v, %v", done, err)
	}
	for _, op := range []Op{WriteDurable, Flush} {
		if done, _ := q.Try(s, op, data, 0); done {
			t.Errorf("Try did op %d", op)
		}
	}
	for _, policy := range []Policy{Direct, Durable} {
		if err := s.SetPolicy(policy); err != nil {
			t.Fatal(err)
		}
		if done, _ := q.Try(s, Write, data, 0); done {
			t.Errorf("Try wrote with policy %v", policy)
		}
	}
	if s.SetPolicy(Direct) == nil {
		if done, _ := q.Try(s, Read, data, 512<<10); done {
			t.Error("Try read from the page cache with policy direct")
		}
	}
}

// TestLanesOfClosedStores does not keep every store there ever was.
func TestLanesOfClosedStores(t *testing.T) { onEachQueue(t, testLanesOfClosedStores) }

func testLanesOfClosedStores(t *testing.T, newQueue queueMaker) {
	path, _ := image(t, "", 512)
	q := newQueue(t)
	for range 500 {
		s := open(t, path, Options{})
		q.Submit(s, Read, make([]byte, 512), 0, 1)
		check(t, reapAll(t, q, 1))
		s.Close()
	}
	if n := len(threads(q).lanes); n > 100 {
		t.Errorf("%d lanes are kept for one store", n)
	}
}

func TestFifo(t *testing.T) {
	var f fifo
	requests := make([]request, 10)
	for i := range requests {
		requests[i].token = uint64(i)
		f.push(&requests[i])
	}
	some := f.take(4)
	if some.length != 4 || f.length != 6 {
		t.Fatalf("took %d and left %d", some.length, f.length)
	}
	rest := f.take(100)
	if rest.length != 6 || f.length != 0 || f.pop() != nil {
		t.Fatalf("took %d and left %d", rest.length, f.length)
	}
	for i := range requests {
		from := &some
		if i >= 4 {
			from = &rest
		}
		if r := from.pop(); r != &requests[i] {
			t.Fatalf("request %d is out of order", i)
		}
	}
}
