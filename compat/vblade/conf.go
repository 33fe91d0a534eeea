package vblade

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"vbladefs/compat/plan"
	"vbladefs/compat/text"
	"vbladefs/target"
)

// Conf is a persistence file, sheet §2.2: one instance of vblade. Names that it
// sets and nobody knows are ignored, as by the shell.
type Conf struct {
	File     string // as it is named in errors
	Instance string // the file's name without .conf
	// Ionice is accepted and has no effect: one daemon serves all instances.
	Shelf, Slot, Netif, Filename, Options, Ionice string

	lines map[string]int // where a name was set last
}

// ConfFolder is where persistence files are, with names that end in ConfSuffix.
const (
	ConfFolder = "/etc/vblade.conf.d"
	ConfSuffix = ".conf"
)

// ParseConf reads a persistence file. An error says FILE:LINE.
func ParseConf(file, instance string, content []byte) (Conf, error) {
	c := Conf{File: file, Instance: instance, lines: make(map[string]int)}
	values := map[string]*string{"shelf": &c.Shelf, "slot": &c.Slot, "netif": &c.Netif,
		"filename": &c.Filename, "options": &c.Options, "ionice": &c.Ionice}
	err := assignments(string(content), func(a assignment) {
		if v := values[a.name]; v != nil {
			*v = a.value
			c.lines[a.name] = a.line
		}
	})
	var bad lineError
	if errors.As(err, &bad) {
		return Conf{}, fmt.Errorf("%s:%d: %s", file, bad.line, bad.text)
	}
	for _, name := range []string{"shelf", "slot", "netif", "filename"} {
		switch value := *values[name]; len(strings.Fields(value)) {
		case 0:
			return Conf{}, c.wrong(name, "%s: want %s=VALUE", text.Quote(value), name)
		case 1:
		default:
			return Conf{}, c.wrong(name, "%s: want one word: the shell that starts vblade would cut it", text.Quote(value))
		}
	}
	if _, err := text.Path(text.Word{Text: c.Filename}, "/"); err != nil { // else no saved state could name it
		return Conf{}, c.wrong("filename", "%w", err)
	}
	return c, nil
}

// wrong is a mistake in the value called name.
func (c Conf) wrong(name, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s: %w", c.File, max(c.lines[name], 1), name, fmt.Errorf(format, args...))
}

// Unsaved tells of what c says and a saved state of its export does not have, or
// means otherwise than one may think; FILE:LINE each.
func (c Conf) Unsaved() []string {
	var told []string
	if c.Ionice != "" {
		told = append(told, c.wrong("ionice", "%s: not carried over: one daemon serves all instances", text.Quote(c.Ionice)).Error())
	}
	if !target.IsBacking(c.Filename) {
		told = append(told, c.wrong("filename", "%s: taken from /, where systemd starts vblade", text.Quote(c.Filename)).Error())
	}
	return told
}

// Args are vblade's arguments, as the systemd unit gives them: the shell cuts
// every value at its blanks.
func (c Conf) Args() []string {
	return strings.Fields(strings.Join([]string{c.Shelf, c.Slot, c.Netif, c.Filename, c.Options}, " "))
}

// Plan is what instances export, each by the name of its own. Two that export the
// same at the same address on different interfaces are one export. One that is
// wrong is left out and has its error, FILE:LINE.
func Plan(confs []Conf, env Env) (plan.Plan, []error) {
	var p plan.Plan
	var wrong []error
	names := make([]string, 0, len(confs))
	for _, c := range confs {
		command, err := Parse(c.Args(), env)
		if err != nil {
			var exit *Exit
			errors.As(err, &exit)
			wrong = append(wrong, c.wrong(exit.key, "%s", exit.reason))
			continue
		}
		e := command.Export
		e.Name = c.Instance
		added, err := add(&p, e)
		if err != nil {
			wrong = append(wrong, c.wrong("slot", "%s: %w", text.Quote(c.Slot), err))
		} else if added {
			names = append(names, c.Instance)
		}
	}
	for i, drive := range plan.DriveNames(names) {
		p.Exports[i].Drive = drive
	}
	return p, wrong
}

// add puts e into p, or with what p has at its address.
func add(p *plan.Plan, e plan.Export) (added bool, err error) {
	at := slices.IndexFunc(p.Exports, func(o plan.Export) bool { return o.Addr == e.Addr || o.Name == e.Name })
	if at < 0 {
		p.Exports = append(p.Exports, e)
		return true, nil
	}
	o := &p.Exports[at]
	same := o.Name != e.Name && o.Path == e.Path && o.Offset == e.Offset && o.Length == e.Length && o.Access == e.Access &&
		o.Cache == e.Cache && o.Buffers == e.Buffers && slices.Equal(o.Masks, e.Masks)
	if !same || slices.Contains(o.Interfaces, e.Interfaces[0]) {
		return false, fmt.Errorf("%w: e%s is instance %s's: want another shelf or slot, or another interface with all else the same",
			target.ErrAddressTaken, e.Addr, text.Quote(o.Name))
	}
	o.Interfaces = append(o.Interfaces, e.Interfaces[0])
	return false, nil
}
