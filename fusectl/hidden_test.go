package fusectl

import (
	"os"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
)

// seen is what shows at dir: the device of its file system.
func seen(t *testing.T, dir string) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		t.Fatal(err)
	}
	return st.Dev
}

// A hidden tree shows when the one before it ends, and not before, and leaves
// nothing when it ends itself.
func TestHidden(t *testing.T) {
	needFUSE(t)
	for _, beneath := range []bool{true, false} {
		dir := t.TempDir()
		bare := seen(t, dir)
		first, err := Mount(dir, newEngine("", logrus.New()), Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer first.Unmount()
		old := seen(t, dir)
		h, err := Hide(dir, newEngine("", logrus.New()), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if beneath {
			if err := h.PlaceBeneath(); err != nil {
				t.Fatal(err)
			}
		}
		if seen(t, dir) != old {
			t.Error("the tree shows too early")
		}
		if err := first.Unmount(); err != nil {
			t.Fatal(err)
		}
		if beneath == (seen(t, dir) == bare) {
			t.Errorf("beneath: %v, and what shows is %v", beneath, seen(t, dir))
		}
		if err := h.Uncover(beneath); err != nil {
			t.Fatal(err)
		}
		if now := seen(t, dir); now == bare || now == old {
			t.Error("the tree does not show")
		}
		if _, err := os.Stat(dir + "/README"); err != nil {
			t.Error(err)
		}
		if err := h.Server().Unmount(); err != nil {
			t.Error(err)
		}
		if seen(t, dir) != bare {
			t.Error("something is left")
		}
	}
}

// What was hidden is mounted as Mount mounts.
func TestHiddenIsMountedAlike(t *testing.T) {
	needFUSE(t)
	dir := t.TempDir()
	mounted := func() string {
		t.Helper()
		text, err := os.ReadFile("/proc/self/mountinfo")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if point, _, ok := parseMountInfo(line); ok && point == dir {
				words := strings.Fields(line)
				return strings.Join(words[5:], " ") // after numbers and place; one is of the file system
			}
		}
		t.Fatal("nothing is mounted")
		return ""
	}
	first, err := Mount(dir, newEngine("", logrus.New()), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Unmount()
	want := mounted()
	h, err := Hide(dir, newEngine("", logrus.New()), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Unmount(); err != nil {
		t.Fatal(err)
	}
	if err := h.Uncover(false); err != nil {
		t.Fatal(err)
	}
	defer h.Server().Unmount()
	if got := mounted(); got != want {
		t.Errorf("mounted as\n%s, want\n%s", got, want)
	}
}

// A hidden tree that is given up was never there.
func TestHiddenClosed(t *testing.T) {
	needFUSE(t)
	dir := t.TempDir()
	bare := seen(t, dir)
	for range 2 {
		h, err := Hide(dir, newEngine("", logrus.New()), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}
	if seen(t, dir) != bare {
		t.Error("something is mounted")
	}
}
