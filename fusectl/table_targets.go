package fusectl

import (
	"fmt"
	"time"

	"vbladefs/compat/native"
	"vbladefs/compat/vbladekernel"
	"vbladefs/target"
)

// targetsDir is this project's own view: a folder for each address, whichever
// part of the tree it was added through.
var targetsDir = &dir{
	name:  "targets",
	about: "all addresses; ADDRESS is e<SHELF>.<SLOT>, in decimal",
	files: []*file{
		{
			name: "blades", about: "addresses, each with its drive; one goes with its last port, or by del",
			takes: native.BladesGrammars, gives: "ADDRESS DRIVE PORTS, a line an address", long: true,
			parse: func(_ *tree, _ subject, line, _ string) (target.Operation, error) { return native.ParseBlades(line) },
			read:  func(t *tree, _ subject) ([]byte, bool) { return native.ListBlades(t.engine.State()), true },
		},
		{
			name: "ports", about: "where addresses can be reached; INTERFACE may be a pattern",
			takes: native.PortsGrammars, long: true,
			gives: "ADDRESS INTERFACE BUFFERS SECTORS EFFECTIVE_SECTORS up|down [quiet] [force], a line a port",
			parse: func(_ *tree, _ subject, line, _ string) (target.Operation, error) { return native.ParsePorts(line) },
			read:  func(t *tree, _ subject) ([]byte, bool) { return native.ListPorts(t.engine.Ports()), true },
		},
		{
			name: "limits", about: "bytes that frames on an interface fill at most, as MTU, though its own is larger",
			takes: native.LimitsGrammars, gives: "INTERFACE MTU, a line a limit", long: true,
			parse: func(_ *tree, _ subject, line, _ string) (target.Operation, error) { return native.ParseLimits(line) },
			read:  func(t *tree, _ subject) ([]byte, bool) { return native.ListLimits(t.engine.Limits()), true },
		},
		statusFile,
		exportStatsFile,
	},
	dirs: []*dir{bladeDir},
}

var bladeDir = &dir{
	name:  "e<SHELF>.<SLOT>",
	about: "an address",
	list: func(t *tree, _ subject) []subject {
		return folders(t.engine.Blades(), func(b target.BladeInfo) subject {
			return subject{name: native.FolderName(b.Addr), addr: b.Addr}
		})
	},
	find: func(t *tree, _ subject, name string) (subject, bool) {
		addr, ok := native.ParseFolderName(name)
		if ok {
			_, ok = t.engine.Blade(addr)
		}
		return subject{name: name, addr: addr}, ok
	},
	files: []*file{
		bladeFile("drive", "name of the drive", func(_ *tree, b target.BladeInfo) []byte { return []byte(native.DriveName(b)) }),
		configFile(),
		hostsFile("accept", "hosts that alone are answered, while there are any", target.AcceptList),
		hostsFile("deny", "hosts that are not answered", target.DenyList),
		hostsFile("masks", "the protocol's MAC mask list, which initiators change, too", target.MaskList),
		hostsFile("reserve", "the protocol's reserve list, which initiators change, too", target.ReserveList),
		accessFile("ask for the config string or a list", target.ReadConfig),
		accessFile("change the config string or a list", target.StoreConfig),
		accessFile("read data", target.ReadData),
		accessFile("write data", target.WriteData),
		loudFile(),
		bladeReadOnlyFile(),
		unmeasured(bladeFile("stats", "counters of the address: NAME VALUE, a line each", bladeStats)),
		unmeasured(bladeFile("initiators", "MAC INTERFACE REQUESTS SECONDS_AGO, a line a host, latest first",
			func(t *tree, b target.BladeInfo) []byte {
				return native.ListInitiators(t.engine.Initiators(b.Addr), time.Now())
			})),
		unmeasured(bladeFile("conflicts", "other machines that answer: MAC INTERFACE REPLIES SECONDS_AGO, a line each",
			func(t *tree, b target.BladeInfo) []byte {
				return native.ListConflicts(t.engine.Conflicts(b.Addr), time.Now())
			})),
		latencyFile,
		traceFile,
	},
	dirs: []*dir{bladePortsDir},
}

// bladeFile is an attribute of an address.
func bladeFile(name, gives string, show func(*tree, target.BladeInfo) []byte) *file {
	return &file{name: name, gives: gives, read: func(t *tree, s subject) ([]byte, bool) {
		blade, ok := t.engine.Blade(s.addr)
		if !ok {
			return nil, false
		}
		return show(t, blade), true
	}}
}

