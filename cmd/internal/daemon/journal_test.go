package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// What the journal has already, syslog is not told, and nobody else misses it.
func TestJournal(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	var stat unix.Stat_t
	if err := unix.Fstat(int(write.Fd()), &stat); err != nil {
		t.Fatal(err)
	}
	t.Setenv("JOURNAL_STREAM", fmt.Sprintf("%d:%d", stat.Dev, stat.Ino+1))
	if inJournal(write) || inJournal(&bytes.Buffer{}) {
		t.Error("something else is taken for the journal")
	}
	t.Setenv("JOURNAL_STREAM", fmt.Sprintf("%d:%d", stat.Dev, stat.Ino))
	log := NewLogger("test", write)
	if len(log.Hooks) != 0 {
		t.Error("syslog is told, too")
	}
	log.Info("one\nline")
	log.WithError(errors.New("why")).Error("failed")
	log.Warn("hm")
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if _, err := text.ReadFrom(read); err != nil {
		t.Fatal(err)
	}
	if want := "<6>one; line\n<3>failed: why\n<4>hm\n"; text.String() != want {
		t.Errorf("the journal gets %q, want %q", strings.TrimSpace(text.String()), want)
	}
}
