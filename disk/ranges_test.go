package disk

import (
	"bytes"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// ramfsDir is a directory on a file system that has no fallocate(2).
func ramfsDir(t testing.TB) string {
	t.Helper()
	needRoot(t)
	dir := t.TempDir()
	mount(t, dir, "-t", "ramfs", "ramfs")
	return dir
}

// doRange carries out one operation without data.
func doRange(t testing.TB, q Queue, s *Store, op Op, offset, length int64) error {
	t.Helper()
	q.SubmitRange(s, op, offset, length, 9)
	return reapAll(t, q, 1)[9]
}

// rangePlaces are stores that can do all, some, and none of it.
var rangePlaces = map[string]func(t testing.TB, sizeBytes int) (path string, content []byte){
	"ramfs": func(t testing.TB, n int) (string, []byte) { return image(t, ramfsDir(t), n) },
	"loop on ramfs": func(t testing.TB, n int) (string, []byte) {
		file, content := image(t, ramfsDir(t), n)
		return loopDevice(t, file), content
	},
	"file on big blocks": func(t testing.TB, n int) (string, []byte) { return image(t, bigBlockDir(t), n) },
}

// TestRanges zeroes and discards ranges among writes that leave dirty pages, and compares with a model.
func TestRanges(t *testing.T) { onEachQueue(t, testRanges) }

func testRanges(t *testing.T, newQueue queueMaker) {
	for _, some := range []map[string]func(t testing.TB, sizeBytes int) (string, []byte){places, rangePlaces} {
		for place, make := range some {
			for policy := Writeback; policy <= Durable; policy++ {
				t.Run(place+"/"+policy.String(), func(t *testing.T) {
					path, model := make(t, 256<<10)
					rangesOf(t, newQueue(t), open(t, path, Options{Policy: policy}), model, !strings.Contains(place, "ramfs"))
				})
			}
		}
	}
}

// rangesOf is TestRanges on one store; discards says whether it has an operation for them.
func rangesOf(t *testing.T, q Queue, s *Store, model []byte, discards bool) {
	sectors, memory := len(model)/512, buffers(t, len(model))
	for i := range 60 {
		from := rand.IntN(sectors)
		to := min(from+1+rand.IntN(64), sectors)
		offset, held := int64(from)*512, model[from*512:to*512]
		data := memory[:len(held)]
		var err error
		switch i % 4 {
		case 0:
			copy(data, randomBytes(len(data)))
			copy(held, data)
			err = do(t, q, s, Write, data, offset)
		case 1:
			clear(held)
			err = doRange(t, q, s, WriteZeroes, offset, int64(len(held)))
		case 2:
			err = doRange(t, q, s, Discard, offset, int64(len(held)))
			check(t, map[uint64]error{0: do(t, q, s, Read, data, offset)})
			takeDiscarded(t, data, held, offset, discards)
		case 3:
			clear(held)
			err = doRange(t, q, s, Punch, offset, int64(len(held)))
		}
		if err != nil {
			t.Fatalf("step %d, sectors %d to %d: %v", i, from, to, err)
		}
		check(t, map[uint64]error{0: do(t, q, s, Read, memory, 0)})
		wantSame(t, memory, model)
	}
	if n, err := s.Refresh(); n != int64(len(model)) || err != nil {
		t.Errorf("it has %d bytes now, want %d; %v", n, len(model), err)
	}
}

// takeDiscarded checks what a discarded range holds, and makes it what the model holds: of each sector the old contents or
// zeros, and of whole blocks of 4 KiB zeros where there is discard.
func takeDiscarded(t *testing.T, got, held []byte, offset int64, discards bool) {
	t.Helper()
	empty := make([]byte, 512)
	for at := 0; at < len(got); at += 512 {
		block := (offset + int64(at)) &^ 4095
		whole := block >= offset && block+4096 <= offset+int64(len(got))
		sector := got[at:][:512]
		zero, old := bytes.Equal(sector, empty), bytes.Equal(sector, held[at:][:512])
		if !zero && (!old || whole && discards) {
			t.Fatalf("a discarded sector at %d is neither old nor zero, or should be zero", offset+int64(at))
		}
	}
	copy(held, got)
}

// TestRangesGiveBack looks at the blocks of a file, by itself and under a loop device.
func TestRangesGiveBack(t *testing.T) {
	for _, place := range []string{"file", "tmpfs", "loop"} {
		file, _ := image(t, map[string]string{"tmpfs": tmpfsDir(t)}[place], 1<<20)
		path := file
		if place == "loop" {
			path = loopDevice(t, file)
		}
		run(t, "sync", file)
		blocks := func() int64 {
			var st unix.Stat_t
			if err := unix.Stat(file, &st); err != nil {
				t.Fatal(err)
			}
			return st.Blocks
		}
		q, s := made(t, func() (Queue, error) { return NewSync() }), open(t, path, Options{})
		full := blocks()
		check(t, map[uint64]error{0: doRange(t, q, s, Discard, 256<<10, 512<<10)})
		if now := blocks(); full-now != 1024 {
			t.Errorf("%s: %d sectors were given back, want 1024", place, full-now)
		}
	}
}

// TestRangesRefused asks for what must not be done.
func TestRangesRefused(t *testing.T) { onEachQueue(t, testRangesRefused) }

func testRangesRefused(t *testing.T, newQueue queueMaker) {
	path, content := image(t, "", 64<<10)
	q, s := newQueue(t), open(t, path, Options{})
	readOnlyPath, _ := image(t, "", 8192)
	readOnly := open(t, readOnlyPath, Options{Access: ReadOnly})
	for _, c := range []struct {
		s              *Store
		op             Op
		offset, length int64
		want           error
	}{
		{s, WriteZeroes, -512, 512, ErrRange},
		{s, WriteZeroes, 512, -512, ErrRange},
		{s, Discard, 64 << 10, 1, ErrRange},
		{s, Discard, 1<<63 - 1, 1<<63 - 1, ErrRange},
		{s, WriteZeroes, 0, 64<<10 + 1, ErrRange},
		{s, WriteZeroes, 64 << 10, 0, nil},
		{s, Write, 0, 512, unix.EINVAL},
		{s, Punch + 1, 0, 512, unix.EINVAL},
		{readOnly, WriteZeroes, 0, 512, unix.EROFS},
		{readOnly, Discard, 0, 512, unix.EROFS},
		{readOnly, Punch, 0, 512, unix.EROFS},
	} {
		if err := doRange(t, q, c.s, c.op, c.offset, c.length); err != c.want {
			t.Errorf("op %d of %d bytes at %d: %v, want %v", c.op, c.length, c.offset, err, c.want)
		}
	}
	for _, op := range []Op{Discard, WriteZeroes, Punch} {
		if err := do(t, q, s, op, content[:512], 0); err != unix.EINVAL {
			t.Errorf("op %d with data: %v", op, err)
		}
	}
	if err := os.Truncate(path, 32<<10); err != nil {
		t.Fatal(err)
	}
	if err := doRange(t, q, s, WriteZeroes, 16<<10, 32<<10); err != ErrShort {
		t.Errorf("over the end of a truncated file: %v", err)
	}
	wantFileSize(t, path, 32<<10)
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, got, content[:32<<10])
}

