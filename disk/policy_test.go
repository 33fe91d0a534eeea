package disk

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParsePolicy(t *testing.T) {
	for policy, text := range map[Policy]string{Writeback: "writeback", Direct: "direct", Durable: "durable"} {
		if got, err := ParsePolicy(text); got != policy || err != nil || policy.String() != text {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "Direct", "writethrough", "direct "} {
		if _, err := ParsePolicy(text); err == nil || !strings.Contains(err.Error(), strconv.Quote(text)) {
			t.Errorf("%q gives %v", text, err)
		}
	}
}

func FuzzParsePolicy(f *testing.F) {
	f.Add("direct")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := ParsePolicy(text); err == nil && p.String() != text {
			t.Errorf("%q became %q", text, p)
		}
	})
}

// deviceCounts are two of the statistics of a block device: Documentation/block/stat.rst, fields 7 and 16.
func deviceCounts(t *testing.T, device string) (sectorsWritten, flushes int) {
	t.Helper()
	stat, err := os.ReadFile(filepath.Join("/sys/block", filepath.Base(device), "stat"))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat))
	need(t, len(fields) >= 17, "a kernel that counts flushes (5.5)")
	sectorsWritten, _ = strconv.Atoi(fields[6])
	flushes, _ = strconv.Atoi(fields[15])
	return sectorsWritten, flushes
}

// TestPolicyReachesDevice looks at what a block device has been asked to do when a write is acknowledged.
func TestPolicyReachesDevice(t *testing.T) { onEachQueue(t, testPolicyReachesDevice) }

func testPolicyReachesDevice(t *testing.T, newQueue queueMaker) {
	for _, c := range []struct {
		policy           Policy
		op               Op
		blockBytes       string
		written, flushed bool
	}{
		{Writeback, Write, "512", false, false},
		{Writeback, WriteDurable, "512", true, true},
		{Direct, Write, "512", true, false},
		{Direct, WriteDurable, "512", true, true},
		{Direct, Write, "4096", true, false},
		{Direct, WriteDurable, "4096", true, true},
		{Durable, Write, "512", true, true},
		{Durable, WriteDurable, "512", true, true},
		{Durable, Write, "4096", true, true},
	} {
		t.Run(c.policy.String()+"/"+c.blockBytes+"/op"+itoa(uint32(c.op)), func(t *testing.T) {
			file, _ := image(t, "", 1<<20)
			device := loopDevice(t, file, "--sector-size", c.blockBytes)
			q, s := newQueue(t), open(t, device, Options{Policy: c.policy})
			if s.Note() != "" {
				t.Errorf("the note is %q", s.Note())
			}
			sectors, flushes := deviceCounts(t, device)
			if err := do(t, q, s, c.op, randomBytes(8192), 4096); err != nil {
				t.Fatal(err)
			}
			sectorsAfter, flushesAfter := deviceCounts(t, device)
			if written := sectorsAfter > sectors; written != c.written {
				t.Errorf("the device was written to: %v, want %v", written, c.written)
			}
			if flushed := flushesAfter > flushes; flushed != c.flushed {
				t.Errorf("the device was flushed: %v, want %v", flushed, c.flushed)
			}
			if err := do(t, q, s, Flush, nil, 0); err != nil {
				t.Fatal(err)
			}
			sectorsEnd, flushesEnd := deviceCounts(t, device)
			if sectorsEnd < sectors+16 || flushesEnd <= flushes {
				t.Error("a flush did not reach the device")
			}
		})
	}
}

// TestDirectFallsBack is about what tells of it.
func TestDirectFallsBack(t *testing.T) {
	path, _ := image(t, tmpfsDir(t), 8192)
	s := open(t, path, Options{Policy: Direct})
	if s.directFD < 0 && !strings.Contains(s.Note(), "direct I/O is not possible") {
		t.Errorf("the note is %q", s.Note())
	}
	if s.Policy() != Direct {
		t.Errorf("the policy became %v", s.Policy())
	}
	if err := s.SetPolicy(Durable); err != nil || s.directFD < 0 && !strings.Contains(s.Note(), "tear") {
		t.Errorf("with durable the note is %q; %v", s.Note(), err)
	}
	if err := s.SetPolicy(Writeback); err != nil || s.Note() != "" {
		t.Errorf("with writeback the note is %q; %v", s.Note(), err)
	}
	wantErrno(t, s.SetPolicy(Durable+1), unix.EINVAL)
	if s.Policy() != Writeback {
		t.Errorf("a refused policy left %v", s.Policy())
	}
}

// TestSetPolicyUnderLoad changes the policy while requests are in flight; each must still see all that was written.
func TestSetPolicyUnderLoad(t *testing.T) { onEachQueue(t, testSetPolicyUnderLoad) }

func testSetPolicyUnderLoad(t *testing.T, newQueue queueMaker) {
	file, content := image(t, "", 64<<10)
	q, s := newQueue(t), open(t, loopDevice(t, file), Options{})
	for round := range 60 {
		data := make([][]byte, 16)
		for i := range data {
			data[i] = randomBytes(4096)
			q.Submit(s, Write, data[i], int64(i)*4096, uint64(i))
			copy(content[i*4096:], data[i])
			if i == 7 {
				if err := s.SetPolicy(Policy(round % 3)); err != nil {
					t.Fatal(err)
				}
			}
		}
		for token, err := range reapAll(t, q, len(data)) {
			if err != nil {
				t.Fatalf("write %d: %v", token, err)
			}
		}
		got := make([]byte, len(content))
		if err := do(t, q, s, Read, got, 0); err != nil {
			t.Fatal(err)
		}
		wantSame(t, got, content)
	}
}
