package takeover

import (
	"encoding/binary"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/cmd/internal/daemon"
)

// pair is two ends of a conversation.
func pair(t testing.TB) (a, b *Conn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*Conn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "end")
		c, err := net.FileConn(f)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		ends[i] = &Conn{c.(*net.UnixConn)}
		t.Cleanup(func() { ends[i].Close() })
	}
	return ends[0], ends[1]
}

// open counts the descriptors of this process.
func open(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// A message comes with all its files, in their order, however many.
func TestMessages(t *testing.T) {
	a, b := pair(t)
	for _, n := range []int{0, 1, filesPerChunk, filesPerChunk + 1, 700} {
		before := open(t)
		var fds []int
		for i := range n {
			fd, err := unix.MemfdCreate("file", unix.MFD_CLOEXEC)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := unix.Write(fd, []byte{byte(i), byte(i >> 8)}); err != nil {
				t.Fatal(err)
			}
			fds = append(fds, fd)
		}
		sent := make(chan error, 1)
		go func() { sent <- a.Send(Offer{State: []byte(strings.Repeat("x", 100*n)), Process: n}, fds...) }()
		var got Offer
		files, err := b.Receive(&got)
		if err != nil || <-sent != nil {
			t.Fatal(err)
		}
		if len(files) != n || got.Process != n || len(got.State) != 100*n {
			t.Errorf("%d files and %d bytes, want %d of each", len(files), len(got.State), n)
		}
		for i, f := range files {
			var text [2]byte
			if _, err := f.ReadAt(text[:], 0); err != nil || text != [2]byte{byte(i), byte(i >> 8)} {
				t.Fatalf("file %d of %d has %v, %v", i, n, text, err)
			}
		}
		closeAll(files)
		for _, fd := range fds {
			unix.Close(fd)
		}
		if after := open(t); after != before {
			t.Errorf("%d descriptors, then %d", before, after)
		}
	}
}

// FuzzReceive has anything come: a message or an error, and no descriptor left.
func FuzzReceive(f *testing.F) {
	message := func(size, files uint32, text string) []byte {
		b := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, size), files)
		return append(b, text...)
	}
	f.Add([]byte{})
	f.Add(message(2, 0, "{}"))
	f.Add(message(2, 1, "{}\x00"))
	f.Add(message(17, 0, `{"Refused":"why"}`))
	f.Add(message(1<<31, 0, "{"))
	f.Add(message(1<<28, 0, "{"))
	f.Add(message(2, 1<<30, "{}"))
	f.Add(message(20, 0, `{"Links":[{"FD":1}]}`))
	f.Fuzz(func(t *testing.T, bytes []byte) {
		a, b := pair(t)
		defer a.Close()
		defer b.Close()
		if len(bytes) > 64<<10 {
			return // more than the socket takes at once
		}
		if _, err := a.socket.Write(bytes); err != nil {
			t.Fatal(err)
		}
		a.Close()
		b.Within(time.Minute)
		var h Handover
		files, err := b.Receive(&h)
		if len(files) > 0 {
			t.Error("files came from nowhere")
		}
		if whole := len(bytes) >= 8 && len(bytes)-8 >= int(binary.BigEndian.Uint32(bytes)); err == nil && !whole {
			t.Error("half a message was taken for a whole one")
		}
	})
}

// The socket is for its owner and root alone.
func TestStrangers(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs root")
		}
		t.Skip("needs root to be somebody else")
	}
	path := filepath.Join(t.TempDir(), "socket")
	l, err := daemon.ListenStream(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	c, err := Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	there, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	if other, err := newConn(there); err != nil {
		t.Errorf("root was refused: %v", err)
	} else {
		other.Close()
	}
}
