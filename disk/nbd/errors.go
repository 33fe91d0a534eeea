package nbd

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// errShutdown is a server's NBD_ESHUTDOWN: what it did not do is for the one that comes after it.
var errShutdown = errors.New("the server is shutting down")

// violation is a reply that the protocol does not have. The connection is of no more use.
func violation(format string, args ...any) error {
	return fmt.Errorf("the server breaks the protocol: "+format, args...)
}

// errnoOf is what an error value of a reply means here (proto.md, "Error values"). A server says nothing with others, and
// must not have us believe that a request should be repeated for ever.
func errnoOf(value uint32) error {
	switch value {
	case 0:
		return nil
	case 1:
		return unix.EPERM
	case 12:
		return unix.ENOMEM
	case 22:
		return unix.EINVAL
	case 28:
		return unix.ENOSPC
	case 75:
		return unix.EOVERFLOW
	case 95:
		return unix.EOPNOTSUPP
	case 108:
		return errShutdown
	}
	return unix.EIO
}
