package text

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"
)

func TestStrerror(t *testing.T) {
	for want, err := range map[string]error{
		"No such file or directory": &fs.PathError{Op: "open", Path: "/f", Err: syscall.ENOENT},
		"No buffer space available": fmt.Errorf("send: %w", syscall.ENOBUFS),
		"Input/output error":        syscall.EIO,
		"Odd":                       errors.New("odd"),
		"":                          errors.New(""),
	} {
		if got := Strerror(err); got != want {
			t.Errorf("%#v: got %q, want %q", err, got, want)
		}
	}
}
