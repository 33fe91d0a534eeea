package fusectl

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vbladefs/compat/native"
	"vbladefs/target"
)

// traced is an open file with a trace of that room, which nobody mounted.
func traced(room int) (*traceHandle, *target.Trace) {
	trace := target.NewTrace(room, func(e *target.TraceEvent) int { return len(traceText(e)) })
	return opened(&trace), trace
}

// opened is an open file with the trace that is in *trace when it is read.
func opened(trace **target.Trace) *traceHandle {
	return &traceHandle{node: &fileNode{file: &file{trace: func(*tree, subject) (*target.Trace, bool) { return *trace, true }}}}
}

func traceText(e *target.TraceEvent) []byte { return native.AppendTrace(nil, e) }

// requests records reads of sectors from on, n of them, and returns the lines of the last few.
func requests(trace *target.Trace, from, n, last int) (lines string) {
	for i := range n {
		e := target.TraceEvent{Interface: "eth0", Action: "read", LBA: uint64(from + i), Sectors: 1, Outcome: target.TraceDone}
		trace.Add(&e)
		if i >= n-last {
			lines += string(traceText(&e))
		}
	}
	return lines
}

// readFrom reads from off to the end, size bytes at a time.
func readFrom(t *testing.T, h *traceHandle, off int64, size int) (all string) {
	t.Helper()
	for {
		result, errno := h.Read(t.Context(), make([]byte, size), off)
		if errno != 0 {
			t.Fatal(errno)
		}
		b, _ := result.Bytes(nil)
		if len(b) == 0 {
			return all
		}
		all, off = all+string(b), off+int64(len(b))
	}
}

// A trace reads the same in parts of any size; there is an end, though requests come while
// it is read, and more behind the end later.
func TestTraceReads(t *testing.T) {
	for _, size := range []int{1, 7, 100, 4096, 1 << 17} {
		h, trace := traced(1000)
		text := requests(trace, 0, 300, 300)
		if got := readFrom(t, h, 0, size); got != text {
			t.Fatalf("%d at a time: got %q, want %q", size, got, text)
		}
		more := requests(trace, 300, 2, 2)
		if got := readFrom(t, h, int64(len(text)), size); got != more {
			t.Errorf("%d at a time, behind the end: got %q, want %q", size, got, more)
		}
		if got := readFrom(t, h, int64(len(text+more)), size); got != "" {
			t.Errorf("%d at a time, at the end again: got %q", size, got)
		}
		if got := readFrom(t, h, 0, size); got != text+more {
			t.Errorf("%d at a time, once more: got %q", size, got)
		}
		for _, off := range []int{1, 99, len(text) - 1, len(text), len(text) + 1} {
			other, _ := traced(0)
			other.node = h.node
			if got := readFrom(t, other, int64(off), size); got != (text + more)[off:] {
				t.Errorf("%d at a time, from %d: got %q", size, off, got)
			}
		}
	}
}

// A reader of an export that is always busy finds the end of what there was.
func TestTraceHasAnEnd(t *testing.T) {
	h, trace := traced(64)
	requests(trace, 0, 500, 0)
	var all strings.Builder
	for off := int64(0); ; {
		result, _ := h.Read(t.Context(), make([]byte, 100), off)
		b, _ := result.Bytes(nil)
		if len(b) == 0 {
			break
		}
		all.Write(b)
		off += int64(len(b))
		requests(trace, 500, 5, 0)
		if all.Len() > 500*200 {
			t.Fatal("no end")
		}
	}
	if got := all.String(); strings.HasPrefix(got, "# 436 requests are not kept\n") != true {
		t.Errorf("got %q", got)
	}
}

