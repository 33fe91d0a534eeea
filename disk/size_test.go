package disk

import (
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

func itoa(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// TestOddTail reads a file that ends inside a sector.
func TestOddTail(t *testing.T) { onEachQueue(t, testOddTail) }

func testOddTail(t *testing.T, newQueue queueMaker) {
	path, content := image(t, "", 1024+188)
	q := newQueue(t)
	for policy := Writeback; policy <= Durable; policy++ {
		s := open(t, path, Options{Policy: policy})
		if s.SizeBytes() != 1024+188 {
			t.Fatalf("size is %d", s.SizeBytes())
		}
		data := make([]byte, 512)
		if err := do(t, q, s, Read, data, 512); err != nil {
			t.Fatal(err)
		}
		wantSame(t, data, content[512:1024])
		if err := do(t, q, s, Read, data, 1024); err != ErrShort {
			t.Errorf("%v: read over the end gives %v", policy, err)
		}
		for _, op := range []Op{Write, WriteDurable} {
			if err := do(t, q, s, op, data, 1024); err != ErrRange {
				t.Errorf("%v: write over the end gives %v", policy, err)
			}
		}
		s.Close()
	}
	wantFileSize(t, path, 1024+188)
}

func wantFileSize(t *testing.T, path string, want int64) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() != want {
		t.Errorf("file has %d bytes, want %d", info.Size(), want)
	}
}

// TestRange tries offsets that must reach no device.
func TestRange(t *testing.T) { onEachQueue(t, testRange) }

func testRange(t *testing.T, newQueue queueMaker) {
	path, _ := image(t, "", 8192)
	q, s := newQueue(t), open(t, path, Options{})
	data := make([]byte, 512)
	for _, offset := range []int64{-1, -512, -1 << 63, 8192, 7681, 1<<63 - 512, 1<<63 - 1} {
		for _, op := range []Op{Read, Write, WriteDurable} {
			if err := do(t, q, s, op, data, offset); err != ErrRange && err != ErrShort && err != unix.EINVAL {
				t.Errorf("op %d at %d gives %v", op, offset, err)
			}
		}
	}
	if err := do(t, q, s, Op(9), data, 0); err != unix.EINVAL {
		t.Errorf("unknown op gives %v", err)
	}
	if err := do(t, q, s, Write, nil, 0); err != nil {
		t.Errorf("empty write gives %v", err)
	}
	wantFileSize(t, path, 8192)
}

// TestTruncated shrinks a file under its store: an error in both directions, and no byte of the file comes back.
func TestTruncated(t *testing.T) { onEachQueue(t, testTruncated) }

func testTruncated(t *testing.T, newQueue queueMaker) {
	for _, place := range []string{"file", "tmpfs"} {
		for policy := Writeback; policy <= Durable; policy++ {
			t.Run(place+"/"+policy.String(), func(t *testing.T) {
				path, _ := places[place](t, 64<<10)
				q, s := newQueue(t), open(t, path, Options{Policy: policy})
				if err := os.Truncate(path, 4096+512); err != nil {
					t.Fatal(err)
				}
				data := make([]byte, 1024)
				for _, offset := range []int64{4096, 8192, 63 << 10} {
					for _, op := range []Op{Read, Write, WriteDurable} {
						if err := do(t, q, s, op, data, offset); err != ErrShort {
							t.Errorf("op %d at %d gives %v", op, offset, err)
						}
					}
				}
				wantFileSize(t, path, 4096+512)
				if n, err := s.Refresh(); n != 4096+512 || s.SizeBytes() != n || err != nil {
					t.Errorf("refreshed size is %d, %d, %v", n, s.SizeBytes(), err)
				}
			})
		}
	}
}

// TestGrown finds the new size of a file and of a device on it, and reaches the new end.
func TestGrown(t *testing.T) { onEachQueue(t, testGrown) }

func testGrown(t *testing.T, newQueue queueMaker) {
	path, _ := image(t, "", 64<<10)
	device := loopDevice(t, path)
	q, file, loop := newQueue(t), open(t, path, Options{}), open(t, device, Options{Policy: Direct})
	if err := os.Truncate(path, 128<<10); err != nil {
		t.Fatal(err)
	}
	run(t, "losetup", "-c", device)
	for _, s := range []*Store{file, loop} {
		if s.SizeBytes() != 64<<10 {
			t.Errorf("%s changed its size unasked", s.Path())
		}
		if n, err := s.Refresh(); n != 128<<10 || err != nil {
			t.Errorf("%s has now %d bytes, %v", s.Path(), n, err)
		}
		if err := do(t, q, s, Write, make([]byte, 512), 128<<10-512); err != nil {
			t.Errorf("%s: write at the new end: %v", s.Path(), err)
		}
	}
	if want := run(t, "blockdev", "--getsize64", device); want != strconv.FormatInt(loop.SizeBytes(), 10) {
		t.Errorf("%s has %d bytes, want %s", device, loop.SizeBytes(), want)
	}
}

// TestYankedLoop takes a loop device's medium away.
func TestYankedLoop(t *testing.T) { onEachQueue(t, testYankedLoop) }

func testYankedLoop(t *testing.T, newQueue queueMaker) {
	for name, yank := range map[string]func(t *testing.T, file, device string){
		"file emptied":                 func(t *testing.T, file, _ string) { truncate(t, file) },
		"file emptied, size refreshed": func(t *testing.T, file, dev string) { truncate(t, file); run(t, "losetup", "-c", dev) },
		"file emptied, detached":       func(t *testing.T, file, dev string) { truncate(t, file); run(t, "losetup", "-d", dev) },
	} {
		for policy := Writeback; policy <= Durable; policy++ {
			t.Run(name+"/"+policy.String(), func(t *testing.T) {
				file, _ := image(t, "", 64<<10)
				device := loopDevice(t, file)
				q, s := newQueue(t), open(t, device, Options{Policy: policy})
				yank(t, file, device)
				data := make([]byte, 4096)
				if err := do(t, q, s, Read, data, 8192); err == nil {
					t.Error("read of a missing medium succeeded")
				}
				// The loop driver grows its file again if it may; otherwise there must be an error.
				err := do(t, q, s, WriteDurable, data, 8192)
				if info, _ := os.Stat(file); err == nil && info.Size() == 0 {
					t.Error("write to a missing medium succeeded")
				}
				if _, err := s.Refresh(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func truncate(t *testing.T, file string) {
	t.Helper()
	if err := os.Truncate(file, 0); err != nil {
		t.Fatal(err)
	}
}

// TestFullFileSystem writes to a file that has a size but no room.
func TestFullFileSystem(t *testing.T) { onEachQueue(t, testFullFileSystem) }

func testFullFileSystem(t *testing.T, newQueue queueMaker) {
	needRoot(t)
	dir := t.TempDir()
	mount(t, dir, "-t", "tmpfs", "-o", "size=64k", "tmpfs")
	path := dir + "/image"
	if os.WriteFile(path, nil, 0o600) != nil || os.Truncate(path, 1<<20) != nil {
		t.Fatal("cannot make the file")
	}
	q, s := newQueue(t), open(t, path, Options{})
	var err error
	for offset := int64(0); err == nil && offset < 1<<20; offset += 4096 {
		err = do(t, q, s, Write, randomBytes(4096), offset)
	}
	if err != unix.ENOSPC {
		t.Errorf("error is %v, want ENOSPC", err)
	}
	s.Close()
}

// TestLargeOffset reaches beyond what fits 32 bits, inline and submitted.
func TestLargeOffset(t *testing.T) { onEachQueue(t, testLargeOffset) }

func testLargeOffset(t *testing.T, newQueue queueMaker) {
	const at = 5<<30 + 512
	path, _ := image(t, tmpfsDir(t), 512)
	if err := os.Truncate(path, at+4096); err != nil {
		t.Fatal(err)
	}
	q, s := newQueue(t), open(t, path, Options{})
	want, got := randomBytes(4096), make([]byte, 4096)
	for _, op := range []Op{Write, WriteDurable} {
		want[0]++
		if err := do(t, q, s, op, want, at); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.ReadAt(got, at); err != nil {
			t.Fatal(err)
		}
		f.Close()
		wantSame(t, got, want)
		clear(got)
		if err := do(t, q, s, Read, got, at); err != nil {
			t.Fatal(err)
		}
		wantSame(t, got, want)
	}
}
