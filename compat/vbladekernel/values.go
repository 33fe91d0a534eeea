package vbladekernel

import (
	"fmt"

	"vbladefs/compat/text"
	"vbladefs/target"
)

// This file is the first one-value files of a drive's folder; package native has
// the others. They are this project's own; each gives its value and a newline.

// Path is the text of path.
func Path(d target.DriveInfo) string { return text.Printable(d.Path) + "\n" }

// Size is the text of size: sectors of 512 bytes, as in /sys/block/*/size.
func Size(d target.DriveInfo) string { return fmt.Sprintf("%d\n", d.Sectors) }

// Offset is the text of offset: the sector of the disk where the drive begins.
func Offset(d target.DriveInfo) string { return fmt.Sprintf("%d\n", d.Offset) }

// Length is the text of length, as the drive was added; 0: to the end.
func Length(d target.DriveInfo) string { return fmt.Sprintf("%d\n", d.Length) }

// Cache is the text of cache: the drive's write policy.
func Cache(d target.DriveInfo) string { return string(d.Cache) + "\n" }

// CacheGrammar is what a drive's cache may be.
const CacheGrammar = "writeback (in the page cache), direct (in the device's own), or durable (on the medium before the reply)"

// ParseCache reads what is written to a drive's cache.
func ParseCache(drive, value string) (target.Operation, error) {
	words := text.Fields(value, " \t\n\v\f\r")
	if len(words) != 1 {
		return nil, text.Malformed("write policy %s: want %s", text.Quote(value), CacheGrammar)
	}
	switch cache := target.Cache(words[0].Text); cache {
	case target.CacheWriteback, target.CacheDirect, target.CacheDurable:
		return target.SetCache{Drive: drive, Cache: cache}, nil
	default:
		return nil, words[0].Malformed("write policy %s: want %s", words[0], CacheGrammar)
	}
}
