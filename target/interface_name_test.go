package target_test

import (
	"errors"
	"strings"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// TestInterfaceNames: what no saved command could say is refused under every name
// of the interface.
func TestInterfaceNames(t *testing.T) {
	for _, name := range []string{"#x", "#", "a\x01", "a/b", "eth?", "a,b"} {
		m := targettest.NewMachine(t)
		config := m.Config()
		lookup := config.Parts.LookupInterface
		config.Parts.LookupInterface = func(given string) (target.Interface, error) {
			if given == "alternative" {
				given = name
			}
			return lookup(given)
		}
		tgt := target.New(config)
		t.Cleanup(func() { targettest.CloseTarget(t, m, tgt) })
		tgt.InterfaceChanged(m.SetInterface(name, 1, 1500))
		m.AddMedium("/disks/d", 100, false)
		for _, given := range []string{name, "alternative"} {
			if strings.ContainsAny(given, "?,") {
				continue // a pattern
			}
			for _, wait := range []bool{false, true} {
				must(t, tgt.Do(target.AddDrive{Name: "d", Path: "/disks/d"}))
				err := tgt.Do(target.AddPort{Drive: "d", Addr: aoe.Addr{}, Interface: given, Wait: wait})
				if !errors.Is(err, target.ErrNoInterface) || name[0] == '#' && !strings.Contains(err.Error(), "comment") || len(tgt.Ports()) > 0 {
					t.Errorf("%q, given as %q, wait %t: got %v and %v", name, given, wait, err, tgt.Ports())
				}
				must(t, tgt.Do(target.RemoveDrive{Name: "d"}))
			}
		}
	}
}
