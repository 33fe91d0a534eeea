// Package fusectl is the control tree: a FUSE filesystem in which the files of
// kvblade, aoeserver and vblade-kernel, and some of our own, drive the engine.
//
//	write ─writer─▶ line ─compat dialect─▶ operation ─Engine.Do─▶ engine
//	                 errno ◀─errno.go─ error ◀──┘
//	read  ◀─handle── text ◀─compat dialect─ snapshot ◀─ engine
//
// The tables (table*.go) say which files there are, who may write them, what they take and
// give and which dialect's errno they answer with; the tree's README and Help
// are made from them. The node types (node_dir.go, node_file.go) know
// FUSE and nothing of disks; folders and files hold no state of their own and
// ask the engine each time, so that nothing stale is ever seen.
//
// The state of the engine is text too: the file saved gives it as the commands of
// this tree that make it again (saved.go), Replay carries such a text out through
// the same tables, and Check does so on an engine without disks and network.
//
// Files behave as in procfs and sysfs. Reading gives a snapshot taken when the
// file was opened, and a new one whenever it is read from offset 0. A write is
// one command a line (writer.go, cut.go). Every file is open with direct I/O: the kernel
// caches nothing, and short counts and errno reach whoever writes. The kernel
// itself checks permissions (default_permissions).
//
// Operations take effect one after the other, so one that waits holds others up:
// a removal, which waits for requests in flight, for a few seconds at most; one
// that opens a disk, those only that open one too. Reading waits for none. This
// package holds no lock across Engine.Do but that of the open file.
//
// This package parses nothing (compat does), decides nothing about exports
// (target does) and never logs to a place of its own: events go to the logger
// that it is given.
package fusectl

import (
	"github.com/sirupsen/logrus"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// Engine is what the tree needs of target.Target. All methods may be called
// concurrently, and readers may not wait for a Do that takes its time.
type Engine interface {
	// Do carries an operation out as a whole or not at all.
	Do(target.Operation) error
	// Drives and Ports are in the order of creation.
	Drives() []target.DriveInfo
	Ports() []target.PortInfo
	Limits() []target.MTULimit
	Drive(name string) (target.DriveInfo, bool)
	// DrivePorts are the ports of a drive, in the order of creation.
	DrivePorts(name string) []target.PortInfo
	Port(addr aoe.Addr, netif string) (target.PortInfo, bool)
	// Blades are in ascending order.
	Blades() []target.BladeInfo
	Blade(addr aoe.Addr) (target.BladeInfo, bool)
	// BladePorts are the ports of an address, in the order of creation.
	BladePorts(addr aoe.Addr) []target.PortInfo
	// Initiators and Conflicts are those of an address, latest first.
	Initiators(addr aoe.Addr) []target.Initiator
	Conflicts(addr aoe.Addr) []target.Conflict
	// Exports describes all addresses in sum, in ascending order, and has each called
	// with the latencies of each; nil: nobody asks for them.
	Exports(each func(int, *target.Latencies)) []target.ExportInfo
	// Latencies are those of an address.
	Latencies(addr aoe.Addr) (target.Latencies, bool)
	// Trace is what was recorded of an address, nil if nothing was.
	Trace(addr aoe.Addr) (*target.Trace, bool)
	// Clients are the initiators of an interface, latest first.
	Clients(netif string) []target.Client
	// Interfaces are those that have ports, by name.
	Interfaces() []target.InterfaceInfo
	Interface(name string) (target.InterfaceInfo, bool)
	// Served reports whether anything was ever exported.
	Served() bool
	// State is all of the above at one moment.
	State() target.State
}

// Options are the choices of whoever mounts the tree.
type Options struct {
	// Logger gets every command: refused ones at warn level with the reason,
	// others at info level. Nil: they go to the file log alone.
	Logger *logrus.Logger
	// Events feeds the file log. To show the daemon's own events there too,
	// add it as a hook to Logger; nil: Mount makes one and adds it.
	Events *Events
	// Group is the group that may write beside root; 0: root alone.
	Group uint32
	// NonEmpty mounts over a folder that holds something.
	NonEmpty bool
	// Save makes what is exported durable now; nil: nothing is kept.
	Save func() error
	// Settle waits, for a while at most, until what was changed is durable. It
	// is called at the end of each write; nil: nothing is kept.
	Settle func()
}
