// Package qaoed reads the configuration of qaoed, prints it, changes it as
// qaoed's API does, and makes of it what there is to export.
//
//	text ─lex, parse─▶ sections ─read, resolve─▶ Config ─Plan─▶ compat/plan
//	     ◀───────────────Print─────────────────────┘ └─AddTarget, SetMTU …─▶ Config
//
// It is pure: what needs a file or an interface of the machine comes through
// Env, and neither sockets nor logs are opened here. The grammar is that of the
// qaoed sheet, §2, and where the sheet's §7 recommends better than the original
// (quotes that protect everything, // comments, allow and deny, shelf and slot
// that are 0 when nothing says otherwise, exact words, unknown names refused),
// this package does that. It also takes files whose braces were lost, as in the
// article that made these targets known; see damage.go.
package qaoed

import (
	"log/syslog"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// Config is a configuration with every default filled in. Nothing changes a
// Config; what seems to (AddTarget and others) makes another one.
type Config struct {
	APISocket  string // absolute path; empty: no API
	LogLevel   LogLevel
	Logs       []Log       // one of them is called DefaultLog
	Interfaces []Interface // at least one; those of all devices are there
	Lists      []List
	Default    Default
	Devices    []Device
}

// LogLevel is how much is logged. The original took levels and used none.
type LogLevel string

// The log levels.
const (
	LogNone  LogLevel = "none"
	LogError LogLevel = "error"
	LogInfo  LogLevel = "info"
	LogDebug LogLevel = "debug"
)

// DefaultLog is the log that is written to where none is named.
const DefaultLog = "default"

// Log is a place to log to: a file, or syslog.
type Log struct {
	Name            string
	File            string          // absolute path; empty: syslog
	Facility, Level syslog.Priority // of what goes to syslog
}

// Interface is a network interface that targets are served on.
type Interface struct {
	Name     string
	MTU      int // bytes; 0: its own
	Log      string
	LogLevel LogLevel
}

// List is an access list: its first row with a host decides, else Accept.
type List struct {
	Name   string
	Accept bool
	Rows   []target.AccessRow
	Log    string // what it decides is logged there; empty: nowhere
}

// Settings are what a device may leave to the default section.
type Settings struct {
	Interface  string
	Writecache bool // off: a write is durable before its reply
	Broadcast  bool // announced when it is first served
	Log        string
	LogLevel   LogLevel
	Lists      [target.AccessPoints]string // names of access lists; empty: everyone may
}

// Default is what devices take that do not say otherwise.
type Default struct {
	Shelf    uint16
	Slot     uint8 // what the next device without a slot gets; it then goes up by one
	Settings       // Interface may be empty: each device has to name its own
}

// Device is a target, as qaoed calls what is exported.
type Device struct {
	Path string // absolute
	Addr aoe.Addr
	Settings
}
