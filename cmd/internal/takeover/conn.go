package takeover

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Conn carries messages, with open files, between two daemons. One goroutine uses
// it, and any may close it. A message is
//
//	length of text, number of files (4 bytes each, big endian), text (JSON), then a byte for each chunk of files
//
// where each of those bytes carries up to filesPerChunk descriptors (unix(7), SCM_RIGHTS).
type Conn struct{ socket *net.UnixConn }

const (
	filesPerChunk = 128     // the kernel takes 253
	maxText       = 1 << 28 // as much as a state may have
	maxFiles      = 1 << 18
)

// Dial asks the daemon at a socket.
func Dial(path string) (*Conn, error) {
	c, err := dialAny(path)
	if err != nil {
		return nil, err
	}
	return newConn(c.socket)
}

// dialAny is Dial for who takes nothing but an answer, from whichever user's daemon.
func dialAny(path string) (*Conn, error) {
	socket, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	return &Conn{socket}, nil
}

// newConn refuses whoever is neither root nor of our own user.
func newConn(socket *net.UnixConn) (*Conn, error) {
	c := &Conn{socket}
	var peer *unix.Ucred
	err := c.control(func(fd int) (err error) {
		peer, err = unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
		return err
	})
	if err == nil && peer.Uid != 0 && int(peer.Uid) != os.Geteuid() {
		err = fmt.Errorf("process %d of user %d: %w", peer.Pid, peer.Uid, unix.EPERM)
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Conn) control(f func(fd int) error) error {
	raw, err := c.socket.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = f(int(fd)) })
	return errors.Join(err, failed)
}

// Within bounds what follows; 0: for as long as it takes.
func (c *Conn) Within(d time.Duration) {
	var until time.Time
	if d > 0 {
		until = time.Now().Add(d)
	}
	_ = c.socket.SetDeadline(until)
}

// Close ends the conversation.
func (c *Conn) Close() error { return c.socket.Close() }

// Send sends a message with files, which stay the caller's.
func (c *Conn) Send(message any, files ...int) error {
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(len(text)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(files)))
	if _, err := c.socket.Write(append(b, text...)); err != nil {
		return err
	}
	for len(files) > 0 {
		n := min(len(files), filesPerChunk)
		if _, _, err := c.socket.WriteMsgUnix([]byte{0}, unix.UnixRights(files[:n]...), nil); err != nil {
			return fmt.Errorf("sending %d open files: %w", n, err)
		}
		files = files[n:]
	}
	return nil
}

// Receive takes a message, and its files, which are the caller's.
func (c *Conn) Receive(message any) ([]*os.File, error) {
	var head [8]byte
	if _, err := io.ReadFull(c.socket, head[:]); err != nil {
		return nil, err
	}
	size, count := binary.BigEndian.Uint32(head[:]), binary.BigEndian.Uint32(head[4:])
	if size > maxText || count > maxFiles {
		return nil, fmt.Errorf("a message of %d bytes with %d files: want %d and %d at most", size, count, maxText, maxFiles)
	}
	text, err := io.ReadAll(io.LimitReader(c.socket, int64(size))) // what never comes takes no memory
	if err == nil && len(text) < int(size) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	files, err := c.receiveFiles(int(count))
	if err == nil {
		err = json.Unmarshal(text, message)
	}
	if err != nil {
		closeAll(files)
		return nil, err
	}
	return files, nil
}

// receiveFiles takes the files of a message, all that came even if it fails.
func (c *Conn) receiveFiles(count int) (files []*os.File, err error) {
	room := make([]byte, unix.CmsgSpace(4*filesPerChunk))
	for len(files) < count {
		n, nroom, flags, _, err := c.socket.ReadMsgUnix(make([]byte, 1), room)
		if err == nil && n == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return files, err
		}
		before := len(files)
		if files, err = appendFiles(files, room[:nroom]); err != nil {
			return files, err
		}
		if flags&unix.MSG_CTRUNC != 0 {
			return files, fmt.Errorf("open files did not come through: too many may be open (ulimit -n): %w", unix.EMFILE)
		}
		if len(files) == before {
			return files, errors.New("a byte without the open files that it should carry")
		}
	}
	return files, nil
}

// appendFiles adds the files that control messages carry.
func appendFiles(files []*os.File, control []byte) ([]*os.File, error) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return files, err
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return files, err
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd) // recvmsg(2) is told so; should it not be, no child shall have them
			files = append(files, os.NewFile(uintptr(fd), "handed over"))
		}
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}
