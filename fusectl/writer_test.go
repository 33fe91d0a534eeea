package fusectl

import (
	"cmp"
	"errors"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"vbladefs/compat/text"
	"vbladefs/target"
)

// recorder is an engine that carries nothing out.
type recorder struct {
	Engine
	done int
}

func (r *recorder) Do(target.Operation) error { r.done++; return nil }

// recording returns a writer whose file takes any line without "bad" in it, and
// the lines that it parsed.
func recording(f file) (*writer, *[]string) {
	log := logrus.New()
	log.SetOutput(io.Discard)
	log.SetLevel(logrus.PanicLevel)
	var lines []string
	f.parse = func(_ *tree, _ subject, line, _ string) (target.Operation, error) {
		lines = append(lines, line)
		if strings.Contains(line, "bad") {
			return nil, text.Malformed("line %q", line)
		}
		return target.Announce{}, nil
	}
	return &writer{tree: &tree{engine: &recorder{}, log: log}, file: &f}, &lines
}

func TestWriter(t *testing.T) {
	page := strings.Repeat("x", 4000) + "\n" + strings.Repeat("y", 95) // 4096 bytes
	type result struct {
		n     int
		errno syscall.Errno
	}
	tests := []struct {
		name   string
		file   file
		writes []string
		want   []result
		flush  syscall.Errno
		lines  []string
	}{
		{"a line", file{}, []string{"a\n"}, []result{{2, 0}}, 0, []string{"a"}},
		{"without newline, at once", file{}, []string{"ab"}, []result{{2, 0}}, 0, []string{"ab"}},
		{"its newline later", file{}, []string{"ab", "\n", "cd\n"}, []result{{2, 0}, {1, 0}, {3, 0}}, 0, []string{"ab", "cd"}},
		{"its newline before the next", file{}, []string{"ab", "\ncd\n"}, []result{{2, 0}, {4, 0}}, 0, []string{"ab", "cd"}},
		{"bad", file{}, []string{"bad\n"}, []result{{0, unix.EINVAL}}, 0, []string{"bad"}},
		{"second bad: tried once", file{}, []string{"a\nbad\nc\n", "bad\nc\n"}, []result{{2, 0}, {0, unix.EINVAL}}, 0, []string{"a", "bad"}},
		{"second bad, something else then", file{}, []string{"a\nbad\n", "c\n"}, []result{{2, 0}, {2, 0}}, 0, []string{"a", "bad", "c"}},
		{"cut by a small buffer", file{}, []string{"a\n/dev/sda", "1\n"}, []result{{10, 0}, {2, 0}}, 0, []string{"a", "/dev/sda1"}},
		{"byte by byte", file{}, []string{"a", "b", "\n", "c", "d"}, []result{{1, 0}, {1, 0}, {1, 0}, {1, 0}, {1, 0}}, 0, []string{"ab", "cd"}},
		{"byte by byte, bad at the end", file{}, []string{"b", "a", "d"}, []result{{1, 0}, {1, 0}, {1, 0}}, unix.EINVAL, []string{"bad"}},
		{"a full page is cut", file{}, []string{page, "z\n"}, []result{{4096, 0}, {2, 0}}, 0, []string{page[:4000], page[4001:] + "z"}},
		{"many lines are cut", file{}, []string{page[1000:], "z\n"}, []result{{3096, 0}, {2, 0}}, 0, []string{page[1000:4000], page[4001:] + "z"}},
		{"a page, closed", file{}, []string{page}, []result{{4096, 0}}, 0, []string{page[:4000], page[4001:]}},
		{"tail then bad", file{}, []string{page, "bad\nc\n"}, []result{{4096, 0}, {0, unix.EINVAL}}, 0, []string{page[:4000], page[4001:] + "bad"}},
		{"tail, good, bad", file{}, []string{page, "z\nbad\n", "bad\n"}, []result{{4096, 0}, {2, 0}, {0, unix.EINVAL}}, 0,
			[]string{page[:4000], page[4001:] + "z", "bad"}},
		{"too much at once", file{maxWrite: 4096}, []string{page + "z"}, []result{{0, unix.E2BIG}}, 0, nil},
		{"a line too long", file{}, []string{"a\n" + strings.Repeat("x", text.MaxLine+1) + "\n"}, []result{{2, 0}}, 0, []string{"a"}},
		{"tail too long", file{}, []string{strings.Repeat("x", 8192)}, []result{{0, unix.E2BIG}}, 0, nil},
		{"nothing but blanks", file{split: text.Commands}, []string{"\n\n"}, []result{{2, 0}}, 0, []string{"\n\n"}},
		{"blanks before a cut line", file{split: text.Commands}, []string{"\n" + page[4001:] + strings.Repeat("y", 4000), "z\n"},
			[]result{{4096, 0}, {2, 0}}, 0, []string{strings.Repeat("y", 4095) + "z"}},
		{"value in parts", file{value: true}, []string{"a", "b\n", "c"}, []result{{1, 0}, {2, 0}, {1, 0}}, 0, []string{"a", "ab\n", "c"}},
		{"value refused", file{value: true}, []string{"bad", "c"}, []result{{0, unix.EINVAL}, {1, 0}}, 0, []string{"bad", "c"}},
		{"value byte by byte", file{value: true}, []string{"b", "a", "d"}, []result{{1, 0}, {1, 0}, {1, 0}}, unix.EINVAL, []string{"b", "ba", "bad", "bad"}},
		{"value of any length", file{value: true}, []string{strings.Repeat("x", 9000)}, []result{{9000, 0}}, 0,
			[]string{strings.Repeat("x", text.MaxLine)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, lines := recording(tt.file)
			for i, data := range tt.writes {
				if n, errno := w.write(data, self()); (result{n, errno}) != tt.want[i] {
					t.Errorf("write %d: got %d, %s; want %d, %s", i, n, errnoName(errno), tt.want[i].n, errnoName(tt.want[i].errno))
				}
			}
			if errno := w.flush(self()); errno != tt.flush {
				t.Errorf("close: got %s, want %s", errnoName(errno), errnoName(tt.flush))
			}
			if errno := w.release(); errno != 0 {
				t.Errorf("last close: got %s", errnoName(errno))
			}
			if !slices.Equal(*lines, tt.lines) {
				t.Errorf("got lines %q, want %q", *lines, tt.lines)
			}
		})
	}
}