// TestRangesReachDevice looks at whether the device was flushed before a range operation finished.
func TestRangesReachDevice(t *testing.T) {
	device, dir := mounted(t, 16<<20)
	file, _ := image(t, dir, 1<<20)
	blockFile, _ := image(t, "", 1<<20)
	block := loopDevice(t, blockFile)
	for _, c := range []struct {
		path, device string
		policy       Policy
		op           Op
		flushed      bool
	}{
		{block, block, Writeback, WriteZeroes, false},
		{block, block, Direct, WriteZeroes, false},
		{block, block, Durable, WriteZeroes, true},
		{block, block, Direct, Discard, false},
		{block, block, Durable, Discard, true},
		{file, device, Direct, WriteZeroes, true},
		{file, device, Durable, WriteZeroes, true},
		{file, device, Durable, Discard, true},
		{file, device, Direct, Punch, true},
		{file, device, Durable, Punch, true},
	} {
		run(t, "sync", file)
		q, s := made(t, func() (Queue, error) { return NewSync() }), open(t, c.path, Options{Policy: c.policy})
		_, before := deviceCounts(t, c.device)
		check(t, map[uint64]error{0: doRange(t, q, s, c.op, 4096, 64<<10)})
		if _, after := deviceCounts(t, c.device); (after > before) != c.flushed {
			t.Errorf("%s, %v, op %d: the device was flushed %d times, want that: %v", c.path, c.policy, c.op, after-before, c.flushed)
		}
		s.Close()
	}
}
