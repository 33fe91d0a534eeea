package claims

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"
	"golang.org/x/sys/unix"

	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe"
)

// opened is one more daemon's claims in ns, which the test closes.
func opened(t testing.TB, ns netiotest.Netns) *Claims {
	t.Helper()
	var c *Claims
	ns.Do(func() {
		log := logrus.New()
		log.SetOutput(io.Discard)
		said := test.NewLocal(log)
		if c = Open(log); c.file == nil {
			t.Fatalf("no claims: %s", said.LastEntry().Message)
		}
	})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

var me = fmt.Sprintf("process %d (%s)", os.Getpid(), filepath.Base(os.Args[0]))

var addr = aoe.Addr{Shelf: 7, Slot: 1}

func wantHolder(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: has it %q, want %q", what, got, want)
	}
}

func TestClaims(t *testing.T) {
	ns := netiotest.New(t)
	first, second := opened(t, ns), opened(t, ns)
	for range 2 {
		wantHolder(t, "the first", first.Take(3, addr), "")
		wantHolder(t, "the second", second.Take(3, addr), me)
		wantHolder(t, "the second asks", second.Holder(3, addr), me)
		wantHolder(t, "the first asks", first.Holder(3, addr), "")
	}
	for _, other := range []struct {
		index int
		addr  aoe.Addr
	}{{4, addr}, {3, aoe.Addr{Shelf: 7, Slot: 2}}, {3, aoe.Addr{Shelf: 8, Slot: 1}}, {1<<31 - 1, aoe.Addr{Shelf: 65534, Slot: 254}}} {
		wantHolder(t, fmt.Sprint(other), second.Take(other.index, other.addr), "")
	}
	second.Free(3, addr) // not its own
	wantHolder(t, "after somebody else freed it", second.Holder(3, addr), me)
	first.Free(3, addr)
	wantHolder(t, "freed", second.Take(3, addr), "")
	wantHolder(t, "the other way round", first.Take(3, addr), me)
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	wantHolder(t, "closed", first.Take(3, addr), "")
	wantHolder(t, "another namespace", opened(t, netiotest.New(t)).Take(3, addr), "")
}

// die ends c as the kernel ends a process: it closes the file, whatever is locked.
func (c *Claims) die(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alone = false // its timer finds nothing to do
	if err := c.file.Close(); err != nil {
		t.Fatal(err)
	}
	c.file = nil
}

// A daemon that was killed has nothing, nor has one that gets its place in the table.
func TestClaimsOfTheDead(t *testing.T) {
	ns := netiotest.New(t)
	witness, killed := opened(t, ns), opened(t, ns)
	wantHolder(t, "before", killed.Take(3, addr), "")
	killed.die(t)
	next := opened(t, ns)
	wantHolder(t, "after", witness.Holder(3, addr), "")
	wantHolder(t, "after", next.Take(3, addr), "")
	wantHolder(t, "the witness", witness.Take(3, addr), me)
}

// Who takes over has all claims from the first moment on, and if it ends before, it
// takes none along.
func TestClaimsAreHandedOver(t *testing.T) {
	ns := netiotest.New(t)
	old, other := opened(t, ns), opened(t, ns)
	wantHolder(t, "the old one", old.Take(3, addr), "")
	join := func() *Claims {
		id, fd := old.Share()
		fd, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		return Join(old.log, id, os.NewFile(uintptr(fd), "handed over"))
	}
	failed := join()
	wantHolder(t, "who takes over", failed.Take(3, addr), "")
	failed.Free(3, addr)
	if err := failed.Close(); err != nil {
		t.Fatal(err)
	}
	wantHolder(t, "after one that ended", other.Take(3, addr), me)
	next := join()
	old.die(t)
	ns.Do(next.Own)
	wantHolder(t, "after the old one ended", other.Take(3, addr), me)
	next.Free(3, addr)
	wantHolder(t, "freed", other.Take(3, addr), "")
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if err := next.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(next.path); err == nil || !strings.HasPrefix(next.path, Directory) {
		t.Errorf("%q is left", next.path)
	}
}