// TestUnfinished closes copies of the descriptor while a line is unfinished.
func TestUnfinished(t *testing.T) {
	const half = "del 1"
	block := strings.Repeat("a\n", 2046)[1:] + half // 4096 bytes
	large := strings.Repeat("a\n", (maxFUSEWrite-pageSize)/2) + half
	stranger := caller(os.Getppid())
	tests := []struct {
		name   string
		write  string
		by, at caller // who writes, and who closes
		apply  bool
	}{
		{"a block, its writer", block, self(), self(), false},
		{"a block, a child", block, self(), stranger, false},
		{"nearly what FUSE takes at once", large, self(), self(), false},
		{"a buffer of another size, its writer", "a\ndel 1", self(), self(), true},
		{"a buffer of another size, a child", "a\ndel 1", self(), stranger, false},
		{"a byte, its writer", "1", self(), self(), true},
		{"a byte, a child", "1", self(), stranger, false},
		{"by nobody we know", "a\ndel 1", 0, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, lines := recording(file{})
			if n, errno := w.write(tt.write, tt.by); n != len(tt.write) || errno != 0 {
				t.Fatalf("write: got %d, %s", n, errnoName(errno))
			}
			before := len(*lines)
			if errno := w.flush(tt.at); errno != 0 || (len(*lines) > before) != tt.apply {
				t.Errorf("close: got %s and %q", errnoName(errno), *lines)
			}
			if errno := w.release(); errno != 0 || len(*lines) != before+1 {
				t.Errorf("last close: got %s and %q", errnoName(errno), *lines)
			}
		})
	}
	w, lines := recording(file{})
	w.write(block, self())
	w.flush(stranger)
	if n, errno := w.write("2 eth0\n", self()); n != 7 || errno != 0 || (*lines)[len(*lines)-1] != half+"2 eth0" {
		t.Errorf("the rest: got %d, %s and %q", n, errnoName(errno), *lines)
	}
}

// TestCaller asks for the process of another thread than the first.
func TestCaller(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []caller{self(), caller(unix.Gettid())} {
		if got := c.process(); got != os.Getpid() || c.folder() != folder {
			t.Errorf("%d: process %d in %q", c, got, c.folder())
		}
	}
	for _, c := range []caller{0, 1<<32 - 1} {
		if c.process() != 0 || c.folder() != "" {
			t.Errorf("%d: process %d in %q", c, c.process(), c.folder())
		}
	}
}

// self is this process as a caller.
func self() caller { return caller(os.Getpid()) }

// pour writes data in pieces as a careful program does, and closes.
func pour(w *writer, data string, piece int) error {
	for data != "" {
		n, errno := w.write(data[:min(piece, len(data))], self())
		if errno != 0 {
			return errno
		}
		if n <= 0 || n > len(data) {
			return errors.New("nothing taken, or too much")
		}
		data = data[n:]
	}
	if errno := cmp.Or(w.flush(self()), w.release()); errno != 0 {
		return errno
	}
	return nil
}

// commandsOf leaves out empty lines, which do nothing: one that begins a write
// goes unnoticed when more follows it.
func commandsOf(lines []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return l == "" })
}

// FuzzWriter checks that it does not matter in what buffers a text is written.
func FuzzWriter(f *testing.F) {
	f.Add("add a b\nadd c d\n")
	f.Add("a\n\n# b\nbad\nc")
	f.Add(strings.Repeat("0 0 eth0 /dev/loop0\n", 500))
	f.Fuzz(func(t *testing.T, data string) {
		if len(data) > 8<<10 {
			t.Skip("long enough for every buffer")
		}
		whole, want := recording(file{})
		wantErr := pour(whole, data, 1<<20)
		for _, piece := range []int{1, 4096, 8192} {
			w, got := recording(file{})
			err := pour(w, data, piece)
			if !slices.Equal(commandsOf(*got), commandsOf(*want)) || (err == nil) != (wantErr == nil) {
				t.Errorf("%q by %d: got %q, %v; want %q, %v", data, piece, *got, err, *want, wantErr)
			}
		}
		pour(whole, data, 7)
		commands, _ := recording(file{split: text.Commands})
		pour(commands, data, 5000)
	})
}
