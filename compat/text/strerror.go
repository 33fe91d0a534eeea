package text

import (
	"errors"
	"strings"
	"syscall"
)

// Strerror is what the C library says of err, as the daemons that were written in
// C print it: the errno in it, if there is one, which Go says in lower case.
func Strerror(err error) string {
	said := err.Error()
	if errno := syscall.Errno(0); errors.As(err, &errno) {
		said = errno.Error()
	}
	first := min(len(said), 1)
	return strings.ToUpper(said[:first]) + said[first:]
}