func configFile() *file {
	f := bladeFile("config", "the config string, which initiators change, too",
		func(_ *tree, b target.BladeInfo) []byte { return []byte(native.ConfigText(b)) })
	f.value, f.takes = true, []string{native.ConfigGrammar}
	f.parse = func(_ *tree, s subject, line, _ string) (target.Operation, error) {
		return native.ParseConfig(s.addr, line)
	}
	return f
}

// hostsFile is a list of hosts that is kept for an address.
func hostsFile(name, about string, list target.HostList) *file {
	f := unmeasured(bladeFile(name, "a MAC a line", func(_ *tree, b target.BladeInfo) []byte {
		return native.ListHosts(native.Hosts(b, list))
	}))
	f.about, f.takes = about, native.HostsGrammars
	f.parse = func(_ *tree, s subject, line, _ string) (target.Operation, error) {
		return native.ParseHosts(s.addr, list, line)
	}
	return f
}

func loudFile() *file {
	f := bladeFile("loud", "1 or 0: whether all are told of the address, whatever its lists say",
		func(_ *tree, b target.BladeInfo) []byte { return []byte(native.LoudText(b)) })
	f.value, f.takes = true, []string{native.SwitchGrammar}
	f.parse = func(_ *tree, s subject, line, _ string) (target.Operation, error) {
		return native.ParseLoud(s.addr, line)
	}
	return f
}

// accessFile is the access list of an address at one point.
func accessFile(what string, point target.AccessPoint) *file {
	f := unmeasured(bladeFile(point.String(), "the commands that make the list; empty: everyone may",
		func(_ *tree, b target.BladeInfo) []byte { return native.ListAccess(b.Access[point]) }))
	f.about, f.takes = "access list: hosts that may "+what, native.AccessGrammars
	f.parse = func(_ *tree, s subject, line, _ string) (target.Operation, error) {
		return native.ParseAccess(s.addr, point, line)
	}
	return f
}

// bladeReadOnlyFile is the readonly of the drive that an address leads to.
func bladeReadOnlyFile() *file {
	f := bladeFile("readonly", "1 or 0: whether its drive refuses writes", func(t *tree, b target.BladeInfo) []byte {
		drive, _ := t.engine.Drive(b.Drive)
		return []byte(native.ReadOnlyText(drive))
	})
	f.value, f.takes = true, []string{native.SwitchGrammar}
	f.parse = func(t *tree, s subject, line, _ string) (target.Operation, error) {
		blade, ok := t.engine.Blade(s.addr)
		if !ok {
			return nil, fmt.Errorf("%w: nothing is exported at %s", target.ErrNoPort, s.addr)
		}
		return native.ParseReadOnly(blade.Drive, line)
	}
	return f
}

func bladeStats(t *tree, b target.BladeInfo) []byte {
	var total target.Stats
	for _, port := range t.engine.BladePorts(b.Addr) {
		total.Add(port.Stats)
	}
	return vbladekernel.ListStats(total)
}

var bladePortsDir = &dir{
	name:  "ports",
	about: "where the address can be reached",
	dirs:  []*dir{bladePortDir},
}

var bladePortDir = &dir{
	name:  "<INTERFACE>",
	about: "a port; the name may be a pattern",
	list: func(t *tree, in subject) []subject {
		return folders(t.engine.BladePorts(in.addr), func(p target.PortInfo) subject {
			return subject{name: p.Interface, addr: p.Addr, netif: p.Interface}
		})
	},
	find: func(t *tree, in subject, name string) (subject, bool) {
		_, ok := t.engine.Port(in.addr, name)
		return subject{name: name, addr: in.addr, netif: name}, ok
	},
	files: []*file{
		portFile("buffers", "buffer count as configured", func(p target.PortInfo) string { return fmt.Sprintln(p.Buffers) }),
		portFile("sectors", "most sectors of a request as configured; 0: what the MTU allows",
			func(p target.PortInfo) string { return fmt.Sprintln(p.Sectors) }),
		portFile("effective_sectors", "the same as advertised; 0 while the port is down",
			func(p target.PortInfo) string { return fmt.Sprintln(p.EffectiveSectors) }),
		portFile("state", "up, or down and why", native.PortState),
		unmeasured(portFile("stats", "counters: NAME VALUE, a line each",
			func(p target.PortInfo) string { return string(vbladekernel.ListStats(p.Stats)) })),
	},
}

// portFile is an attribute of a port.
func portFile(name, gives string, show func(target.PortInfo) string) *file {
	return &file{name: name, gives: gives, read: func(t *tree, s subject) ([]byte, bool) {
		port, ok := t.engine.Port(s.addr, s.netif)
		return []byte(show(port)), ok
	}}
}
