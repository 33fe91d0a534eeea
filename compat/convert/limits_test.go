package convert

import (
	"fmt"
	"testing"

	"vbladefs/compat/ggaoed"
)

// The mtu of ggaoed's [defaults] becomes a limit of the interfaces that an export can
// be on, and of no others that the machine has.
func TestLimitsOfWhatIsServed(t *testing.T) {
	for interfaces, want := range map[string]string{
		"interfaces = eth0\n": "[{eth0 1500}]",
		"interfaces = eth*\n": "[{eth0 1500} {eth1 1500}]",
		"":                    "[{docker0 1500} {eth0 1500} {eth1 1500}]",
		"interfaces = eth0\n[eth9]\nmtu = 4000\n": "[{eth0 1500} {eth9 4000}]",
	} {
		text := "[defaults]\nmtu = 1500\n[d]\npath = /dev/sda\nshelf = 0\nslot = 1\n" + interfaces
		s, _, err := State([]File{{Name: "f", Kind: GGAoED, Text: []byte(text)}},
			Env{GGAoED: ggaoed.Env{}, Interfaces: []string{"eth0", "eth1", "docker0"}})
		if got := fmt.Sprint(s.Limits); err != nil || got != want {
			t.Errorf("%q: limits %s, %v; want %s", interfaces, got, err, want)
		}
	}
}
