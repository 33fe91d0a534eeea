package main_test

import (
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRefusalsReachSyslog plays the machine's syslog: a socket at /run/syslog
// in a mount namespace where nothing else listens, and in it the daemon and a
// shell that makes a mistake.
func TestRefusalsReachSyslog(t *testing.T) {
	need(t, "unshare", "mount")
	dir := t.TempDir()
	socket := filepath.Join(dir, "syslog")
	listener, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()

	script := `mount -t tmpfs none /run && ln -s "$1" /run/syslog && mkdir /run/tree && "$2" serve -state= /run/tree 2>/dev/null &
daemon=$!
for i in $(seq 200); do [ -e /run/tree/log ] && break; sleep 0.05; done
echo add /dev/nosuch 0 1 lo > /run/tree/aoeserver
kill $(pidof vbladefs); wait $daemon`
	cmd := exec.Command("unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "--propagation", "private",
		"bash", "-c", script, "bash", socket, program)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Invalid argument") {
		t.Fatalf("the shell's mistake: %v\n%s", err, out)
	}

	var heard []string
	buffer := make([]byte, 4096)
	_ = listener.SetReadDeadline(time.Now().Add(patience))
	for {
		n, err := listener.Read(buffer)
		if err != nil {
			t.Fatalf("no word of the refusal: %v\nheard: %q", err, heard)
		}
		line := string(buffer[:n])
		heard = append(heard, line)
		_, line, ours := strings.Cut(line, "vbladefs[")
		if _, said, found := strings.Cut(line, "]: "); ours && found && strings.Contains(said, "/dev/nosuch") {
			if _, message, ok := strings.Cut(said, `msg="`); ok { // logrus's own form
				said = strings.ReplaceAll(strings.TrimSuffix(strings.TrimSpace(message), `"`), `\"`, `"`)
			}
			checkRefusal(t, "2026-01-31T12:00:00.000Z warning "+said, "aoeserver", "add /dev/nosuch 0 1 lo", "EINVAL", "no such file or directory")
			return
		}
	}
}
