package qaoed

import (
	"log/syslog"
	"slices"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// This file is the table of all statements (§2.3): what each takes, and where
// it goes.

// key is a statement of the sections that are read into a T.
type key[T any] struct {
	name string
	want string // what it takes, for messages
	set  func(into *T, value string) bool
	many bool   // may be repeated
	as   string // of synonyms, the name of the first one
}

// Sections as they are read, before defaults.
type (
	rawLog struct {
		Log
		isFile bool
	}
	rawDevice struct {
		Target
		log   string
		level LogLevel
		lists [target.AccessPoints]*string // nil: the default's; empty: none
	}
	rawGlobal struct {
		socket string
		level  LogLevel
	}
)

var globalKeys = []key[rawGlobal]{
	{name: "log-level", want: oneOf(levels), set: func(g *rawGlobal, v string) bool { return setLevel(&g.level, v) }},
	{name: "apisocket", want: anyText, set: func(g *rawGlobal, v string) bool { return setText(&g.socket, v) }},
}

var logKeys = []key[rawLog]{
	{name: "name", want: anyText, set: func(l *rawLog, v string) bool { return setText(&l.Name, v) }},
	{name: "type", want: oneOf([]string{"syslog", "file"}), set: func(l *rawLog, v string) bool {
		l.isFile = v == "file"
		return v == "file" || v == "syslog"
	}},
	{name: "filename", want: anyText, set: func(l *rawLog, v string) bool { return setText(&l.File, v) }},
	{name: "syslog-level", want: oneOf(priorities[:]), set: func(l *rawLog, v string) bool {
		if v == "LOG_ERROR" {
			v = "LOG_ERR"
		}
		i := slices.Index(priorities[:], v)
		l.Level = syslog.Priority(i)
		return i >= 0
	}},
	{name: "syslog-facility", want: oneOf(facilityNames()), set: func(l *rawLog, v string) bool {
		i := slices.Index(facilityNames(), v)
		if i >= 0 {
			l.Facility = facilities[i].value
		}
		return i >= 0
	}},
}

var interfaceKeys = []key[Interface]{
	{name: "interface", want: anInterface, set: func(i *Interface, v string) bool { return setInterface(&i.Name, v) }},
	{name: "mtu", want: "auto or a number of bytes", set: func(i *Interface, v string) bool {
		if v == "auto" {
			i.MTU = 0
			return true
		}
		n, ok := number(v, 1<<20)
		i.MTU = n
		return ok && n > 0
	}},
	{name: "log", want: anyText, set: func(i *Interface, v string) bool { return setText(&i.Log, v) }},
	{name: "log-level", want: oneOf(levels), set: func(i *Interface, v string) bool { return setLevel(&i.LogLevel, v) }},
}

var listKeys = []key[List]{
	{name: "name", want: aName, set: func(l *List, v string) bool { return setName(&l.Name, v) }},
	{name: "policy", want: "accept (or allow) or reject (or deny)", set: func(l *List, v string) bool {
		l.Accept = v == "accept" || v == "allow"
		return l.Accept || v == "reject" || v == "deny"
	}},
	{name: "accept", want: aHost, many: true, set: addRow(true)},
	{name: "allow", want: aHost, many: true, set: addRow(true)},
	{name: "reject", want: aHost, many: true, set: addRow(false)},
	{name: "deny", want: aHost, many: true, set: addRow(false)},
	{name: "log", want: anyText, set: func(l *List, v string) bool { return setText(&l.Log, v) }},
}

// deviceKeys are those of devices and of the default section.
var deviceKeys = []key[rawDevice]{
	{name: "shelf", want: "a number from 0 to 65534", set: func(d *rawDevice, v string) bool {
		n, ok := number(v, aoe.AnyShelf)
		d.Shelf = uint16(n)
		return ok
	}},
	{name: "slot", want: "a number from 0 to 254", set: func(d *rawDevice, v string) bool {
		n, ok := number(v, aoe.AnySlot)
		d.Slot = uint8(n)
		return ok
	}},
	{name: "target", want: anyText, set: func(d *rawDevice, v string) bool { return setText(&d.Path, v) }},
	{name: "interface", want: anInterface, set: func(d *rawDevice, v string) bool { return setInterface(&d.Interface, v) }},
	{name: "writecache", want: onOff, set: func(d *rawDevice, v string) bool { return setSwitch(&d.Writecache, v) }},
	{name: "broadcast", want: onOff, set: func(d *rawDevice, v string) bool { return setSwitch(&d.Broadcast, v) }},
	{name: "log", want: anyText, set: func(d *rawDevice, v string) bool { return setText(&d.log, v) }},
	{name: "log-level", want: oneOf(levels), set: func(d *rawDevice, v string) bool { return setLevel(&d.level, v) }},
}

// aclKeys are those in the acl { } of devices and of the default section. An
// empty name is this project's: no list, whatever the default section says.
var aclKeys = []key[rawDevice]{
	{name: "cfgread", want: aList, set: setList(target.ReadConfig)},
	{name: "discover", want: aList, set: setList(target.ReadConfig), as: "cfgread"},
	{name: "cfgset", want: aList, set: setList(target.StoreConfig)},
	{name: "read", want: aList, set: setList(target.ReadData)},
	{name: "write", want: aList, set: setList(target.WriteData)},
}

// names are what statements of keys may begin with.
func names[T any](keys []key[T]) []string {
	var list []string
	for _, k := range keys {
		list = append(list, k.name)
	}
	return list
}

// keysOf are the statements of a section, without those of its acl.
func keysOf(section string) []string {
	switch section {
	case "logging":
		return names(logKeys)
	case "interface":
		return names(interfaceKeys)
	case "access-list":
		return names(listKeys)
	}
	return names(deviceKeys)
}
