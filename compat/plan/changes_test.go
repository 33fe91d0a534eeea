package plan

import (
	"fmt"
	"strings"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// TestOrder: what is done, and in which order, for each kind of change.
func TestOrder(t *testing.T) {
	a, b := valid("a", 0), valid("b", 1)
	with := func(e Export, edit func(*Export)) Export {
		edit(&e)
		return e
	}
	at := func(e Export, slot uint8) Export { return with(e, func(e *Export) { e.Addr.Slot = slot }) }
	on := func(e Export, netifs ...string) Export { return with(e, func(e *Export) { e.Interfaces = netifs }) }
	for _, tt := range []struct {
		what     string
		old, new []Export
		want     string
	}{
		{"nothing", []Export{a, b}, []Export{b, a}, ""},
		{"start", nil, []Export{a}, "AddDrive a, AddBlade 0.0, AddPort 0.0 eth0"},
		{"end", []Export{a}, nil, "RemoveBlade 0.0, RemoveDrive a"},
		{"another takes its place", []Export{a}, []Export{at(b, 0)},
			"RemoveBlade 0.0, RemoveDrive a, AddDrive b, AddBlade 0.0, AddPort 0.0 eth0"},
		{"path", []Export{a}, []Export{with(a, func(e *Export) { e.Path = "/new" })}, "Rebind 0.0 eth0 /new"},
		{"path, to be read only", []Export{a}, []Export{with(a, func(e *Export) { e.Path, e.Access = "/new", target.AccessReadOnly })},
			"SetReadOnly a true, Rebind 0.0 eth0 /new"},
		{"path, to be written", []Export{with(a, func(e *Export) { e.Access = target.AccessReadOnly })}, []Export{with(a, func(e *Export) { e.Path = "/new" })},
			"Rebind 0.0 eth0 /new, SetReadOnly a false"},
		{"policy and identity", []Export{with(a, func(e *Export) { e.Cache = target.CacheDirect })},
			[]Export{with(a, func(e *Export) { e.Cache, e.Model, e.Serial, e.Firmware = target.CacheDurable, "m", "s", 1 })},
			"SetCache a durable, SetModel a m, SetSerial a s, SetFirmware a 1"},
		{"serial number that is the default", []Export{a}, []Export{with(a, func(e *Export) { e.Serial = "a" })}, ""},
		{"policy that is the default", []Export{with(a, func(e *Export) { e.Cache = target.CacheDirect })}, []Export{a},
			"RemoveBlade 0.0, RemoveDrive a, AddDrive a, AddBlade 0.0, SetConfig 0.0, AddPort 0.0 eth0"},
		{"window", []Export{a}, []Export{with(a, func(e *Export) { e.Offset = 8 })},
			"RemoveBlade 0.0, RemoveDrive a, AddDrive a, AddBlade 0.0, SetConfig 0.0, AddPort 0.0 eth0"},
		{"name of the drive, for another's", []Export{a, b}, []Export{with(a, func(e *Export) { e.Drive = "b" }), with(b, func(e *Export) { e.Drive = "a" })},
			"RemoveBlade 0.0, RemoveDrive a, RemoveBlade 0.1, RemoveDrive b, AddDrive b, AddDrive a, " +
				"AddBlade 0.0, SetConfig 0.0, AddBlade 0.1, SetConfig 0.1, AddPort 0.0 eth0, AddPort 0.1 eth0"},
		{"address", []Export{a}, []Export{at(a, 7)}, "AddBlade 0.7, SetConfig 0.7, AddPort 0.7 eth0, RemoveBlade 0.0"},
		{"address and path", []Export{a}, []Export{with(at(a, 7), func(e *Export) { e.Path = "/new" })},
			"RemoveBlade 0.0, RemoveDrive a, AddDrive a, AddBlade 0.7, SetConfig 0.7, AddPort 0.7 eth0"},
		{"address of one that goes on to another", []Export{a, b}, []Export{at(a, 1), at(b, 2)},
			"AddBlade 0.2, SetConfig 0.2, AddPort 0.2 eth0, RemoveBlade 0.1, AddBlade 0.1, SetConfig 0.1, AddPort 0.1 eth0, RemoveBlade 0.0"},
		{"addresses that swap", []Export{a, b}, []Export{at(a, 1), at(b, 0)},
			"RemoveBlade 0.0, AddBlade 0.0, SetConfig 0.0, AddPort 0.0 eth0, RemoveBlade 0.1, AddBlade 0.1, SetConfig 0.1, AddPort 0.1 eth0"},
		{"interface", []Export{a}, []Export{on(a, "eth1")}, "AddPort 0.0 eth1, RemovePort 0.0 eth0"},
		{"one interface of two", []Export{on(a, "eth0", "eth1")}, []Export{on(a, "eth1", "eth2")}, "AddPort 0.0 eth2, RemovePort 0.0 eth0"},
		{"interfaces that overlap", []Export{on(a, "eth0", "br0")}, []Export{on(a, "br0", "eth*")}, "RemovePort 0.0 eth0, AddPort 0.0 eth*"},
		{"interfaces that overlap all", []Export{a}, []Export{on(a, "eth*")}, "RemoveBlade 0.0, AddBlade 0.0, SetConfig 0.0, AddPort 0.0 eth*"},
		{"buffers", []Export{a}, []Export{with(a, func(e *Export) { e.Buffers = 3 })}, "SetPort 0.0 eth0"},
		{"buffers that are the default", []Export{a}, []Export{with(a, func(e *Export) { e.Buffers = target.DefaultBuffers })}, ""},
		{"lists, before a new port", []Export{a}, []Export{with(on(a, "eth0", "eth1"), func(e *Export) {
			e.Accept, e.Lists[target.WriteData], e.Loud = []aoe.MAC{{1}}, &target.AccessList{}, true
		})}, "SetHosts 0.0 accept list, SetAccess 0.0 write, SetLoud 0.0 true, AddPort 0.0 eth1"},
	} {
		kept := func(addr aoe.Addr) target.BladeInfo {
			return target.BladeInfo{Addr: addr, Drive: "x", Config: []byte("kept")}
		}
		if got := brief(Changes(Plan{Exports: tt.old}, Plan{Exports: tt.new}, kept)); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.what, got, tt.want)
		}
	}
}

