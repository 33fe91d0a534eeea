package fusectl

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"vbladefs/compat/text"
	"vbladefs/target"
)

// refusalLine is what the manual promises of a refusal in the log: time, file,
// line, ellipsis, column, errno, reason, what was expected.
var refusalLine = regexp.MustCompile(`^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) warning (\S+): refused ("(?:[^"\\]|\\.)*")(…?)(?: at column (-?\d+))?: ([A-Z0-9]+): (.+?)[:;,]? (?:want|takes) (.+)$`)

// TestRefusalLine: every part is there, whatever was written.
func TestRefusalLine(t *testing.T) {
	grammar := []string{"add NAME PATH", "del NAME"}
	long := strings.Repeat("\xff", 5000)
	for _, tt := range []struct {
		name, line string
		takes      []string
		err        error
		column     string
		errno      string
		expected   string
	}{
		{"a bad word", "ad x", grammar, text.Word{Text: "ad", Column: 1}.Malformed(`command "ad": want add`), "1", "EINVAL", "add"},
		{"a wrapped place", "x", grammar, fmt.Errorf("%w; more", text.At{Column: 7, Err: target.ErrNoDrive}), "7", "ENOENT", "add NAME PATH, or del NAME"},
		{"no place", `a "b" \`, grammar, target.ErrInUse, "", "EBUSY", "add NAME PATH, or del NAME"},
		{"too much", long, grammar, tooLong(long), "", "E2BIG", "at most 4352"},
		{"a device", "x", grammar, fmt.Errorf("%w: %w", target.ErrStore, unix.EBUSY), "", "EBUSY", "add NAME PATH, or del NAME"},
		{"a long reason", "x", grammar, fmt.Errorf("%w: /%s: missing", target.ErrNoDrive, long), "", "ENOENT", "add NAME PATH, or del NAME"},
		{"two lines", "a\nb\n", grammar, target.ErrNoDrive, "", "ENOENT", "add NAME PATH, or del NAME"},
		{"an opening", "", nil, errUnwritable, "", "EIO", "nothing"},
		{"controls and quotes", "\x00\x1b\"; want x", grammar, target.ErrNoDrive, "", "ENOENT", "add NAME PATH, or del NAME"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log, events := newLogger()
			w := &writer{tree: &tree{log: log}, path: "vblade/drives", file: &file{takes: tt.takes}}
			w.refuse(tt.line, tt.err)
			got, _ := events.snapshot()
			line, rest, _ := strings.Cut(string(got), "\n")
			m := refusalLine.FindStringSubmatch(line)
			if m == nil || rest != "" {
				t.Fatalf("got %q", got)
			}
			shown, err := strconv.Unquote(m[3])
			whole := strings.TrimSuffix(tt.line, "\n")
			if err != nil || m[4] == "" && shown != whole || m[4] != "" && (!strings.HasPrefix(whole, shown) || shown == whole) {
				t.Errorf("line: %q, %v", shown, err)
			}
			if m[2] != "vblade/drives" || m[5] != tt.column || m[6] != tt.errno || m[8] != tt.expected {
				t.Errorf("file %q, column %q, errno %q, expected %q in %s", m[2], m[5], m[6], m[8], line)
			}
		})
	}
}

func TestShortened(t *testing.T) {
	for in, want := range map[string]string{"": "", "0123456789": "0123456789", "0123456789a": "01234…6789a", "0123éé6789a": "0123…6789a"} {
		if got := shortened(in, 10); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// TestTableTeaches parses an example of each command that the table shows, the
// shortest and the longest, and something that no command is: the parser takes
// the ones, and of the other says the grammar that the table shows.
func TestTableTeaches(t *testing.T) {
	n := 0
	everyFile(root(), "", func(path string, f *file) {
		if !f.writable() || f.value || f.transaction {
			return
		}
		var taken []string
		for _, grammar := range f.takes {
			n++
			short, long := examples(grammar)
			for _, line := range []string{short, long} {
				if op, err := f.parse(nil, subject{drive: "do"}, line, "/"); op == nil || err != nil {
					t.Errorf("%s takes %q, but of %q says %v", path, grammar, line, err)
				}
			}
			taken = append(taken, grammar)
		}
		_, err := f.parse(nil, subject{drive: "do"}, "?", "/")
		var at text.At
		if want := "want " + text.Either(taken); err == nil || !strings.HasSuffix(err.Error(), want) || !errors.As(err, &at) {
			t.Errorf("%s says %v, want a place and %q", path, err, want)
		}
	})
	if n < 10 {
		t.Errorf("the table has only %d commands", n)
	}
}

func everyFile(d *dir, prefix string, do func(path string, f *file)) {
	for _, f := range d.files {
		do(prefix+f.name, f)
	}
	for _, sub := range d.dirs {
		everyFile(sub, prefix+sub.name+"/", do)
	}
}

// examples are lines that a grammar takes: without what may be left out, and
// with all of it.
func examples(grammar string) (short, long string) {
	values := map[string]string{"SHELF": "1", "SLOT": "2", "INTERFACE": "eth0", "ADDRESS": "e1.2", "PATH": "/dev/loop0", "DEVICE": "/dev/loop0",
		"MAC": "00:01:02:03:04:05", "MAC...": "00:01:02:03:04:05 00:01:02:03:04:06", "NAME": "do", "DRIVE": "do", "BUFFERS": "16", "SECTORS": "2", "BYTES": "1M",
		"...": "more words", "POLICY": "accept", "MTU": "1500", "ROW...": "accept 00:01:02:03:04:05 reject 00:01:02:03:04:06", "e0.1": "e1.2"}
	depth := 0
	for _, token := range strings.Fields(grammar) {
		depth += strings.Count(token, "[")
		word := strings.Trim(token, "[]")
		if value, ok := values[word]; ok {
			word = value
		}
		if flag, value, valued := strings.Cut(word, "="); valued {
			word = flag + "=" + values[value]
		}
		word, _, _ = strings.Cut(word, "|")
		if long += " " + word; depth == 0 {
			short += " " + word
		}
		depth -= strings.Count(token, "]")
	}
	return short[1:], long[1:]
}

// TestRetryLeavesOneLine: what a library writes again because it failed is
// logged once; the same mistake made again is not taken for that.
func TestRetryLeavesOneLine(t *testing.T) {
	w, _ := recording(file{})
	events := NewEvents()
	w.tree.log.SetLevel(logrus.WarnLevel)
	w.tree.log.AddHook(events)
	count := func() int {
		text, _ := events.snapshot()
		return strings.Count(string(text), "refused")
	}
	for i, step := range []struct {
		data string
		want int
	}{{"bad\n", 1}, {"bad\n", 1}, {"bad too\n", 2}, {"bad\n", 3}, {"good\n", 3}, {"bad\n", 4}, {"bad\n", 4}} {
		if w.write(step.data, self()); count() != step.want {
			t.Errorf("step %d: %d lines, want %d", i, count(), step.want)
		}
	}
	w.logged.at = w.logged.at.Add(-2 * retryTime)
	if w.write("bad\n", self()); count() != 5 {
		t.Errorf("later: %d lines, want 5", count())
	}
}

// FuzzRefusalLine: whatever is written, the log has one line that can be read.
func FuzzRefusalLine(f *testing.F) {
	for _, line := range []string{"add x", "\x00\n", "\"; want", strings.Repeat("é", 4000), "a\u2028b\xff"} {
		f.Add(line, 7)
	}
	f.Fuzz(func(t *testing.T, line string, column int) {
		log, events := newLogger()
		w := &writer{tree: &tree{log: log}, path: "vblade/drives", file: &file{takes: []string{"add NAME PATH"}}}
		w.refuse(line, text.At{Column: column, Err: text.Malformed("command %q", line)})
		got, _ := events.snapshot()
		event, rest, ended := strings.Cut(string(got), "\n")
		if m := refusalLine.FindStringSubmatch(event); m == nil || rest != "" || !ended || m[6] != "EINVAL" || len(event) >= maxEvent {
			t.Errorf("%q: got %q", line, got)
		}
	})
}

// TestValuesTeach: of a bad value, the parser says what the table shows that the
// file takes.
func TestValuesTeach(t *testing.T) {
	const anything = "(anything)"
	n := 0
	everyFile(root(), "", func(path string, f *file) {
		if !f.value || strings.HasPrefix(f.takes[0], anything) || strings.Contains(path, "@") || path == "targets/e<SHELF>.<SLOT>/readonly" { // those two ask the engine
			return
		}
		n++
		for _, bad := range []string{"\x01\n", "\"\n"} {
			if _, err := f.parse(nil, subject{drive: "do"}, bad, "/"); err != nil {
				if want := "want " + f.takes[0]; !strings.HasSuffix(err.Error(), want) {
					t.Errorf("%s says %v of %q, want %q", path, err, bad, want)
				}
				return
			}
		}
		t.Errorf("%s takes anything", path)
	})
	if n < 8 {
		t.Errorf("only %d values", n)
	}
}
