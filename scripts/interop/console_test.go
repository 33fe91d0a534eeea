package interop

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// console is the serial line of a machine.
type console struct {
	path string // socket that QEMU connects to

	mu   sync.Mutex
	line net.Conn
	said bytes.Buffer
	read int // what await has gone past
}

func newConsole(t *testing.T) *console {
	t.Helper()
	c := &console{path: filepath.Join(t.TempDir(), "serial")}
	listener, err := net.Listen("unix", c.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		line, err := listener.Accept()
		if err != nil {
			return
		}
		c.mu.Lock()
		c.line = line
		c.mu.Unlock()
		defer line.Close()
		chunk := make([]byte, 4096)
		for {
			n, err := line.Read(chunk)
			c.mu.Lock()
			c.said.Write(chunk[:n])
			c.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return c
}

// await waits until the machine says something that no await has seen, and returns what it said up to there.
func (c *console) await(t *testing.T, text string) string {
	t.Helper()
	for limit := time.Now().Add(limit); ; time.Sleep(50 * time.Millisecond) {
		c.mu.Lock()
		fresh := c.said.String()[c.read:]
		at := strings.Index(fresh, text)
		if at >= 0 {
			c.read += at + len(text)
			fresh = fresh[:at+len(text)]
		}
		c.mu.Unlock()
		switch {
		case at >= 0:
			return fresh
		case time.Now().After(limit):
			t.Fatalf("no %q on the serial line; since the last it said\n%s", text, fresh)
		}
	}
}

// types types a line.
func (c *console) types(t *testing.T, line string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := c.line.Write([]byte(line + "\n")); err != nil {
		t.Fatal(err)
	}
}

// keep saves what the machine said among the artifacts.
func (c *console) keep(r *rig) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = os.WriteFile(filepath.Join(r.artifacts, "serial.log"), c.said.Bytes(), 0o644)
}