// brief is what operations are about.
func brief(ops []target.Operation) string {
	var words []string
	for _, op := range ops {
		var s string
		switch op := op.(type) {
		case target.AddDrive:
			s = op.Name
		case target.RemoveDrive:
			s = op.Name
		case target.SetReadOnly:
			s = fmt.Sprint(op.Drive, " ", op.ReadOnly)
		case target.SetCache:
			s = fmt.Sprint(op.Drive, " ", op.Cache)
		case target.SetModel:
			s = op.Drive + " " + op.Model
		case target.SetSerial:
			s = op.Drive + " " + op.Serial
		case target.SetFirmware:
			s = fmt.Sprint(op.Drive, " ", op.Firmware)
		case target.AddBlade:
			s = op.Addr.String()
		case target.RemoveBlade:
			s = op.Addr.String()
		case target.Rebind:
			s = fmt.Sprint(op.Addr, " ", op.Interface, " ", op.Path)
		case target.AddPort:
			s = fmt.Sprint(op.Addr, " ", op.Interface)
		case target.SetPort:
			s = fmt.Sprint(op.Addr, " ", op.Interface)
		case target.RemovePort:
			s = fmt.Sprint(op.Addr, " ", op.Interface)
		case target.SetHosts:
			s = fmt.Sprint(op.Addr, " ", op.List)
		case target.SetConfig:
			s = op.Addr.String()
		case target.SetAccess:
			s = fmt.Sprint(op.Addr, " ", op.Point)
		case target.SetLoud:
			s = fmt.Sprint(op.Addr, " ", op.Loud)
		}
		words = append(words, strings.TrimPrefix(fmt.Sprintf("%T", op), "target.")+" "+s)
	}
	return strings.Join(words, ", ")
}

// TestLimits: an MTU limit that goes ends, one that stays is left alone.
func TestLimits(t *testing.T) {
	old := Plan{Limits: []target.MTULimit{{Interface: "a", MTU: 1500}, {Interface: "b", MTU: 1500}, {Interface: "c", MTU: 1500}}}
	next := Plan{Limits: []target.MTULimit{{Interface: "c", MTU: 1500}, {Interface: "b", MTU: 2000}, {Interface: "d", MTU: 3000}}}
	if got, want := fmt.Sprint(Changes(old, next, nil)), "[{b 2000} {d 3000} {a 0}]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
