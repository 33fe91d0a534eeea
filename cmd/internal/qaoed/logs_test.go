package qaoed

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"

	"vbladefs/compat/qaoed"
)

const manyLogs = `
logging { name = default; type = file; filename = d.log; }
logging { name = disks; type = file; filename = disks.log; }
logging { name = nets; type = file; filename = nets.log; }
logging { name = hosts; type = file; filename = hosts.log; }
interface { interface = eth0; log = nets; }
access-list { name = two words; policy = reject; log = hosts; }
access-list { name = silent; policy = reject; }
default { interface = eth0; shelf = 1; slot = 2; }
device { target = /dev/loop0; log = disks; }
device { target = /dev/loop1; }
`

func logsIn(t *testing.T, dir string) qaoed.Config {
	t.Helper()
	text := strings.ReplaceAll(manyLogs, "two words", `"two words"`)
	c, _, err := qaoed.Parse("test.conf", []byte(text), qaoed.Env{Folder: dir})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestRouting: what is logged goes to the log of what it is about.
func TestRouting(t *testing.T) {
	dir := t.TempDir()
	set, err := openLogs(logsIn(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	l := &logs{}
	log := logrus.New()
	log.SetOutput(io.Discard)
	log.AddHook(l)
	log.Info("nowhere yet")
	if err := errors.Join(l.use(set), l.use(set)); err != nil {
		t.Fatal(err)
	}
	log.Info("anything\nin two lines")
	log.WithError(io.EOF).Error("1.2 on eth0: read failed")
	log.Error("1.2: not served")
	log.Error("1.3: not served")
	log.Info("interface eth0 is up")
	log.Info("interface eth0, MTU 1500: ring")
	log.Info("interface eth1 is up")
	log.Info("ACL reject 00:16:3e:00:00:01 by two words")
	log.Info("ACL reject 00:16:3e:00:00:01 by silent")
	log.Info("ACL")
	if err := l.use(nil); err != nil {
		t.Fatal(err)
	}
	const begun, stamp = "Log starting for target ", `^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d `
	for name, want := range map[string][]string{
		"d": {begun + "default", "anything; in two lines", "1.3: not served", "interface eth1 is up",
			"ACL reject 00:16:3e:00:00:01 by silent", "ACL"},
		"disks": {begun + "disks", "1.2 on eth0: read failed: EOF", "1.2: not served"},
		"nets":  {begun + "nets", "interface eth0 is up", "interface eth0, MTU 1500: ring"},
		"hosts": {begun + "hosts", "ACL reject 00:16:3e:00:00:01 by two words"},
	} {
		text, err := os.ReadFile(filepath.Join(dir, name+".log"))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		for i := range lines[1:] {
			cut := regexp.MustCompile(stamp).ReplaceAllString(lines[i+1], "")
			if cut == lines[i+1] {
				t.Errorf("%s: a line without its time: %q", name, cut)
			}
			lines[i+1] = cut
		}
		if got := strings.Join(lines, "\n"); got != strings.Join(want, "\n") {
			t.Errorf("%s has\n%s\nwant\n%s", name, got, strings.Join(want, "\n"))
		}
	}
}

// TestUnopenableLog: it is an error, and the others are closed.
func TestUnopenableLog(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "nets.log"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := openLogs(logsIn(t, dir)); err == nil || !strings.Contains(err.Error(), `log "nets": `) {
		t.Errorf("a folder as log: %v", err)
	}
}
