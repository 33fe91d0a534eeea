package text

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// MaxPath is the longest path that Linux takes, PATH_MAX without its NUL.
const MaxPath = 4095

// Number reads word as the number called what, from least to most. Its prefix
// chooses the base as strtoul(3) does with base 0: 0x hexadecimal, 0 octal,
// else decimal. Junk, signs and blanks are malformed, other values out of range.
func Number(what string, word Word, least, most uint64) (uint64, error) {
	digits, base := word.Text, 10
	switch {
	case strings.HasPrefix(digits, "0x"), strings.HasPrefix(digits, "0X"):
		digits, base = digits[2:], 16
	case len(digits) > 1 && digits[0] == '0':
		digits, base = digits[1:], 8
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, word.Malformed("%s %s is no number: want %d to %d in decimal, 0x hexadecimal or 0 octal",
			what, word, least, most)
	}
	if err != nil || n < least || n > most {
		return 0, word.At(fmt.Errorf("%w: %s %s: want %d to %d", target.ErrRange, what, word, least, most))
	}
	return n, nil
}

// Bytes reads word as a number of bytes, called what, from least to most: in
// decimal, perhaps with K, M, G, T or P behind it for powers of 1024.
func Bytes(what string, word Word, least, most uint64) (uint64, error) {
	digits, shift := word.Text, 0
	if n := len(digits); n > 1 {
		if power := strings.IndexByte("KMGTP", digits[n-1]&^0x20); power >= 0 {
			digits, shift = digits[:n-1], 10*(power+1)
		}
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, word.Malformed("%s %s is no number of bytes: want one such as 512, 64M or 10G", what, word)
	}
	if err != nil || n > most>>shift || n<<shift < least {
		return 0, word.At(fmt.Errorf("%w: %s %s: want %d to %d bytes", target.ErrRange, what, word, least, most))
	}
	return n << shift, nil
}

// Addr reads the shelf and the slot of an address.
func Addr(shelf, slot Word) (aoe.Addr, error) {
	major, err := Number("shelf", shelf, 0, target.MaxShelf)
	if err != nil {
		return aoe.Addr{}, err
	}
	minor, err := Number("slot", slot, 0, target.MaxSlot)
	if err != nil {
		return aoe.Addr{}, err
	}
	return aoe.Addr{Shelf: uint16(major), Slot: uint8(minor)}, nil
}

// Interface checks that an interface can be called word and named in commands, or
// that it is a pattern of names (target.CheckInterface). An impossible name is an
// interface that does not exist.
func Interface(word Word) (string, error) {
	if err := target.CheckInterface(word.Text); err != nil {
		return "", word.At(err)
	}
	return word.Text, nil
}

// Path makes word the absolute path of a file or device. A relative one starts
// at cwd, the folder of whoever wrote it; an empty cwd refuses it. A URI
// (target.IsURI) stays as it is.
func Path(word Word, cwd string) (string, error) {
	path := word.Text
	if !target.IsBacking(path) {
		if !strings.HasPrefix(cwd, "/") {
			return "", word.Malformed("path %s is not absolute: want one that starts with /, or a URI such as nbd://host/export", word)
		}
		path = filepath.Join(cwd, path)
	}
	if len(path) > MaxPath {
		return "", word.At(fmt.Errorf("%w: a path of %d bytes: want at most %d", target.ErrTooLong, len(path), MaxPath))
	}
	if strings.Contains(path, " ") { // of cwd: no command could name it, and so no saved state
		return "", word.Malformed("path %s has a blank in its folder: want one without; a symbolic link to it will do", Quote(path))
	}
	if hasControl(path) {
		return "", word.Malformed("path %s has a control character in it: want one that can be printed", Quote(path))
	}
	return path, nil
}

// MAC reads a host's address.
func MAC(word Word) (aoe.MAC, error) {
	host, err := aoe.ParseMAC(word.Text)
	if err != nil {
		return aoe.MAC{}, word.Malformed("%v", err)
	}
	return host, nil
}
