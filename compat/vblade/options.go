package vblade

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"vbladefs/compat/getopt"
	"vbladefs/compat/text"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// options are those of a command line, sheet §1.
type options struct {
	buffers        int64
	offset, length int64 // sectors; length 0: not given
	direct, sync   bool
	readOnly       bool
	masks          []aoe.MAC
}

var letters = []getopt.Option{{Letter: 'b', Value: true}, {Letter: 'd'}, {Letter: 's'}, {Letter: 'r'},
	{Letter: 'm', Value: true}, {Letter: 'o', Value: true}, {Letter: 'l', Value: true}}

// take takes the options of args, and returns the other words.
func (o *options) take(args []string, env Env) (rest []string, err error) {
	rest, err = getopt.Parse(args, letters, env.Posix, func(letter byte, value string) error { return o.set(env, letter, value) })
	var wrong *getopt.Error
	switch {
	case !errors.As(err, &wrong):
		return rest, err
	case wrong.Unknown:
		return nil, usage(env, wrong.Text).in("options", "%s: want -b, -d, -l, -m, -o, -r or -s", wrong.Text)
	}
	return nil, usage(env, wrong.Text).in("options", "%s", wrong.Text)
}

// set takes an option, one of letters.
func (o *options) set(env Env, letter byte, value string) error {
	ok := true
	switch letter {
	case 'b':
		o.buffers, _ = leadingNumber(value, 10) // checked when all options are there: the last one counts
	case 'd':
		o.direct = true
	case 's':
		o.sync = true
	case 'r':
		o.readOnly = true
	case 'm':
		return o.mask(env, value)
	case 'o':
		o.offset, ok = leadingNumber(value, 0)
		ok = ok && o.offset >= 0
	case 'l':
		o.length, ok = leadingNumber(value, 0)
		ok = ok && o.length >= 1
	}
	if !ok {
		return usage(env, "").in("options", "-%c: %s: want a number of sectors", letter, text.Quote(value))
	}
	return nil
}

// cache is the write policy: -s wins, since it is the safer.
func (o *options) cache() target.Cache {
	switch {
	case o.sync:
		return target.CacheDurable
	case o.direct:
		return target.CacheDirect
	}
	return target.CacheWriteback
}

func (o *options) access() target.Access {
	if o.readOnly {
		return target.AccessReadOnly
	}
	return target.AccessReadWrite
}

// mask takes -m, a list.
func (o *options) mask(env Env, list string) error {
	for word := range strings.SplitSeq(list, ",") {
		host, ok := parseMAC(word)
		if !ok {
			return badMask(env, text.Quote(word)+": want six pairs of hex digits, such as 02:00:00:00:00:09")
		}
		o.masks = append(o.masks, host)
		if len(o.masks) > aoe.MaxListed {
			return badMask(env, fmt.Sprintf("%s is one too many: want at most %d", host, aoe.MaxListed))
		}
	}
	return nil
}

func badMask(env Env, reason string) *Exit {
	return fail(env.Argv0+": -m "+reason).in("options", "-m: %s", reason)
}

// parseMAC reads six pairs of hex digits, each with a colon behind it or none,
// sheet §1.1.
func parseMAC(s string) (host aoe.MAC, ok bool) {
	for i := range host {
		if len(s) < 2 {
			return aoe.MAC{}, false
		}
		high, ok1 := hexDigit(s[0])
		low, ok2 := hexDigit(s[1])
		if !ok1 || !ok2 {
			return aoe.MAC{}, false
		}
		host[i] = high<<4 | low
		s = strings.TrimPrefix(s[2:], ":")
	}
	return host, s == ""
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

// leadingNumber is C's strtoll: blanks, a sign, and digits up to the first that is
// none; base 0 takes 0x and a leading 0 as others do. It is not ok if there are no
// digits. What is too large is the largest there is.
func leadingNumber(s string, base int64) (n int64, ok bool) {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	if base == 0 {
		base = 10
		if len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x' && digit(s[2], 16) >= 0 {
			base, s = 16, s[2:]
		} else if strings.HasPrefix(s, "0") {
			base = 8
		}
	}
	for i := 0; i < len(s) && digit(s[i], base) >= 0; i++ {
		ok = true
		if d := digit(s[i], base); n > (math.MaxInt64-d)/base {
			n = math.MaxInt64
		} else {
			n = n*base + d
		}
	}
	if negative {
		n = -n
	}
	return n, ok
}

// digit is the value of c in base, or -1.
func digit(c byte, base int64) int64 {
	if v, ok := hexDigit(c); ok && int64(v) < base {
		return int64(v)
	}
	return -1
}
