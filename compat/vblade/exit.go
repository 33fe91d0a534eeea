package vblade

import (
	"fmt"
	"syscall"

	"vbladefs/compat/text"
	"vbladefs/target"
)

// Exit is how vblade ends before its time: what it says on stderr, without the
// last newline, and its exit code; sheet §2.
type Exit struct {
	Text string
	Code int

	key, reason string // of a mistake in a persistence file: in which value, and what
}

func (e *Exit) Error() string { return e.Text }

func fail(text string) *Exit { return &Exit{Text: text, Code: 1} }

// in says which value of a persistence file was wrong, and how.
func (e *Exit) in(key, format string, args ...any) *Exit {
	e.key, e.reason = key, fmt.Sprintf(format, args...)
	return e
}

// usage is the usage line, behind a line that says why, if the original had one
// or would have run on.
func usage(env Env, why string) *Exit {
	if why != "" {
		why = env.Argv0 + ": " + why + "\n"
	}
	return fail(why + "usage: " + env.Argv0 +
		" [-b bufcnt] [-o offset] [-l length] [-d ] [-s] [-r] [ -m mac[,mac...] ] shelf slot netif filename")
}

// NotOpened is the end if the file cannot be opened.
func NotOpened(err error) *Exit { return fail("open: " + text.Strerror(err)) }

// NoInterface is the end if there is no interface of that name. perror(3) puts no
// colon behind nothing.
func NoInterface(netif string) *Exit {
	said := text.Strerror(syscall.ENODEV)
	if netif != "" {
		said = netif + ": " + said
	}
	return fail(said).in("netif", "%s: want the name of an Ethernet interface", text.Quote(netif))
}

// NoSocket is the end if no raw socket can be had.
func NoSocket(err error) *Exit { return fail("got bad socket: " + text.Strerror(err)) }

// Sectors is how many of a file's sectors c exports, 512 bytes each. An error is
// an *Exit.
func (c Command) Sectors(size uint64) (uint64, error) {
	offset, length := c.Export.Offset, c.Export.Length
	switch {
	case size == 0:
		return 0, fail("0-sector file size is too small")
	case offset >= size:
		return 0, fail(fmt.Sprintf("Offset %d too large for %d-sector export", offset, size))
	case length > size-offset:
		return 0, fail(fmt.Sprintf("Length %d too big - exceeds size of file!", length))
	case length == 0:
		return size - offset, nil
	}
	return length, nil
}

// StartLine is what vblade prints before it answers the first frame, with its
// newline. sectors is what Sectors has returned.
func (c Command) StartLine(pid int, sectors uint64) string {
	mode := "O_RDWR"
	if c.Export.Access == target.AccessReadOnly {
		mode = "O_RDONLY"
	}
	return fmt.Sprintf("pid %d: e%s, %d sectors %s\n", pid, c.Export.Addr, sectors, mode)
}
