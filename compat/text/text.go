// Package text is the parsing that the command grammars of the legacy targets
// have in common: splitting a write into lines and a line into words, numbers
// whose prefix chooses the base, addresses, interface names, paths; and the labels
// of a drive, which two of them can set.
//
//	write ─Lines, Commands─▶ line ─Fields─▶ words ─Match─▶ command ─Number, Addr, Interface, Path, MAC─▶ value
//
// Everything is pure: strings in, values or errors out. What words mean is the
// dialects' affair (kvblade, aoeserver, vbladekernel), and carrying a command
// out is target's. Errors wrap target.ErrMalformed, target.ErrRange or
// target.ErrNoInterface, name the bad word, say where in the line it stands (At)
// and what was expected. What commands there are is said once, as a grammar that
// people read too (grammar.go).
package text

import (
	"fmt"

	"vbladefs/target"
)

// MaxLine is how many bytes a command may have: the longest path that Linux
// takes (PATH_MAX, 4096) and room for the words around it.
const MaxLine = 4096 + 256

// Malformed is an error that wraps target.ErrMalformed and says what is wrong.
func Malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", target.ErrMalformed, fmt.Sprintf(format, args...))
}

// Printable is s with every control character replaced by '?', so that no
// value breaks the line it is listed on.
func Printable(s string) string {
	if !hasControl(s) {
		return s
	}
	b := []byte(s)
	for i, c := range b {
		if control(c) {
			b[i] = '?'
		}
	}
	return string(b)
}

// Cut is the first n bytes of s, or all of it.
func Cut(s string, n int) string { return s[:min(n, len(s))] }

func control(c byte) bool { return c < ' ' || c == 0x7f }

func hasControl(s string) bool {
	for i := range len(s) {
		if control(s[i]) {
			return true
		}
	}
	return false
}
