package ggaoed

import (
	"fmt"
	"strings"

	"vbladefs/compat/text"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

func (p *parser) readDevice(g *group) {
	d := Device{Name: g.name, Line: g.line, Tuning: p.config.Defaults.Tuning}
	p.checkName(g)
	p.readAll(g, d.keys(p.acls), essential)
	p.readAddr(g, &d)
	p.readStore(g, &d)
	p.checkLists(g, d)
	p.checkQueue(g, d.QueueLength)
	p.checkInterfaces(g, d)
	p.config.Devices = append(p.config.Devices, d)
}

// readAddr reads shelf and slot, which together only one device may have.
func (p *parser) readAddr(g *group, d *Device) {
	var shelf, slot int
	good := true
	for _, k := range []key{
		{keyShelf, integer{&shelf, 0, target.MaxShelf, false, 1}},
		{keySlot, integer{&slot, 0, target.MaxSlot, false, 1}},
	} {
		e := g.find(k.name)
		if e.key == "" {
			p.rep.refuse(g, e, "no %s: want a line %[1]s = NUMBER", k.name)
		} else {
			p.read(g, k, e)
		}
		good = good && e.key != "" && !p.refused[e]
	}
	if !good {
		return
	}
	d.Addr = aoe.Addr{Shelf: uint16(shelf), Slot: uint8(slot)}
	if other, taken := p.addrs[d.Addr]; taken {
		p.rep.refuse(g, g.find(keySlot), "address %s is that of [%s] in line %d: want another shelf or slot", d.Addr, other.Name, other.Line)
		return
	}
	p.addrs[d.Addr] = *d
}

// readStore reads path or uuid.
func (p *parser) readStore(g *group, d *Device) {
	path, uuid := g.find(keyPath), g.find(keyUUID)
	switch {
	case path.key != "" && uuid.key != "":
		p.rep.refuse(g, uuid, "there is a path, too, in line %d: want one of them", path.line)
	case path.key != "":
		p.read(g, key{keyPath, device{&d.Path, p.env.Dir}}, path)
	case uuid.key != "":
		p.read(g, key{keyUUID, volume{&d.UUID, &d.Path, p.env.UUID}}, uuid)
	default:
		p.rep.refuse(g, entry{}, "nothing to export: want a line path = FILE or uuid = UUID")
	}
}

// maxName leaves room for MaskSuffix in the name of a state file, NAME_MAX, and
// for another suffix while it is written.
const maxName = 255 - len(MaskSuffix) - len(NewSuffix)

// checkName refuses a device that state files cannot be named after.
func (p *parser) checkName(g *group) {
	if strings.Contains(g.name, "/") || len(g.name) > maxName {
		p.rep.refuse(g, entry{}, "a device whose state has no file name: want at most %d bytes without /", maxName)
	}
}

func (p *parser) checkQueue(g *group, n int) {
	e := g.find("queue-length")
	if p.config.Generation == V09 && e.key != "" && !p.refused[e] && (n < 4 || n > 1024 || n&(n-1) != 0) {
		p.rep.warn(g, e, "taken, though ggaoed 0.9 wants a power of two from 4 to 1024")
	}
}

// checkInterfaces says when a device is on no interface that is listened to.
func (p *parser) checkInterfaces(g *group, d Device) {
	e := g.find("interfaces")
	switch list, ok := common(p.config.Defaults.Interfaces, d.Interfaces); {
	case e.key == "" || p.refused[e]:
	case !ok:
		p.rep.refuse(g, e, "too many patterns are in this and in interfaces of [defaults] together: want simpler ones")
	case len(list) == 0 && len(d.Interfaces) > 0:
		p.rep.warn(g, e, "not exported, none of them is listened to: interfaces of [defaults] is %s",
			quote(joinItems(p.config.Defaults.Interfaces)))
	}
}

// device is the path of what is exported.
type device struct {
	p   *string
	dir string
}

func (v device) parse(raw string) (string, error) {
	path, err := str(raw)
	if err != nil || !target.IsURI(path) {
		path, err = absolute(raw, v.dir)
	}
	if err == nil && (text.Printable(path) != path || len(path) > text.MaxPath) {
		err = fmt.Errorf("want at most %d bytes, none of them a control character", text.MaxPath)
	}
	if err != nil {
		return "", err
	}
	if strings.Contains(path, " ") { // no command of the control tree could name it
		return "", fmt.Errorf("want a path without blanks, as by a symbolic link")
	}
	*v.p = path
	return "", nil
}

func (v device) print() string { return escape(*v.p) }

// volume is a block device by the UUID of what is on it.
type volume struct {
	uuid, path *string
	find       func(string) (string, error)
}

func (v volume) parse(raw string) (string, error) {
	uuid, err := str(raw)
	if err != nil {
		return "", err
	}
	uuid = strings.Trim(uuid, blanks)
	if uuid == "" || strings.ContainsAny(uuid, "/ ") || text.Printable(uuid) != uuid || v.find == nil {
		return "", fmt.Errorf("want the UUID of a file system or volume, as blkid shows it")
	}
	path, err := v.find(uuid)
	if err != nil {
		return "", fmt.Errorf("want the UUID of a file system or volume that is there, as blkid shows it: %w", err)
	}
	*v.uuid, *v.path = uuid, path
	return "", nil
}

func (v volume) print() string { return escape(*v.uuid) }
