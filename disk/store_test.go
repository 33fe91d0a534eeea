package disk

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// places are the kinds of store that every policy must work on.
var places = map[string]func(t testing.TB, sizeBytes int) (path string, content []byte){
	"file":  func(t testing.TB, n int) (string, []byte) { return image(t, "", n) },
	"tmpfs": func(t testing.TB, n int) (string, []byte) { return image(t, tmpfsDir(t), n) },
	"loop": func(t testing.TB, n int) (string, []byte) {
		file, content := image(t, "", n)
		return loopDevice(t, file), content
	},
	"loop with 4096-byte blocks": func(t testing.TB, n int) (string, []byte) {
		file, content := image(t, "", n)
		return loopDevice(t, file, "--sector-size", "4096"), content
	},
}

// TestTransfer reads and writes with each policy on each kind of store, with aligned and unaligned memory, and compares
// with what the system sees through another descriptor.
func TestTransfer(t *testing.T) { onEachQueue(t, testTransfer) }

func testTransfer(t *testing.T, newQueue queueMaker) {
	for place, make := range places {
		for policy := Writeback; policy <= Durable; policy++ {
			t.Run(place+"/"+policy.String(), func(t *testing.T) {
				path, content := make(t, 256<<10)
				q := newQueue(t)
				s := open(t, path, Options{Policy: policy})
				if s.SizeBytes() != int64(len(content)) {
					t.Fatalf("size is %d, want %d", s.SizeBytes(), len(content))
				}
				transfer(t, q, s, content)
				got, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				wantSame(t, got, content)
			})
		}
	}
}

// transfer does reads and writes of many shapes and applies the writes to content too.
func transfer(t *testing.T, q Queue, s *Store, content []byte) {
	memory, err := AllocBuffers(64 << 10)
	if err != nil {
		t.Fatal(err)
	}
	defer FreeBuffers(memory)
	for _, shape := range []struct{ skew, offset, length int }{
		{0, 0, 4096}, {0, 512, 512}, {1, 4096, 8192}, {14, 1024, 1024}, {3, 65536, 17408}, {0, len(content) - 512, 512},
	} {
		data := memory[shape.skew:][:shape.length]
		part := content[shape.offset:][:shape.length]
		for _, op := range []Op{Write, WriteDurable} {
			copy(data, randomBytes(len(data)))
			if err := do(t, q, s, op, data, int64(shape.offset)); err != nil {
				t.Fatalf("write %+v: %v", shape, err)
			}
			copy(part, data)
			clear(data)
			if err := do(t, q, s, Read, data, int64(shape.offset)); err != nil {
				t.Fatalf("read %+v: %v", shape, err)
			}
			wantSame(t, data, part)
		}
	}
	if err := do(t, q, s, Flush, nil, 0); err != nil {
		t.Fatalf("flush: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	fifo, empty, short, link := filepath.Join(dir, "fifo"), filepath.Join(dir, "empty"), filepath.Join(dir, "short"),
		filepath.Join(dir, "link")
	for _, err := range []error{
		unix.Mkfifo(fifo, 0o600), os.WriteFile(empty, nil, 0o600), os.WriteFile(short, randomBytes(511), 0o600),
		os.Symlink("link", link),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		path string
		want unix.Errno
	}{
		"directory":         {dir, unix.EISDIR},
		"FIFO":              {fifo, unix.ENOTBLK},
		"character device":  {"/dev/null", unix.ENOTBLK},
		"missing":           {filepath.Join(dir, "missing"), unix.ENOENT},
		"empty path":        {"", unix.ENOENT},
		"file as directory": {filepath.Join(empty, "x"), unix.ENOTDIR},
		"link to itself":    {link, unix.ELOOP},
		"empty":             {empty, unix.ENXIO},
		"511 bytes":         {short, unix.ENXIO},
	} {
		t.Run(name, func(t *testing.T) {
			for _, access := range []Access{ReadWrite, ReadOnly, Auto} {
				s, err := Open(c.path, Options{Access: access})
				if s != nil {
					t.Error("there is a store besides the error")
				}
				wantErrno(t, err, c.want)
			}
		})
	}
}
