package fusectl

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
)

// TestRestoreTellsOfFewMistakes has a file of many mistakes reported in a few
// lines, of which the last says how many they were.
func TestRestoreTellsOfFewMistakes(t *testing.T) {
	need(t, "bash")
	d := mounted(t)
	file := filepath.Join(t.TempDir(), "state")
	lines := make([]string, 1000)
	for i := range lines {
		lines[i] = "vblade/drives bad"
	}
	if err := os.WriteFile(file, []byte(has(lines...)), 0o600); err != nil {
		t.Fatal(err)
	}
	want := "cat: write error: Invalid argument\n201\n! and 800 more\n1\n"
	if got := d.sh(t, "cat "+file+" > restore; wc -l < restore; tail -n 1 restore; grep -c 'refused: 1000 mistakes, the first in line 2:' log"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestMistakesTakeNoMemory has what is held of a text not grow with its mistakes.
func TestMistakesTakeNoMemory(t *testing.T) {
	text := []byte("# vbladefs state 2\n" + strings.Repeat("vblade/drives bad\n", 200_000))
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	before := heap()
	j := (&tree{log: log, engine: dry(t), restores: &restores{}}).restore(text)
	if after := heap(); after > before+1<<20 {
		t.Errorf("%d mistakes hold %d KiB", j.failed, (after-before)>>10)
	}
	if j.failed != 200_001 {
		t.Errorf("%d mistakes, want each line and the missing end", j.failed)
	}
	runtime.KeepAlive(text)
	runtime.KeepAlive(j)
}
