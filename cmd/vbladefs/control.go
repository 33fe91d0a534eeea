package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A control is a mounted control tree, as its users see it.
type control struct {
	mount string
	log   *os.File // read to its end, to learn of what comes; nil: not readable
}

func openControl(mount string) *control {
	c := &control{mount: mount}
	if log, err := os.Open(c.path("log")); err == nil {
		c.log = log
		_, _ = io.Copy(io.Discard, log)
	}
	return c
}

func (c *control) path(name string) string { return filepath.Join(c.mount, name) }

// refusal is a command that the daemon did not carry out.
type refusal struct {
	errno  error
	column int    // of the word to blame; 0: none
	reason string // from the log; empty: not found there
}

func (r *refusal) Error() string {
	name, reason := "", r.reason
	var errno unix.Errno
	if errors.As(r.errno, &errno) {
		name = unix.ErrnoName(errno) + ": "
	}
	if reason == "" {
		reason = r.errno.Error()
	}
	return name + reason
}

func (r *refusal) Unwrap() error { return r.errno }

// write gives a file of the tree a line, in one write(2).
func (c *control) write(name, line string) error {
	f, err := os.OpenFile(c.path(name), os.O_WRONLY, 0)
	if err != nil {
		return c.missing(err)
	}
	defer f.Close()
	data := []byte(line + "\n")
	n, err := unix.Write(int(f.Fd()), data)
	for err == nil && n < len(data) { // the error comes with the rest
		data = data[n:]
		n, err = unix.Write(int(f.Fd()), data)
	}
	if err != nil {
		return c.refusal(name, err)
	}
	return nil
}

// refusal finds what the log says of the last write that a file refused. Its
// form is in vbladefs-ctl(5).
func (c *control) refusal(name string, errno error) *refusal {
	r := &refusal{errno: errno}
	if c.log == nil {
		return r
	}
	news, _ := io.ReadAll(c.log)
	for _, line := range strings.Split(string(news), "\n") {
		_, event, found := strings.Cut(line, " "+name+": refused ")
		quoted, err := strconv.QuotedPrefix(event)
		if !found || err != nil {
			continue
		}
		place, reason, _ := strings.Cut(event[len(quoted):], ": ")
		r.column = 0
		_, _ = fmt.Sscanf(strings.TrimPrefix(place, "…"), " at column %d", &r.column)
		_, r.reason, _ = strings.Cut(reason, ": ") // after the errno
	}
	return r
}

// missing tells what is wrong when a file of the tree cannot be opened.
func (c *control) missing(err error) error {
	if _, there := os.Stat(c.path("README")); there == nil || errors.Is(err, fs.ErrPermission) {
		return err
	}
	return fmt.Errorf("no control tree is mounted on %s: start `vbladefs serve %s`, or say with -mount where it is", c.mount, c.mount)
}
