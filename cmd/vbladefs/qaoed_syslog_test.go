package main_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestQaoedSyslog plays the machine's syslog, as TestRefusalsReachSyslog does:
// lines have the facility and the level of their log target.
func TestQaoedSyslog(t *testing.T) {
	t.Parallel()
	need(t, "unshare", "mount")
	dir := t.TempDir()
	socket, config := filepath.Join(dir, "syslog"), filepath.Join(dir, "qaoed.conf")
	listener, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	disk, _ := image(t, mib)
	text := `logging { name = default; syslog-facility = LOG_LOCAL3; syslog-level = LOG_NOTICE; }
logging { name = nets; }
interface { interface = lo; log = nets; }
device { target = ` + disk + `; interface = lo; }
`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	script := `ip link set lo up; mount -t tmpfs none /run && ln -s "$1" /run/syslog && mount --bind /dev/null /dev/log 2>/dev/null
exec "$2" qaoed -f -c "$3"`
	cmd := exec.Command("unshare", "--mount", "--net", "--propagation", "private", "bash", "-c", script, "bash", socket, program, config)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	// LOG_LOCAL3 is 19, LOG_DAEMON 3; LOG_NOTICE is 5, LOG_INFO 6.
	want := map[string]string{"<157>": "serving 1 targets of " + config, "<30>": "interface lo"}
	var heard []string
	_ = listener.SetReadDeadline(time.Now().Add(patience))
	for buffer := make([]byte, 4096); len(want) > 0; {
		n, err := listener.Read(buffer)
		if err != nil {
			t.Fatalf("not heard: %q\nheard: %q", want, heard)
		}
		line := string(buffer[:n])
		heard = append(heard, line)
		for priority, said := range want {
			if strings.HasPrefix(line, priority) && strings.Contains(line, " qaoed[") && strings.Contains(line, "]: "+said) {
				delete(want, priority)
			}
		}
	}
}
