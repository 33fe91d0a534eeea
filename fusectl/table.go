package fusectl

import (
	"vbladefs/compat/aoeserver"
	"vbladefs/compat/kvblade"
	"vbladefs/compat/text"
	"vbladefs/compat/vbladekernel"
	"vbladefs/target"
)

// root returns the table of the tree. The order of rows is that of the README.
func root() *dir {
	return &dir{
		files: []*file{readmeFile, aoeserverFile, savedFile, restoreFile, logFile},
		dirs:  []*dir{kvbladeDir, vbladeDir, targetsDir, interfacesDir},
	}
}

var readmeFile = &file{
	name:  "README",
	about: "this text",
	gives: "what each file here takes and gives",
	read:  func(t *tree, _ subject) ([]byte, bool) { return t.readme, true },
}

var logFile = &file{
	name:   "log",
	about:  "the last events, newest last: first of all why a write was refused",
	gives:  "TIME LEVEL MESSAGE, a line an event; tail -f works",
	follow: true,
	read: func(t *tree, _ subject) ([]byte, bool) {
		events, _ := t.events.snapshot()
		return events, true
	},
}

var aoeserverFile = &file{
	name:    "aoeserver",
	about:   "as aoeserver's /proc/aoeserver; without INTERFACE: all of them, now and later",
	takes:   aoeserver.Grammars,
	gives:   "all exports, newest first, then their access lists",
	dialect: aoeserverDialect,
	long:    true,
	split:   text.Commands,
	parse: func(_ *tree, _ subject, line, cwd string) (target.Operation, error) {
		return aoeserver.Parse(line, cwd)
	},
	read: func(t *tree, _ subject) ([]byte, bool) {
		return aoeserver.List(aoeserver.State(t.engine.State())), true
	},
}

// kvbladeDir is kvblade's /sys/kvblade. Reading its command files fails, as it
// did; "*" as INTERFACE is ours.
var kvbladeDir = &dir{
	name:  "kvblade",
	about: "as kvblade's /sys/kvblade; INTERFACE may be * for all of them, now and later",
	files: []*file{
		recordFile("add", "exports a disk", kvblade.AddGrammar, kvblade.ParseAdd),
		recordFile("del", "ends an export; returns when nothing is answered any more", kvblade.DelGrammar,
			func(line, _ string) (target.Operation, error) { return kvblade.ParseDel(line) }),
		recordFile("readd", "puts another disk under an export", kvblade.ReaddGrammar, kvblade.ParseReadd),
		{
			name: "announce", about: "tells all initiators of all exports", takes: []string{kvblade.AnnounceGrammar},
			dialect: kvbladeDialect, value: true,
			parse: func(_ *tree, _ subject, line, _ string) (target.Operation, error) { return kvblade.ParseAnnounce(line) },
		},
	},
	dirs: []*dir{exportDir},
}

// recordFile is a command file of kvblade.
func recordFile(name, about, grammar string, parse func(line, cwd string) (target.Operation, error)) *file {
	return &file{
		name: name, about: about, takes: []string{grammar}, dialect: kvbladeDialect,
		split: kvblade.Split(grammar),
		parse: func(_ *tree, _ subject, line, cwd string) (target.Operation, error) { return parse(line, cwd) },
	}
}

var exportDir = &dir{
	name:  "<SHELF>.<SLOT>@<INTERFACE>",
	about: "an export",
	list: func(t *tree, _ subject) []subject {
		return folders(t.engine.Ports(), func(p target.PortInfo) subject {
			return subject{name: kvblade.ExportName(p.Addr, p.Interface), addr: p.Addr, netif: p.Interface}
		})
	},
	find: func(t *tree, _ subject, name string) (subject, bool) {
		addr, netif, ok := kvblade.ParseExportName(name)
		if ok {
			_, ok = t.engine.Port(addr, netif)
		}
		return subject{name: name, addr: addr, netif: netif}, ok
	},
	files: []*file{
		exportFile("scnt", "size in sectors of 512 bytes", kvblade.Export.Size),
		exportFile("scst", "the same", kvblade.Export.Size),
		exportFile("bdev", "MAJOR:MINOR of the block device, 0:0 for a file", kvblade.Export.Device),
		exportFile("bpath", "path of the disk", kvblade.Export.Path),
		labelFile(exportFile("model", "model, 40 characters", kvblade.Export.Model), text.ParseModel, text.ModelGrammar),
		labelFile(exportFile("sn", "serial number, 20 characters", kvblade.Export.Serial), text.ParseSerial, text.SerialGrammar),
		exportFile("busy", "requests in flight", kvblade.Export.Busy),
		exportFile("mtu", "bytes of data in a frame", kvblade.Export.MTU),
		unmeasured(exportFile("stats", "counters: NAME VALUE, a line each", func(e kvblade.Export) string {
			return string(vbladekernel.ListStats(e.Port.Stats))
		})),
	},
}

// exportFile is an attribute of an export.
func exportFile(name, gives string, show func(kvblade.Export) string) *file {
	return &file{name: name, gives: gives, dialect: kvbladeDialect, read: func(t *tree, s subject) ([]byte, bool) {
		port, ok := t.engine.Port(s.addr, s.netif)
		if !ok {
			return nil, false
		}
		drive, ok := t.engine.Drive(port.Drive)
		return []byte(show(kvblade.Export{Port: port, Drive: drive})), ok
	}}
}

// unmeasured has f show a size of 0: collectors read thousands of such files,
// and the kernel would ask for the size each time.
func unmeasured(f *file) *file {
	f.long = true
	return f
}

// labelFile lets the drive's label be written through an export's attribute f.
func labelFile(f *file, parse func(drive, value string) (target.Operation, error), takes string) *file {
	f.value, f.takes = true, []string{takes}
	f.parse = func(t *tree, s subject, line, _ string) (target.Operation, error) {
		port, ok := t.engine.Port(s.addr, s.netif)
		if !ok {
			return nil, target.ErrNoPort
		}
		return parse(port.Drive, line)
	}
	return f
}