// Files go with the last daemon, and if that was killed with the next start in any
// namespace.
func TestNothingIsLeft(t *testing.T) {
	ns := netiotest.New(t)
	first, second := opened(t, ns), opened(t, ns)
	there := func() bool { _, err := os.Stat(first.path); return err == nil }
	_ = first.Close()
	if !there() {
		t.Error("the file is gone, and one has it")
	}
	_ = second.file.Close()
	if !there() {
		t.Error("a daemon that is killed removes no file")
	}
	opened(t, netiotest.New(t))
	if there() {
		t.Error("the file is left")
	}
	third, fourth := opened(t, ns), opened(t, ns)
	wantHolder(t, "begun anew", third.Take(3, addr), "")
	wantHolder(t, "begun anew", fourth.Take(3, addr), me)
}

// TestClaimsAreRoots has somebody else try to get at the files.
func TestClaimsAreRoots(t *testing.T) {
	c := opened(t, netiotest.New(t))
	for _, how := range []string{"< ", ">> "} {
		cmd := exec.Command("sh", "-c", ": "+how+c.path)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "ermission denied") {
			t.Errorf("%s: %v, %s", cmd, err, out)
		}
	}
}

// TestCellsAreApart: no two addresses have one place.
func TestCellsAreApart(t *testing.T) {
	seen := make([]bool, 1<<24)
	for a := range 1 << 24 {
		at := cellOffset(1, aoe.Addr{Shelf: uint16(a >> 8), Slot: uint8(a)}) - cellOffset(1, aoe.Addr{})
		if at%4 != 0 || at < 0 || at >= 1<<26 || seen[at/4] {
			t.Fatalf("%d is at %d", a, at)
		}
		seen[at/4] = true
	}
	if at := cellOffset(2, aoe.Addr{}) - cellOffset(1, aoe.Addr{}); at != 1<<26 {
		t.Errorf("interfaces are %d apart", at)
	}
}

// FuzzTable has anything in the file: nobody crashes, and who lives has what it takes.
func FuzzTable(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0}, int64(0), uint16(7), uint8(1))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff"), int64(recordsStart), uint16(7), uint8(1))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff}, cellOffset(3, addr), uint16(7), uint8(1))
	ns := netiotest.New(f)
	first, second := opened(f, ns), opened(f, ns)
	f.Fuzz(func(t *testing.T, b []byte, at int64, shelf uint16, slot uint8) {
		if _, err := first.file.WriteAt(b, at&(1<<27-1)); err != nil {
			t.Fatal(err)
		}
		a := aoe.Addr{Shelf: shelf, Slot: slot}
		if holder := first.Take(3, a); holder != "" {
			first.Take(3, aoe.Addr{Shelf: shelf, Slot: slot ^ 1})
			return // the bytes say that the second has it
		}
		if second.Take(3, a) == "" {
			t.Errorf("%v is taken twice", a)
		}
		first.Free(3, a)
	})
}

func processorTime() int64 {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkTake is what 10,000 exports cost, by how they are spread. Processor time is
// what counts on a machine that does other things, too.
func BenchmarkTake(b *testing.B) {
	const exports = 10000
	random := rand.Perm(1 << 24)[:exports]
	for name, nth := range map[string]func(i int) aoe.Addr{
		"a grid":         func(i int) aoe.Addr { return aoe.Addr{Shelf: uint16(i / 250), Slot: uint8(i % 250)} },
		"shelves":        func(i int) aoe.Addr { return aoe.Addr{Shelf: uint16(i)} },
		"here and there": func(i int) aoe.Addr { return aoe.Addr{Shelf: uint16(random[i] >> 8), Slot: uint8(random[i])} },
	} {
		b.Run(name, func(b *testing.B) {
			ns := netiotest.New(b)
			for b.Loop() {
				b.StopTimer()
				c := opened(b, ns)
				b.StartTimer()
				before := processorTime()
				for i := range exports {
					if holder := c.Take(2, nth(i)); holder != "" {
						b.Fatal(holder)
					}
				}
				b.ReportMetric(float64(processorTime()-before)/exports, "cpu-ns/export")
				var size unix.Stat_t
				if err := unix.Fstat(int(c.file.Fd()), &size); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(size.Blocks*512)/exports, "fileB/export")
				_ = c.Close()
			}
		})
	}
}
