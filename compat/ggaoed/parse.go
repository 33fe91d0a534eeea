package ggaoed

import (
	"slices"
	"strings"

	"vbladefs/target/aoe"
)

// Env is what a configuration refers to outside of its file. Functions may be nil.
type Env struct {
	// Dir is the absolute folder that relative paths start at; empty: /, where the
	// daemon works.
	Dir string
	// Ethers finds a host of ethers(5), such as Ethers.Host; nil: there are none.
	Ethers func(name string) (aoe.MAC, bool)
	// UUID finds the absolute path of a block device; nil: none is known.
	UUID func(uuid string) (string, error)
	// Folder tells what keeps a state directory that the file names from being
	// used; nil: nothing.
	Folder func(path string) error
}

// The groups that are neither a device nor an interface.
const (
	groupDefaults = "defaults"
	groupACLs     = "acls"
)

type kind int

const (
	interfaceGroup kind = iota
	deviceGroup
	defaultsGroup
	aclsGroup
)

func (g *group) kind() kind {
	switch {
	case g.name == groupDefaults:
		return defaultsGroup
	case g.name == groupACLs:
		return aclsGroup
	case g.device || g.has(keyShelf):
		return deviceGroup
	}
	return interfaceGroup
}

// parser turns groups into a Config.
type parser struct {
	rep     *report
	env     Env
	acls    resolver
	config  Config
	refused map[entry]bool // entries whose value was refused
	addrs   map[aoe.Addr]Device
}

// Parse reads the configuration file called name. Of a file with mistakes there is
// no Config but an error, Mistakes, that has all of them; Warnings there may be in
// any case.
func Parse(name string, file []byte, env Env) (Config, []Warning, error) {
	rep := &report{file: name}
	split := split(file, rep)
	groups := split.withHeaders(rep)
	p := parser{rep: rep, env: env, refused: map[entry]bool{}, addrs: map[aoe.Addr]Device{},
		acls: resolver{earlier: map[string][]aoe.MAC{}, later: map[string]int{}, broken: map[string]bool{}, ethers: env.Ethers}}
	p.config.Generation = generationOf(groups)
	p.config.Defaults = defaults(p.config.Generation)
	p.groups(groups)
	if len(rep.mistakes) > 0 {
		return Config{}, rep.sorted(rep.warnings), Mistakes(rep.sorted(rep.mistakes))
	}
	return p.config, rep.sorted(rep.warnings), nil
}

// ControlSocket is the control-socket of a configuration file, all that ggaoectl
// wants of it; empty: the default. What else is in the file may be wrong.
func ControlSocket(name string, file []byte, env Env) (string, error) {
	rep := &report{file: name}
	p := parser{rep: rep, refused: map[entry]bool{}}
	split := split(file, rep)
	for _, g := range split.withHeaders(rep) {
		if g.kind() != defaultsGroup {
			continue
		}
		for _, k := range p.config.Defaults.own(env) {
			if e := g.find(k.name); k.name == keyControlSocket && e.key != "" {
				p.read(g, k, e)
			}
		}
	}
	if len(rep.mistakes) > 0 {
		return "", Mistakes(rep.sorted(rep.mistakes))
	}
	return p.config.Defaults.ControlSocket, nil
}

// groups reads those first that others refer to.
func (p *parser) groups(groups []*group) {
	for _, g := range groups {
		switch g.kind() {
		case defaultsGroup:
			p.readDefaults(g)
		case aclsGroup:
			p.readACLs(g)
		}
	}
	for _, g := range groups {
		switch g.kind() {
		case deviceGroup:
			p.readDevice(g)
		case interfaceGroup:
			p.readInterface(g)
		}
	}
}

func (p *parser) readDefaults(g *group) {
	d := &p.config.Defaults
	p.readAll(g, d.keys(p.config.Generation, p.env), nil)
	p.checkQueue(g, d.QueueLength)
}

func (p *parser) readInterface(g *group) {
	i := Interface{Name: g.name, Line: g.line, Socket: p.config.Defaults.Socket}
	if slices.ContainsFunc(essential, g.has) {
		p.rep.warn(g, entry{}, "no shelf: nothing is exported, this is taken as the settings of an interface")
	} else if !plainInterface(g.name) {
		p.rep.warn(g, entry{}, "taken as the settings of an interface, though none can be called so")
	}
	p.readAll(g, i.Socket.keys(p.config.Generation), essential)
	p.config.Interfaces = append(p.config.Interfaces, i)
}

// readAll reads the entries of a group; known are keys that are read elsewhere.
func (p *parser) readAll(g *group, keys []key, known []string) {
	for _, k := range keys {
		if e := g.find(k.name); e.key != "" {
			p.read(g, k, e)
		}
	}
	for _, e := range g.list() {
		if !slices.ContainsFunc(keys, func(k key) bool { return k.name == e.key }) && !slices.Contains(known, e.key) {
			p.unknown(g, e, keys)
		}
	}
}

func (p *parser) read(g *group, k key, e entry) {
	note, err := k.value.parse(e.value)
	if err != nil {
		p.refused[e] = true
		p.rep.refuse(g, e, "%v", err)
	} else if note != "" {
		p.rep.warn(g, e, "%s", note)
	}
}

func (p *parser) unknown(g *group, e entry, keys []key) {
	if e.key == keyBuffers && g.kind() != deviceGroup {
		p.rep.warn(g, e, "'buffers' is obsolete. Use 'ring-buffer-size' instead")
		return
	}
	var names []string
	for _, k := range keys {
		names = append(names, k.name)
	}
	p.rep.warn(g, e, "unknown key, ignored; known here: %s", strings.Join(names, ", "))
}
