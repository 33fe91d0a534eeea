package ggaoed

import (
	"bytes"
	"slices"
	"testing"

	"vbladefs/target/aoe"
)

// FuzzStateFile: whatever lies in a state directory is a config string, a list of
// hosts or none of ggaoed's files, and never two of these; what was read is written
// as it was, but for what is behind it.
func FuzzStateFile(f *testing.F) {
	f.Add(ConfigFile([]byte("text")))
	f.Add(ConfigFile(make([]byte, aoe.MaxConfigString)))
	f.Add(ListFile([]aoe.MAC{{2, 1}, {2, 2}}))
	f.Add(ListFile(make([]aoe.MAC, maxEntries)))
	f.Add(ListFile(nil)[:100])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		config, isConfig := ParseConfigFile(b)
		hosts, isList := ParseListFile(b)
		switch {
		case isConfig && isList:
			t.Fatal("one file is two")
		case isConfig:
			if len(config) > aoe.MaxConfigString || cap(config) != len(config) || !bytes.Equal(ConfigFile(config)[:fileHead+len(config)], b[:fileHead+len(config)]) {
				t.Fatalf("%q is in % x", config, b)
			}
		case isList:
			again, ok := ParseListFile(ListFile(hosts))
			if !ok || len(hosts) > maxEntries || !slices.Equal(again, hosts) {
				t.Fatalf("%v came back as %v", hosts, again)
			}
			if sorted := SortMasks(hosts); len(sorted) != len(hosts) || !slices.Equal(SortMasks(sorted), sorted) {
				t.Fatalf("%v is sorted as %v", hosts, sorted)
			}
		}
	})
}
