package qaoed

import (
	"log/syslog"
	"slices"
	"strconv"
	"strings"

	"vbladefs/compat/text"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// This file is what the values of statements may be.

// What statements take, for messages.
const (
	anyText     = "some text"
	anInterface = "the name of a network interface"
	aName       = "some text without control characters, of at most 120 bytes"
	aHost       = "a MAC address, six hex pairs such as 00:16:3e:00:00:01"
	aList       = "the name of an access-list, or \"\" for none"
	onOff       = "on or off"
)

var (
	levels     = []string{string(LogDebug), string(LogError), string(LogInfo), string(LogNone)}
	priorities = [...]string{"LOG_EMERG", "LOG_ALERT", "LOG_CRIT", "LOG_ERR", "LOG_WARNING", "LOG_NOTICE", "LOG_INFO", "LOG_DEBUG"}
	facilities = [...]struct {
		name  string
		value syslog.Priority
	}{
		{"LOG_DAEMON", syslog.LOG_DAEMON}, {"LOG_USER", syslog.LOG_USER},
		{"LOG_LOCAL0", syslog.LOG_LOCAL0}, {"LOG_LOCAL1", syslog.LOG_LOCAL1},
		{"LOG_LOCAL2", syslog.LOG_LOCAL2}, {"LOG_LOCAL3", syslog.LOG_LOCAL3},
		{"LOG_LOCAL4", syslog.LOG_LOCAL4}, {"LOG_LOCAL5", syslog.LOG_LOCAL5},
		{"LOG_LOCAL6", syslog.LOG_LOCAL6}, {"LOG_LOCAL7", syslog.LOG_LOCAL7},
	}
)

func facilityNames() []string {
	var names []string
	for _, f := range facilities {
		names = append(names, f.name)
	}
	return names
}

func setText(into *string, value string) bool {
	*into = value
	return value != ""
}

// setName takes what the engine takes as the name of an access list.
func setName(into *string, value string) bool {
	if strings.ContainsRune(value, '\t') || len(value) > target.MaxAccessName {
		return false
	}
	return setText(into, value)
}

func setLevel(into *LogLevel, value string) bool {
	*into = LogLevel(value)
	return slices.Contains(levels, value)
}

func setSwitch(into *Switch, value string) bool {
	*into = Off
	if value == "on" {
		*into = On
	}
	return value == "on" || value == "off"
}

// setInterface takes the name of one interface; patterns are not of this format.
func setInterface(into *string, value string) bool {
	_, err := text.Interface(text.Word{Text: value})
	if err != nil || strings.ContainsAny(value, `*?,"`) {
		return false
	}
	*into = value
	return true
}

func addRow(accept bool) func(*List, string) bool {
	return func(l *List, value string) bool {
		host, err := aoe.ParseMAC(value)
		l.Rows = append(l.Rows, target.AccessRow{Host: host, Accept: accept})
		return err == nil
	}
}

func setList(point target.AccessPoint) func(*rawDevice, string) bool {
	return func(d *rawDevice, value string) bool {
		d.lists[point] = &value
		return true
	}
}

// number reads plain decimal digits; the original took junk behind them, too.
func number(value string, most uint64) (int, bool) {
	n, err := strconv.ParseUint(value, 10, 64)
	return int(n), err == nil && n <= most
}
