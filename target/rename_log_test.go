package target_test

import (
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"

	"vbladefs/target"
	"vbladefs/target/targettest"
)

// Only an interface with ports is said to have them under its new name.
func TestRenameIsLoggedWithPortsOnly(t *testing.T) {
	m := targettest.NewMachine(t)
	c := m.Config()
	said := test.NewLocal(c.Log)
	c.Log.SetLevel(logrus.InfoLevel)
	tgt := target.New(c)
	t.Cleanup(func() { targettest.CloseTarget(t, m, tgt) })
	lines := func() (n int) {
		for _, e := range said.AllEntries() {
			if strings.Contains(e.Message, "is called") {
				n++
			}
		}
		return n
	}
	tgt.InterfaceChanged(m.SetInterface("eth0", 1, 1500))
	tgt.InterfaceChanged(m.SetInterface("eth1", 1, 1500))
	if n := lines(); n != 0 {
		t.Errorf("%d lines of an interface without ports", n)
	}
	m.AddMedium("/disks/d", 100, false)
	must(t, tgt.Do(target.AddDrive{Name: "d", Path: "/disks/d"}))
	must(t, tgt.Do(target.AddPort{Drive: "d", Addr: blade, Interface: "*"}))
	tgt.InterfaceChanged(m.SetInterface("eth2", 1, 1500))
	if n := lines(); n != 1 {
		t.Errorf("%d lines of one with a port, want 1", n)
	}
}
