package ggaoed

import (
	"cmp"
	"encoding/binary"
	"slices"

	"vbladefs/target/aoe"
)

// The files of a state directory, sheet §3. They are little-endian, and what
// lies behind the text or the entries that count is left over and means nothing.
const (
	ConfigFileSize = 1032
	ListFileSize   = 2048

	configMagic = 0x38a0bfae
	listMagic   = 0xe92a716b
	fileHead    = 8 // magic, then length or count
	listEntry   = 8 // a MAC and two bytes of nothing
)

// The names of a device's state files are its own and one of these.
const (
	ConfigSuffix  = ".config"
	MaskSuffix    = ".mac_mask"
	ReserveSuffix = ".reserve"
)

// What is behind the name of a state file while it is written, and of one that was
// none when it was found.
const (
	NewSuffix = ".new"
	BadSuffix = ".bad"
)

// ConfigFile is the file that holds a config string of at most
// aoe.MaxConfigString bytes.
func ConfigFile(config []byte) []byte {
	b := make([]byte, ConfigFileSize)
	binary.LittleEndian.PutUint32(b, configMagic)
	binary.LittleEndian.PutUint32(b[4:], uint32(copy(b[fileHead:], config)))
	return b
}

// ParseConfigFile reads a config string; not ok: the file is none of ggaoed's.
func ParseConfigFile(b []byte) (config []byte, ok bool) {
	if len(b) != ConfigFileSize || binary.LittleEndian.Uint32(b) != configMagic {
		return nil, false
	}
	n := binary.LittleEndian.Uint32(b[4:])
	if n > aoe.MaxConfigString {
		return nil, false
	}
	return b[fileHead : fileHead+n : fileHead+n], true
}

// maxEntries is what a list file has room for.
const maxEntries = (ListFileSize - fileHead) / listEntry

// ListFile is the file that holds a list of hosts.
func ListFile(hosts []aoe.MAC) []byte {
	b := make([]byte, ListFileSize)
	hosts = hosts[:min(len(hosts), maxEntries)]
	binary.LittleEndian.PutUint32(b, listMagic)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(hosts)))
	for i, host := range hosts {
		copy(b[fileHead+i*listEntry:], host[:])
	}
	return b
}

// ParseListFile reads a list of hosts, which may be longer than aoe.MaxListed; not
// ok: the file is none of ggaoed's.
func ParseListFile(b []byte) (hosts []aoe.MAC, ok bool) {
	if len(b) != ListFileSize || binary.LittleEndian.Uint32(b) != listMagic {
		return nil, false
	}
	n := binary.LittleEndian.Uint32(b[4:])
	if n > maxEntries {
		return nil, false
	}
	for i := range int(n) {
		hosts = append(hosts, aoe.MAC(b[fileHead+i*listEntry:]))
	}
	return hosts, true
}

// SortMasks puts a mask list in the order that ggaoed keeps it in: by the last
// byte first, since it compares entries as little-endian numbers.
func SortMasks(hosts []aoe.MAC) []aoe.MAC {
	return slices.SortedFunc(slices.Values(hosts), func(a, b aoe.MAC) int {
		for i := len(a) - 1; i >= 0; i-- {
			if order := cmp.Compare(a[i], b[i]); order != 0 {
				return order
			}
		}
		return 0
	})
}
