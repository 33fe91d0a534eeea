package targettest

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"vbladefs/target/aoe"
)

// words are the words of a line that are still to be read. The first error
// stays; what is read after it is zero.
type words struct {
	list []string
	err  error
}

// splitWords splits at spaces; "…" is one word, with Go's escapes, and so is
// what follows it without a space.
func splitWords(line string) *words {
	w := &words{}
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		end := 0
		if quoted, err := strconv.QuotedPrefix(line); err == nil {
			end = len(quoted)
		}
		if i := strings.IndexByte(line[end:], ' '); i >= 0 {
			end += i
		} else {
			end = len(line)
		}
		w.list = append(w.list, line[:end])
		line = line[end:]
	}
	return w
}

func (w *words) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

func (w *words) more() bool { return len(w.list) > 0 && w.err == nil }

// next takes the next word, which is a what.
func (w *words) next(what string) string {
	if !w.more() {
		w.fail("%s is missing", what)
		return ""
	}
	s := w.list[0]
	w.list = w.list[1:]
	return s
}

// accept takes the next word if it is s.
func (w *words) accept(s string) bool {
	if w.more() && w.list[0] == s {
		w.list = w.list[1:]
		return true
	}
	return false
}

func (w *words) number(what string, base, bits int) uint64 {
	s := w.next(what)
	n, err := strconv.ParseUint(s, base, bits)
	if err != nil {
		w.fail("%s %q: %v", what, s, err)
	}
	return n
}

// option is the number behind the word name, or otherwise.
func (w *words) option(name string, base, bits int, otherwise uint64) uint64 {
	if w.accept(name) {
		return w.number(name, base, bits)
	}
	return otherwise
}

// code is a word of names, or a decimal number.
func (w *words) code(what string, names []string) uint8 {
	s := w.next(what)
	for i, name := range names {
		if s == name {
			return uint8(i)
		}
	}
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil {
		w.fail("%s %q: want one of %v or a number", what, s, names)
	}
	return uint8(n)
}

// name is the word for a code.
func name(code uint8, names []string) string {
	if int(code) < len(names) {
		return names[code]
	}
	return strconv.Itoa(int(code))
}

// addr reads shelf.slot, either of which may be * for all.
func (w *words) addr() aoe.Addr {
	s := w.next("address")
	shelf, slot, _ := strings.Cut(s, ".")
	a := aoe.Addr{Shelf: aoe.AnyShelf, Slot: aoe.AnySlot}
	if shelf != "*" {
		n, err := strconv.ParseUint(shelf, 10, 16)
		if a.Shelf = uint16(n); err != nil {
			w.fail("address %q: want shelf.slot", s)
		}
	}
	if slot != "*" {
		n, err := strconv.ParseUint(slot, 10, 8)
		if a.Slot = uint8(n); err != nil {
			w.fail("address %q: want shelf.slot", s)
		}
	}
	return a
}

// text reads "…", or "…"*n for n times that.
func (w *words) text() []byte {
	s := w.next("string")
	quoted, err := strconv.QuotedPrefix(s)
	if err != nil {
		w.fail("string %q: %v", s, err)
		return nil
	}
	once, _ := strconv.Unquote(quoted)
	n := 1
	if rest := s[len(quoted):]; rest != "" {
		if n, err = strconv.Atoi(strings.TrimPrefix(rest, "*")); err != nil || n < 0 {
			w.fail("string %q: want \"…\"*times", s)
			return nil
		}
	}
	return []byte(strings.Repeat(once, n))
}

// bytes reads data to the end of the line or a word that is none: hex, hex*n
// for n times that, @lba+n for n sectors as a new medium holds them.
func (w *words) bytes() []byte {
	var data []byte
	for w.more() {
		b, ok := dataWord(w.list[0])
		if !ok {
			break
		}
		data = append(data, b...)
		w.list = w.list[1:]
	}
	return data
}

func dataWord(s string) ([]byte, bool) {
	if sectors, ok := strings.CutPrefix(s, "@"); ok {
		lba, n, ok := span(sectors)
		var data []byte
		for i := range n {
			data = append(data, Pattern(uint64(lba+i))...)
		}
		return data, ok
	}
	digits, times, repeated := strings.Cut(s, "*")
	b, err := hex.DecodeString(digits)
	if err != nil || len(b) == 0 {
		return nil, false
	}
	n := 1
	if repeated {
		if n, err = strconv.Atoi(times); err != nil || n < 0 || n > 1<<20 {
			return nil, false
		}
	}
	return []byte(strings.Repeat(string(b), n)), true
}

// span reads lba+n.
func span(s string) (lba, n int, ok bool) {
	first, count, _ := strings.Cut(s, "+")
	lba, err1 := strconv.Atoi(first)
	n, err2 := strconv.Atoi(count)
	return lba, n, err1 == nil && err2 == nil && lba >= 0 && n >= 0 && n < 1<<12
}

// formatText is what text reads.
func formatText(b []byte) string {
	if len(b) > 32 && strings.Count(string(b), string(b[:1])) == len(b) {
		return fmt.Sprintf("%q*%d", string(b[:1]), len(b))
	}
	return strconv.Quote(string(b))
}

// formatBytes is what bytes reads.
func formatBytes(b []byte) string {
	var list []string
	for len(b) > 0 {
		if lba, n := patternRun(b); n > 0 {
			list = append(list, fmt.Sprintf("@%d+%d", lba, n))
			b = b[n*aoe.SectorSize:]
			continue
		}
		n := 1
		for n < len(b) && b[n] == b[0] {
			n++
		}
		if n > 3 {
			list = append(list, fmt.Sprintf("%02x*%d", b[0], n))
		} else {
			n = 1
			list = append(list, hex.EncodeToString(b[:1]))
		}
		b = b[n:]
	}
	return strings.Join(list, " ")
}

// patternRun is how many sectors at the start of b are those of a new medium,
// and the first of them.
func patternRun(b []byte) (lba uint64, n int) {
	for len(b) >= aoe.SectorSize {
		at, err := strconv.ParseUint(string(b[7:15]), 10, 64)
		if n == 0 {
			lba = at
		}
		if err != nil || at != lba+uint64(n) || string(Pattern(at)) != string(b[:aoe.SectorSize]) {
			break
		}
		b, n = b[aoe.SectorSize:], n+1
	}
	return lba, n
}
