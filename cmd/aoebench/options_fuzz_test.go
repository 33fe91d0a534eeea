package main

import (
	"errors"
	"strings"
	"testing"

	"vbladefs/target/aoe"
)

// FuzzOptions: any words are a workload of which every value is in range, or a
// mistake of the user's.
func FuzzOptions(f *testing.F) {
	for _, line := range []string{"-i eth0 -t e0.1 --rw randrw --verify --size 256m --runtime 30s", "-i eth0 --discover", "-i eth0 -t e0-39.0-249 --depth 1 --rate 1e3",
		"-i eth0 -t e0.1 --rate NaN", "-i eth0 -t e0.1 --bs 9223372036854775807", "-i x -t 1.1 --pid 1,2 --retransmit linux --timeout 1h", "-h", "x"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		o, err := parseOptions(strings.Fields(line))
		switch {
		case err != nil && !errors.Is(err, errUsage):
			t.Errorf("%q: %v is no mistake of a command line", line, err)
		case err != nil:
		case o.netif == "" || len(o.addrs) == 0 && !o.discover || o.depth < 1 || o.depth > maxDepth || o.block < aoe.SectorSize || o.block > maxBlock ||
			o.block%aoe.SectorSize != 0 || o.window < 0 || o.runtime <= 0 || o.span < 0 || !(o.rate >= 0):
			t.Errorf("%q: taken as %+v", line, o)
		}
	})
}
