package watch

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// screen is a terminal that keys are read from one by one, and that is drawn on. See
// termios(3) and console_codes(4).
type screen struct {
	in, out *os.File
	before  unix.Termios
}

// IsTerminal reports whether f is one.
func IsTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// openScreen takes a terminal over until close.
func openScreen(in, out *os.File) (*screen, error) {
	before, err := unix.IoctlGetTermios(int(in.Fd()), unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("the terminal: %w", err)
	}
	s := &screen{in, out, *before}
	raw := *before
	raw.Lflag &^= unix.ECHO | unix.ICANON // signals stay
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(int(in.Fd()), unix.TCSETS, &raw); err != nil {
		return nil, fmt.Errorf("the terminal: %w", err)
	}
	_, err = out.WriteString("\x1b[?1049h\x1b[?25l") // the other screen, no cursor
	return s, err
}

// close gives the terminal back as it was.
func (s *screen) close() {
	_, _ = s.out.WriteString("\x1b[?25h\x1b[?1049l")
	_ = unix.IoctlSetTermios(int(s.in.Fd()), unix.TCSETS, &s.before)
}

// size is how many lines and columns there are.
func (s *screen) size() (lines, columns int) {
	size, err := unix.IoctlGetWinsize(int(s.out.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Row == 0 || size.Col == 0 {
		return 24, 80
	}
	return int(size.Row), int(size.Col)
}

// draw shows lines from the top, each cut to the width; that of number bold in reverse.
func (s *screen) draw(text []string, bold int) error {
	height, width := s.size()
	var b strings.Builder
	b.WriteString("\x1b[H")
	for i, line := range text[:min(len(text), height)] {
		if i > 0 {
			b.WriteString("\r\n")
		}
		line = printable(line)
		line = line[:min(len(line), width)]
		if i == bold {
			line = "\x1b[7m" + line + "\x1b[0m"
		}
		b.WriteString(line + "\x1b[K")
	}
	b.WriteString("\x1b[J")
	_, err := s.out.WriteString(b.String())
	return err
}

// printable has no bytes that a terminal takes for a command.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, s)
}

// keys sends what is typed, a key each, until nothing more can be read.
func (s *screen) keys() <-chan byte {
	typed := make(chan byte, 16)
	go func() {
		defer close(typed)
		var b [64]byte
		for {
			n, err := s.in.Read(b[:])
			for _, c := range decode(b[:n]) {
				typed <- c
			}
			if n == 0 || err != nil {
				return
			}
		}
	}()
	return typed
}
