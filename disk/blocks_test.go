package disk

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// bigBlocks is a loop device that takes whole blocks of 4 KiB only.
func bigBlocks(t testing.TB, file string) (device string) {
	t.Helper()
	return loopDevice(t, file, "--sector-size", "4096")
}

// TestPartsOfBlocks transfers any number of sectors at any sector, and compares with a model.
func TestPartsOfBlocks(t *testing.T) { onEachQueue(t, testPartsOfBlocks) }

func testPartsOfBlocks(t *testing.T, newQueue queueMaker) {
	for place, make := range map[string]func(t *testing.T) (path string, model []byte){
		"device": func(t *testing.T) (string, []byte) {
			file, model := image(t, "", 96<<10)
			return bigBlocks(t, file), model
		},
		"file with an incomplete block": func(t *testing.T) (string, []byte) { return image(t, bigBlockDir(t), 8*4096+1536) },
		"file of less than a block":     func(t *testing.T) (string, []byte) { return image(t, bigBlockDir(t), 1536) },
	} {
		t.Run(place, func(t *testing.T) {
			path, model := make(t)
			q, s := newQueue(t), open(t, path, Options{Policy: Direct})
			if s.Note() != "" || s.offsetAlign != 4096 {
				t.Fatalf("blocks have %d bytes; note %q", s.offsetAlign, s.Note())
			}
			sectors, memory := len(model)/512, buffers(t, len(model)+512)
			for i := range 300 {
				from := rand.IntN(sectors)
				to := min(from+1+rand.IntN(20), sectors)
				data, held := memory[i%2*8:][:(to-from)*512], model[from*512:to*512]
				op := []Op{Read, Write, WriteDurable}[i%3]
				if op != Read {
					copy(data, randomBytes(len(data)))
					copy(held, data)
				}
				if err := do(t, q, s, op, data, int64(from)*512); err != nil {
					t.Fatalf("op %d of sectors %d to %d: %v", op, from, to, err)
				}
				wantSame(t, data, held)
			}
			if err := do(t, q, s, Read, memory[:len(model)], 0); err != nil {
				t.Fatal(err)
			}
			wantSame(t, memory[:len(model)], model)
			if n, err := s.Refresh(); n != int64(len(model)) || err != nil {
				t.Errorf("it has %d bytes now, want %d; %v", n, len(model), err)
			}
			for _, offset := range []int64{1<<63 - 1024, 1<<63 - 512, -512} {
				if err := do(t, q, s, Read, memory[:512], offset); err == nil {
					t.Errorf("read at %d succeeded", offset)
				}
			}
		})
	}
}

// bigBlockDir is a directory on an ext4 on a device with blocks of 4 KiB.
func bigBlockDir(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ext4")
	if os.WriteFile(file, nil, 0o600) != nil || os.Truncate(file, 16<<20) != nil {
		t.Fatal("cannot make the file")
	}
	device, dir := bigBlocks(t, file), t.TempDir()
	run(t, "mkfs.ext4", "-q", "-F", device)
	mount(t, dir, device)
	return dir
}

// TestNeighboursInBlocks has workers with queues of their own write to their own sectors, in requests that share blocks
// with those of others. Each reads back what it wrote, and all of it is there in the end.
func TestNeighboursInBlocks(t *testing.T) { onEachQueue(t, testNeighboursInBlocks) }

func testNeighboursInBlocks(t *testing.T, newQueue queueMaker) {
	const workers, sectors, inFlight, rounds = 8, 75, 3, 40 // 75 blocks: more than there are locks
	file, model := image(t, "", workers*sectors*512)
	model = append(model, randomBytes(-len(model)&4095)...)
	if err := os.WriteFile(file, model, 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, bigBlocks(t, file), Options{Policy: Direct})
	var all sync.WaitGroup
	for worker := range workers {
		q := newQueue(t)
		all.Go(func() {
			mine := model[worker*sectors*512:][:sectors*512]
			data := buffers(t, len(mine))[:len(mine)]
			for range rounds {
				at, n := 0, 0
				for ; n < inFlight && at < sectors; n++ {
					end := min(at+1+rand.IntN(25), sectors)
					part := data[at*512 : end*512]
					copy(part, randomBytes(len(part)))
					copy(mine[at*512:], part)
					q.Submit(s, Write, part, int64(worker*sectors+at)*512, uint64(n))
					at = end
				}
				check(t, reapAll(t, q, n))
				clear(data)
				q.Submit(s, Read, data, int64(worker*sectors)*512, 0)
				check(t, reapAll(t, q, 1))
				if !bytes.Equal(data, mine) {
					t.Errorf("worker %d does not read what it wrote", worker)
					return
				}
			}
		})
	}
	all.Wait()
	got := buffers(t, len(model))[:len(model)]
	check(t, map[uint64]error{0: do(t, newQueue(t), s, Read, got, 0)})
	wantSame(t, got, model)
}
