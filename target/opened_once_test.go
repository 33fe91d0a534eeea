package target_test

import (
	"errors"
	"maps"
	"testing"
	"time"

	"vbladefs/target"
	"vbladefs/target/targettest"
)

// TestLinksAreOpenedOnce: the first add on an interface opens its links once,
// whatever becomes of it, and closes them if nothing is served there.
func TestLinksAreOpenedOnce(t *testing.T) {
	for _, tt := range []struct {
		name     string
		netif    string
		answered string // the interface where bob answers
		broken   string // the interface of which no links can be opened
		opened   map[string]int
	}{
		{"served", "eth0", "", "", map[string]int{"eth0": 1}},
		{"answered", "eth0", "eth0", "", map[string]int{"eth0": 1}},
		{"broken", "eth0", "", "eth0", map[string]int{"eth0": 1}},
		{"served everywhere", target.EveryInterface, "", "", map[string]int{"eth0": 1, "eth1": 1}},
		{"answered on the first", target.EveryInterface, "eth0", "", map[string]int{"eth0": 1}},
		{"answered on the second", target.EveryInterface, "eth1", "", map[string]int{"eth0": 1, "eth1": 1}},
		{"first broken", target.EveryInterface, "", "eth0", map[string]int{"eth0": 1, "eth1": 1}},
		{"second broken", target.EveryInterface, "", "eth1", map[string]int{"eth0": 1, "eth1": 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := targettest.NewMachine(t)
			config := m.Config()
			config.Hearing = time.Second // an answer ends the wait
			if tt.answered == "" {
				config.Hearing = time.Nanosecond
			}
			opened, open := map[string]int{}, config.Parts.OpenLinks
			config.Parts.OpenLinks = func(netif string, workers int) (target.LinkGroup, error) {
				opened[netif]++
				if netif == tt.broken {
					return nil, errors.New("no memory for a ring")
				}
				return open(netif, workers)
			}
			tgt := target.New(config)
			t.Cleanup(func() { targettest.CloseTarget(t, m, tgt) })
			for i, netif := range []string{"eth0", "eth1"} {
				tgt.InterfaceChanged(m.SetInterface(netif, i+1, 1500))
				if netif == tt.answered {
					answering(m, netif, blade)
				}
			}
			m.AddMedium("/disks/d", 100, false)
			err := tgt.Do(target.Export{Path: "/disks/d", Addr: blade, Interface: tt.netif})
			if !maps.Equal(opened, tt.opened) {
				t.Errorf("opened %v, want %v; %v", opened, tt.opened, err)
			}
		})
	}
}
