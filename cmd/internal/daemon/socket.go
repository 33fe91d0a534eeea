package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Sockets through which a daemon is controlled: whoever may write to one may
// export any disk of this machine, so they are for their owner alone from the
// first moment on, in a folder where nobody else can exchange them.

// ListenStream makes a stream socket at path, which the returned listener
// removes when it is closed.
func ListenStream(path string) (*net.UnixListener, error) {
	fd, err := bindSocket(path, unix.SOCK_STREAM)
	if err != nil {
		return nil, err
	}
	if err := unix.Listen(fd, unix.SOMAXCONN); err != nil {
		return nil, errors.Join(fmt.Errorf("socket %s: %w", path, err), unix.Close(fd))
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	unixListener := l.(*net.UnixListener)
	unixListener.SetUnlinkOnClose(false) // another may lie there by then; see RemoveSocket
	return unixListener, nil
}

// ListenDatagram makes a datagram socket at path.
func ListenDatagram(path string) (*net.UnixConn, error) {
	fd, err := bindSocket(path, unix.SOCK_DGRAM)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	c, err := net.FilePacketConn(f)
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	return c.(*net.UnixConn), nil
}

// RemoveSocket takes the socket at path away, if there is one.
func RemoveSocket(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().Type() != fs.ModeSocket {
		return nil
	}
	return errors.Join(err, os.Remove(path))
}

// endPatience is how long the socket of a daemon that was killed may outlive it:
// until the kernel has torn down all that the process had.
const endPatience = 2 * time.Second

func bindSocket(path string, kind int) (int, error) {
	if err := checkSocketFolder(filepath.Dir(path)); err != nil {
		return -1, err
	}
	err := clearSocket(path, kind)
	for end := time.Now().Add(endPatience); errors.Is(err, unix.EADDRINUSE) && time.Now().Before(end); err = clearSocket(path, kind) {
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		return -1, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	// unix(7): bind gives the new file the mode of the socket, less the umask.
	err = unix.Fchmod(fd, 0o600)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	}
	if err != nil {
		return -1, errors.Join(fmt.Errorf("socket %s: %w", path, err), unix.Close(fd))
	}
	return fd, nil
}

// checkSocketFolder refuses a folder in which others could put another socket
// in the place of ours.
func checkSocketFolder(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("folder of the socket: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("folder of the socket: %s: %w", dir, unix.ENOTDIR)
	}
	owner := int(info.Sys().(*syscall.Stat_t).Uid)
	if owner != 0 && owner != os.Geteuid() {
		return fmt.Errorf("folder of the socket: %s belongs to user %d, who could exchange the socket: choose another folder", dir, owner)
	}
	if info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return fmt.Errorf("folder of the socket: others may write to %s and exchange the socket (mode %04o): chmod go-w, or choose another folder",
			dir, info.Mode().Perm())
	}
	return nil
}

// clearSocket removes a socket that nobody listens at any more. Anything else
// at path is refused, a symbolic link above all.
func clearSocket(path string, kind int) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("socket %s: there is something else (%s): move it away, or choose another path", path, info.Mode())
	}
	fd, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	switch err = unix.Connect(fd, &unix.SockaddrUnix{Name: path}); {
	case errors.Is(err, unix.ECONNREFUSED):
		return os.Remove(path)
	case err == nil, errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EPROTOTYPE):
		return fmt.Errorf("socket %s: another daemon listens there: end it, or choose another path: %w", path, unix.EADDRINUSE)
	}
	return fmt.Errorf("socket %s: %w", path, err)
}
