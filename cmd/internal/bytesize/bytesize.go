// Package bytesize reads and writes sizes in bytes as flags have them: 512, 4k, 16m.
package bytesize

import (
	"fmt"
	"strconv"
	"strings"
)

// Size is a flag value in bytes that accepts suffixes of powers of 1024.
type Size int64

// String is Format.
func (s *Size) String() string { return Format(int64(*s)) }

// Set is Parse.
func (s *Size) Set(text string) error {
	v, err := Parse(text)
	if err == nil {
		*s = Size(v)
	}
	return err
}

// Parse reads a number of bytes such as 512, 4k, 16m, 1g or 4KiB.
func Parse(text string) (int64, error) {
	t := strings.ToLower(text)
	t = strings.TrimSuffix(strings.TrimSuffix(t, "b"), "i")
	shift := 0
	if t != "" {
		if i := strings.IndexByte("kmgt", t[len(t)-1]); i >= 0 {
			t, shift = t[:len(t)-1], 10*(i+1)
		}
	}
	v, err := strconv.ParseInt(t, 10, 64)
	if err != nil || v < 0 || v > (1<<62)>>shift {
		return 0, fmt.Errorf("size %q: want bytes, with k, m, g or t for powers of 1024, such as 4k", text)
	}
	return v << shift, nil
}

// Format writes bytes with the largest suffix that divides them.
func Format(v int64) string {
	suffixes := []string{"", "k", "m", "g", "t"}
	i := 0
	for v != 0 && v%1024 == 0 && i < len(suffixes)-1 {
		v, i = v/1024, i+1
	}
	return strconv.FormatInt(v, 10) + suffixes[i]
}
