package ggaoed

import (
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"vbladefs/compat/text"
)

// value is a variable of a Config that a key sets. An error of parse says what is
// allowed, the rest is said by who calls it; note is what the user should know.
type value interface {
	parse(raw string) (note string, err error)
	print() string
}

// integer is a number from least to most, or 0 if that is allowed besides. The
// file has it in units.
type integer struct {
	p           *int
	least, most int
	orZero      bool
	unit        int
}

func (v integer) parse(raw string) (string, error) {
	n, rest, ok := number(raw)
	if !ok || (n < v.least || n > v.most) && !(v.orZero && n == 0) {
		return "", v.wants()
	}
	*v.p = n * v.unit
	return ignored(rest), nil
}

func (v integer) wants() error {
	switch {
	case v.orZero:
		return fmt.Errorf("want 0, or a decimal number from %d on", v.least)
	case v.most == maxInt:
		return fmt.Errorf("want a decimal number from %d on", v.least)
	}
	return fmt.Errorf("want a decimal number from %d to %d", v.least, v.most)
}

func (v integer) print() string { return strconv.Itoa(*v.p / v.unit) }

// number reads a decimal number of 32 bits as g_key_file_get_integer does, with
// what stands behind it and white space.
func number(raw string) (n int, rest string, ok bool) {
	digits := strings.TrimLeft(raw, blanks)
	if end := strings.IndexAny(digits, blanks); end >= 0 {
		digits, rest = digits[:end], strings.Trim(digits[end:], blanks)
	}
	wide, err := strconv.ParseInt(digits, 10, 32)
	return int(wide), rest, err == nil
}

func ignored(rest string) string {
	if rest == "" {
		return ""
	}
	return quote(rest) + " behind the number means nothing: a comment has a line of its own"
}

// boolean is true, false, 1 or 0.
type boolean struct{ p *bool }

func (v boolean) parse(raw string) (string, error) {
	switch strings.TrimRight(raw, blanks) {
	case "true", "1":
		*v.p = true
	case "false", "0":
		*v.p = false
	default:
		return "", fmt.Errorf("want true, false, 1 or 0, and nothing behind it")
	}
	return "", nil
}

func (v boolean) print() string { return strconv.FormatBool(*v.p) }

// seconds is a time below one second: at least, and where that is not 0, more.
type seconds struct {
	p     *time.Duration
	least time.Duration
}

func (v seconds) parse(raw string) (string, error) {
	raw = strings.Trim(raw, blanks)
	x, err := strconv.ParseFloat(raw, 64)
	decimal := strings.Trim(raw, "0123456789+-.eE") == "" // no nan, inf or hexadecimal
	if err != nil || !decimal || x < 0 || x >= 1 || x == 0 && v.least > 0 {
		if v.least > 0 {
			return "", fmt.Errorf("want seconds, more than 0 and less than 1, such as 0.001")
		}
		return "", fmt.Errorf("want seconds, at least 0 and less than 1, such as 0.001")
	}
	d := min(time.Duration(math.Round(x*1e9)), maxBelowOne)
	if x > 0 {
		d = max(d, 1)
	}
	*v.p = d
	return "", nil
}

func (v seconds) print() string { return strconv.FormatFloat(v.p.Seconds(), 'g', -1, 64) }

// newFile is the path of a file to be made. One that ends in a slash is the folder
// that it is made in, under its usual name.
type newFile struct {
	p         *string
	dir, name string
	most      int // bytes; 0: as many as Linux takes
}

func (v newFile) parse(raw string) (note string, err error) {
	path, err := absolute(raw, v.dir)
	if err != nil {
		return "", err
	}
	if strings.HasSuffix(raw, "/") {
		path = filepath.Join(path, v.name)
		note = "a folder: taken as " + path
	}
	if v.most > 0 && len(path) > v.most {
		return "", fmt.Errorf("%d bytes: want a path of at most %d", len(path), v.most)
	}
	*v.p = path
	return note, nil
}

func (v newFile) print() string { return escape(*v.p) }

// folder is the path of a folder that is there already.
type folder struct {
	p   *string
	env Env
}

func (v folder) parse(raw string) (string, error) {
	path, err := absolute(raw, v.env.Dir)
	if err != nil {
		return "", err
	}
	if v.env.Folder != nil {
		if err := v.env.Folder(path); err != nil {
			return "", fmt.Errorf("want an existing folder that can be written to: %w", err)
		}
	}
	*v.p = path
	return "", nil
}

func (v folder) print() string { return escape(*v.p) }

// absolute reads a path. A relative one starts at dir.
func absolute(raw, dir string) (string, error) {
	path, err := str(raw)
	switch {
	case err != nil:
		return "", err
	case path == "":
		return "", fmt.Errorf("want a path")
	case !filepath.IsAbs(path):
		path = filepath.Join("/", dir, path)
	}
	switch {
	case text.Printable(path) != path:
		return "", fmt.Errorf("want a path without control characters")
	case len(path) > text.MaxPath:
		return "", fmt.Errorf("%d bytes: want a path of at most %d", len(path), text.MaxPath)
	}
	return path, nil
}

// str reads a string that stands alone.
func str(raw string) (string, error) {
	if !utf8.ValidString(raw) {
		return "", errText
	}
	if s, ok := unescape(raw); ok {
		return s, nil
	}
	return "", errEscape
}

var (
	errText   = fmt.Errorf("want UTF-8")
	errEscape = fmt.Errorf(`a backslash: want \s (blank), \n, \t, \r or \\`)
)
