package ggaoed

import (
	"time"

	"vbladefs/target/aoe"
)

// Generation is the release whose rules a file follows.
type Generation string

// The generations of the file. A file is of 0.9 if it has a key "buffers" and none
// that only later releases know.
const (
	V09 Generation = "0.9"
	V11 Generation = "1.1"
)

// Where ggaoed keeps its files when the configuration does not say.
const (
	DefaultPIDFile        = "/var/run/ggaoed.pid"
	DefaultControlSocket  = "/var/run/ggaoed.sock"
	DefaultStateDirectory = "/var/lib/ggaoed"
)

// Config is a whole configuration file, with what it leaves out filled in.
type Config struct {
	Generation Generation
	Defaults   Defaults
	ACLs       []ACL       // in order of the file
	Devices    []Device    // in order of the file; names and addresses are unique
	Interfaces []Interface // in order of the file
}

// Defaults is the group [defaults].
type Defaults struct {
	Tuning // what devices have that say nothing else
	Socket // what interfaces have that say nothing else
	// Interfaces are patterns of those that are listened to; none: all of them.
	Interfaces []string
	TXRingBug  bool // accepted; the kernel it is about is 2.6.31

	// Absolute paths; empty: the default of the installation.
	PIDFile, ControlSocket, StateDirectory string
}

// Tuning is what a device has from [defaults] unless it says otherwise.
type Tuning struct {
	QueueLength int // 1-65535, the buffer count of config replies
	DirectIO    bool
	TraceIO     bool
	// MaxDelay is the window in which requests may be reordered, MergeDelay how long
	// one waits for its neighbours; both below a second.
	MaxDelay, MergeDelay time.Duration
}

// Socket is what an interface has from [defaults] unless it has a group that says
// otherwise.
type Socket struct {
	MTU        int // bytes at most; 0: the interface's own
	RingKiB    int // receive and transmit ring together; in a file of 0.9 "buffers" of 64 KiB
	SendKiB    int // 0: the system's default
	ReceiveKiB int // 0: the system's default
}

// ACL is a named list of [acls].
type ACL struct {
	Name string
	Line int
	List
}

// List is an access list: as written, and whom it means.
type List struct {
	Items []string  // MAC addresses, names of lists, names of ethers(5)
	Hosts []aoe.MAC // distinct, at most aoe.MaxListed
}

// Device is a group with a shelf: something that is exported.
type Device struct {
	Name string // of the group: serial number, and name in logs and of state files
	Line int
	Addr aoe.Addr
	Path string // absolute; where UUID is, if there is one
	UUID string
	Tuning
	ReadOnly   bool
	Broadcast  bool     // announced by broadcast even with an Accept list
	Interfaces []string // patterns, of those that are listened to; none: all of them
	// Accept are the only hosts that are answered, unless it is empty; Deny are not
	// answered.
	Accept, Deny List
}

// Interface is any other group: settings of the interface of this very name.
type Interface struct {
	Name string
	Line int
	Socket
}

// MTU is the upper limit of an interface's MTU in bytes; 0: there is none.
func (c Config) MTU(netif string) int {
	for _, i := range c.Interfaces {
		if i.Name == netif {
			return i.MTU
		}
	}
	return c.Defaults.MTU
}

// defaults is [defaults] when it is empty or missing.
func defaults(g Generation) Defaults {
	d := Defaults{
		Tuning: Tuning{QueueLength: 16, DirectIO: true, MaxDelay: time.Millisecond},
		Socket: Socket{RingKiB: 4096},
	}
	if g == V09 {
		d.QueueLength, d.RingKiB = 64, 4*bufferKiB
	}
	return d
}
