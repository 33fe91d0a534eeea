package fusectl

import (
	"reflect"
	"testing"

	"vbladefs/compat/vbladekernel"
	"vbladefs/target"
)

// described is an engine that shows what it is given and does nothing.
type described struct {
	Engine
	ports []target.PortInfo
}

func (d described) Ports() []target.PortInfo { return d.ports }

// TestTotal sets every counter of two ports, so that a new one cannot be
// forgotten in the sum.
func TestTotal(t *testing.T) {
	var one, sum target.Stats
	for i, v, total := 0, reflect.ValueOf(&one).Elem(), reflect.ValueOf(&sum).Elem(); i < v.NumField(); i++ {
		v.Field(i).SetUint(uint64(i + 1))
		total.Field(i).SetUint(2 * uint64(i+1))
	}
	tree := &tree{engine: described{ports: []target.PortInfo{{Stats: one}, {Stats: one}}}}
	c, ok := vbladeDir.child(tree, subject{}, "stats")
	if !ok {
		t.Fatal("there is no vblade/stats")
	}
	got, ok := c.file.text(tree, c.subject)
	if want := vbladekernel.ListStats(sum); !ok || string(got) != string(want) {
		t.Errorf("got %s, want %s", got, want)
	}
}