// What a reader missed is told of in a line, and the file is never shorter than what was read
// of it: tail would take it for another.
func TestTraceTellsOfLostRequests(t *testing.T) {
	h, trace := traced(3)
	off := int64(0)
	for i, tt := range []struct{ come, lost int }{{2, 0}, {10, 7}, {3, 0}, {4, 1}, {0, 0}, {1, 0}} {
		want := requests(trace, 100, tt.come, 3)
		if tt.lost > 0 {
			want = fmt.Sprintf("# %d requests are not kept\n", tt.lost) + want
		}
		got := readFrom(t, h, off, 4096)
		if got != want {
			t.Errorf("turn %d: got %q, want %q", i, got, want)
		}
		off += int64(len(got))
		if _, size, _ := trace.Stat(); off > size {
			t.Errorf("turn %d: %d bytes were read of %d", i, off, size)
		}
	}
	if result, errno := h.Read(t.Context(), make([]byte, 10), 1<<40); errno != 0 || result.Size() != 0 {
		t.Errorf("far behind the end: %d bytes, %v", result.Size(), errno)
	}
}

// A file that is open goes on with the next recording.
func TestTraceOfTheNextRecording(t *testing.T) {
	var trace *target.Trace
	h := opened(&trace)
	if got := readFrom(t, h, 0, 4096); got != "" {
		t.Errorf("before the first: %q", got)
	}
	_, trace = traced(9)
	first := requests(trace, 0, 3, 3)
	if got := readFrom(t, h, 0, 4096); got != first {
		t.Errorf("the first: %q", got)
	}
	_, trace = traced(9)
	second := requests(trace, 20, 4, 4)
	if got := readFrom(t, h, int64(len(first)), 4096); got == "" || !strings.HasSuffix(second, got) {
		t.Errorf("behind the end of the first: %q", got)
	}
	if got := readFrom(t, h, 0, 4096); got != second {
		t.Errorf("the second: %q", got)
	}
}

// TestTraceFile: nothing there is recorded until it is asked for; grep -r, find and cp end.
func TestTraceFile(t *testing.T) {
	d := mounted(t)
	d.sh(t, "echo 0 0 eth0 /dev/loop0 > kvblade/add")
	got := d.sh(t, "cd targets/e0.0; cat trace; stat -c '%a %s' trace; echo 1 16 > trace; cat trace; tail -n 3 trace; echo 0 > trace; "+
		"grep -r nothing_of_that . ; cp -r . $(mktemp -d -p ../../..)/copy && echo copied; echo 1 0 > trace; echo yes > trace; "+
		"tail -n 2 ../../log | cut -d' ' -f 2-; cat ../../saved")
	want := "600 0\ncopied\n"
	if !strings.HasPrefix(got, want) || strings.Contains(got, "e0.0/trace 1") ||
		!strings.Contains(got, `refused "1 0" at column 3: ERANGE`) || !strings.Contains(got, `refused "yes" at column 1: EINVAL`) {
		t.Errorf("got %q, want it to begin with %q", got, want)
	}
	if got := d.sh(t, "exec 3< targets/e0.0/trace; echo 0 0 eth0 > kvblade/del; cat <&3"); !strings.Contains(got, "No such file or directory") {
		t.Errorf("when the address is gone: %q", got)
	}
}

// TestTracePrivate: root and the group that may write may use a trace, others may not.
func TestTracePrivate(t *testing.T) {
	need(t, "setpriv")
	d := mounted(t, groupEnv+"=54321")
	if err := os.Chmod(filepath.Dir(filepath.Dir(d.dir)), 0o755); err != nil { // of this test's own folders
		t.Fatal(err)
	}
	d.sh(t, "echo 0 0 eth0 /dev/loop0 > kvblade/add")
	const stranger = "setpriv --reuid=65534 --regid=65534 --clear-groups sh -c "
	got := d.sh(t, "stat -c '%a %g' targets/e0.0/trace; "+stranger+"'cat targets/e0.0/trace; echo 1 > targets/e0.0/trace'; "+
		"setpriv --reuid=65534 --regid=54321 --clear-groups sh -c 'echo 1 1 > targets/e0.0/trace && cat targets/e0.0/trace'")
	for _, want := range []string{"660 54321\n", "cat: targets/e0.0/trace: Permission denied\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("got %q without %q", got, want)
		}
	}
	if !strings.Contains(d.sh(t, "cat targets/e0.0/latency"), "read count 0\n") {
		t.Error("latency does not say that there were no reads")
	}
}
