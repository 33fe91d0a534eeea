//lint:file-ignore SA1019 mdlayher/raw is the portable link by design; it is frozen, and calls its successor

package netio

import (
	"errors"
	"fmt"
	"reflect"
	"syscall"
	"unsafe"

	"github.com/mdlayher/raw"
	"golang.org/x/sys/unix"
)

// rawSocket returns the socket of a connection, which the library keeps to itself: Conn.p.c is its *packet.Conn, and that
// tells. Where the library is another, an error says so.
func rawSocket(conn *raw.Conn) (syscall.RawConn, error) {
	v := reflect.ValueOf(conn)
	for _, name := range []string{"p", "c"} {
		if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
			return nil, errors.New("the library for raw links has changed: no socket in its connection")
		}
		v = v.Elem().FieldByName(name)
	}
	if !v.IsValid() || v.Kind() != reflect.Pointer || v.IsNil() {
		return nil, errors.New("the library for raw links has changed: no socket in its connection")
	}
	c, ok := reflect.NewAt(v.Type().Elem(), v.UnsafePointer()).Interface().(syscall.Conn)
	if !ok {
		return nil, errors.New("the library for raw links has changed: its connection does not tell the socket")
	}
	return c.SyscallConn()
}

// siocGStampNS is SIOCGSTAMPNS_OLD of asm-generic/sockios.h, whose answer is a struct timespec.
const siocGStampNS = 0x8907

// lastStamp returns when the frame came in that was read last from a socket, in nanoseconds of CLOCK_REALTIME; the first
// call has frames be stamped from some milliseconds later on (net/core/sock.c sock_gettstamp). What has no stamp has
// that of the call.
func lastStamp(fd uintptr) (int64, error) {
	var t unix.Timespec
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, siocGStampNS, uintptr(unsafe.Pointer(&t))); errno != 0 && errno != unix.ENOENT {
		return 0, fmt.Errorf("SIOCGSTAMPNS: %w", errno)
	}
	return t.Nano(), nil
}
