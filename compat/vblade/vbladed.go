package vblade

import "strings"

// Background is what vbladed makes of its arguments: vblade's. It joins them by
// blanks, so one with a blank in it becomes several. checked is Debian's variant,
// which wants four at least; upstream's takes anything and returns 0. Either
// starts vblade with stdin from /dev/null and its output to syslog, by the tag
// BackgroundTag, and returns at once. An error is an *Exit.
func Background(args []string, checked bool) ([]string, error) {
	if checked && len(args) < 4 {
		return nil, fail("usage: ./vblade <shelf> <slot> <ethn> <device>")
	}
	return strings.FieldsFunc(strings.Join(args, " "), func(c rune) bool { return c == ' ' || c == '\t' || c == '\n' }), nil
}

// BackgroundTag is what messages of a vblade in the background have in syslog.
const BackgroundTag = "vbladed"
