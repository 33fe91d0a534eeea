package notify

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// manager listens as systemd does.
func manager(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	t.Setenv(socketVariable, name)
	return socket
}

// hear is the next message, and the descriptors that came with it.
func hear(t *testing.T, socket *net.UnixConn) (string, []int) {
	t.Helper()
	if err := socket.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b, room := make([]byte, 1000), make([]byte, 100)
	n, nroom, _, _, err := socket.ReadMsgUnix(b, room)
	if err != nil {
		t.Fatal(err)
	}
	messages, err := unix.ParseSocketControlMessage(room[:nroom])
	if err != nil {
		t.Fatal(err)
	}
	var fds []int
	for i := range messages {
		got, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			t.Fatal(err)
		}
		fds = append(fds, got...)
	}
	return string(b[:n]), fds
}

func TestTell(t *testing.T) {
	for _, name := range []string{filepath.Join(t.TempDir(), "notify"), "@vbladefs-notify-test-" + strconv.Itoa(os.Getpid())} {
		socket := manager(t, name)
		if err := Tell(Ready, Status("%d exports\non eth0", 3)); err != nil {
			t.Fatal(err)
		}
		if got, _ := hear(t, socket); got != "READY=1\nSTATUS=3 exports; on eth0" {
			t.Errorf("the manager hears %q", got)
		}
		if err := Tell(Reloading()); err != nil {
			t.Fatal(err)
		}
		got, _ := hear(t, socket)
		usec, ok := strings.CutPrefix(got, "RELOADING=1\nMONOTONIC_USEC=")
		if n, err := strconv.ParseUint(usec, 10, 64); !ok || err != nil || n == 0 {
			t.Errorf("the manager hears %q", got)
		}
	}
}

// Nobody listens: nothing is wrong, or it is said.
func TestNobody(t *testing.T) {
	t.Setenv(socketVariable, "")
	if Tell(Ready) != nil || Settle(time.Second) != nil || WatchdogInterval() != 0 || Asked() {
		t.Error("without a manager something happens")
	}
	t.Setenv(socketVariable, filepath.Join(t.TempDir(), "none"))
	if err := Tell(Ready); err == nil || !strings.Contains(err.Error(), socketVariable) {
		t.Errorf("a manager that is gone: %v", err)
	}
}

func TestSettle(t *testing.T) {
	socket := manager(t, filepath.Join(t.TempDir(), "notify"))
	settled := make(chan error)
	go func() { settled <- Settle(10 * time.Second) }()
	got, fds := hear(t, socket)
	if got != "BARRIER=1" || len(fds) != 1 {
		t.Fatalf("the manager hears %q with %d files", got, len(fds))
	}
	select {
	case err := <-settled:
		t.Errorf("it did not wait: %v", err)
	case <-time.After(10 * time.Millisecond):
	}
	unix.Close(fds[0])
	if err := <-settled; err != nil {
		t.Error(err)
	}
	if err := Settle(time.Millisecond); err == nil {
		t.Error("a manager that does not answer is taken for one that does")
	}
}

func TestWatchdogInterval(t *testing.T) {
	t.Setenv(socketVariable, "/nowhere")
	own := strconv.Itoa(os.Getpid())
	for _, tt := range []struct {
		usec, pid string
		want      time.Duration
	}{
		{"30000000", own, 30 * time.Second},
		{"30000000", "", 30 * time.Second},
		{"30000000", "1", 0},
		{"", own, 0},
		{"-1", own, 0},
		{"99999999999999999999", own, 0},
		{"9223372036854775807", own, 0},
	} {
		t.Setenv(usecVariable, tt.usec)
		t.Setenv(processVariable, tt.pid)
		if got := WatchdogInterval(); got != tt.want {
			t.Errorf("%s for %s: %v, want %v", tt.usec, tt.pid, got, tt.want)
		}
	}
	heir := Heir([]string{"A=1", processVariable + "=" + own, usecVariable + "=3"})
	if !slices.Equal(heir, []string{"A=1", usecVariable + "=3"}) {
		t.Errorf("an heir gets %q", heir)
	}
}
