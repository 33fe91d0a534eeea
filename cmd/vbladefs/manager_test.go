package main_test

import (
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// manager is a service manager as sd_notify(3) knows it.
type manager struct {
	t    *testing.T
	path string

	mu    sync.Mutex
	heard []string // in order, those before the last that await found taken out
}

func manage(t *testing.T) *manager {
	t.Helper()
	m := &manager{t: t, path: filepath.Join(t.TempDir(), "notify")}
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	go m.listen(socket)
	return m
}

func (m *manager) listen(socket *net.UnixConn) {
	text, rights := make([]byte, 4096), make([]byte, 256)
	for {
		n, nrights, _, _, err := socket.ReadMsgUnix(text, rights)
		if err != nil {
			return
		}
		m.mu.Lock()
		m.heard = append(m.heard, string(text[:n]))
		m.mu.Unlock()
		messages, _ := unix.ParseSocketControlMessage(rights[:nrights])
		for i := range messages {
			fds, _ := unix.ParseUnixRights(&messages[i])
			for _, fd := range fds {
				unix.Close(fd) // all of before was heard
			}
		}
	}
}

// environment is what env(1) sets for a service whose watchdog wants to hear
// within that time.
func (m *manager) environment(watchdog time.Duration) []string {
	return []string{"NOTIFY_SOCKET=" + m.path, "WATCHDOG_USEC=" + strconv.FormatInt(watchdog.Microseconds(), 10)}
}

// await waits for messages that hold these words, in this order.
func (m *manager) await(words ...string) {
	m.t.Helper()
	for _, word := range words {
		for end := time.Now().Add(patience); !m.take(word); time.Sleep(2 * time.Millisecond) {
			if time.Now().After(end) {
				m.t.Fatalf("the manager did not hear %q, but %q", word, m.heard)
			}
		}
	}
}

func (m *manager) take(word string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, text := range m.heard {
		if strings.Contains(text, word) {
			m.heard = m.heard[i+1:]
			return true
		}
	}
	return false
}
