package convert

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"vbladefs/compat/ggaoed"
	"vbladefs/compat/plan"
	"vbladefs/compat/text"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

func (c *converter) ggaoed(f File) {
	config, warnings, err := ggaoed.Parse(f.Name, f.Text, c.env.GGAoED)
	if err != nil {
		tell(c, warnings)
		c.refuse(err)
		return
	}
	tell(c, append(warnings, ggaoed.Unsaved(f.Name, f.Text)...))
	p := config.Plan(c.matched(config.Plan(nil)))
	c.add(f.Name, p)
	addrs := map[string]aoe.Addr{}
	for _, e := range p.Exports {
		addrs[e.Name] = e.Addr
	}
	c.directory(f, config.Defaults.StateDirectory, addrs)
}

// matched are the interfaces of the machine that patterns of p match: others serve
// nothing, and those that p names it has anyway.
func (c *converter) matched(p plan.Plan) (names []string) {
	for _, name := range c.env.Interfaces {
		if slices.ContainsFunc(p.Exports, func(e plan.Export) bool {
			return slices.ContainsFunc(e.Interfaces, func(pattern string) bool { matches, _ := path.Match(pattern, name); return matches })
		}) {
			names = append(names, name)
		}
	}
	return names
}

// directory takes what initiators have set from a state directory.
func (c *converter) directory(f File, named string, addrs map[string]aoe.Addr) {
	dir := cmp.Or(c.env.StateDirectory, named, ggaoed.DefaultStateDirectory)
	var state fs.FS
	if c.env.State != nil {
		state = c.env.State(dir)
	}
	if state == nil {
		if named != "" {
			c.warn("%s: state-directory %s is not here: config strings, mask lists and reserve lists are not carried over", f.Name, dir)
		}
		return
	}
	s := stateDirectory{converter: c, dir: dir, files: state}
	for name, addr := range addrs {
		if b := s.blade(name); len(b.Config)+len(b.Masks)+len(b.Reserve) > 0 {
			c.kept[addr] = b
		}
	}
	s.others(addrs)
}

// stateDirectory is one that is there.
type stateDirectory struct {
	*converter
	dir   string
	files fs.FS
}

// blade is what is kept for the device of a name.
func (s stateDirectory) blade(name string) target.BladeInfo {
	var b target.BladeInfo
	var hosts []aoe.MAC
	config := func(text []byte) (ok bool) { b.Config, ok = ggaoed.ParseConfigFile(text); return ok }
	list := func(text []byte) (ok bool) { hosts, ok = ggaoed.ParseListFile(text); return ok }
	s.take(name+ggaoed.ConfigSuffix, config)
	if s.take(name+ggaoed.MaskSuffix, list) {
		b.Masks = hosts
	}
	if s.take(name+ggaoed.ReserveSuffix, list) {
		b.Reserve = hosts
	}
	return b
}

// take reads a state file, if there is one. A damaged one is refused: without its
// mask list an export would be open to all.
func (s stateDirectory) take(name string, parse func([]byte) bool) bool {
	info, err := fs.Stat(s.files, name)
	var content []byte
	if err == nil && info.Mode().IsRegular() && info.Size() <= ggaoed.ListFileSize { // else it is none of ggaoed's
		content, err = fs.ReadFile(s.files, name)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid):
		return false
	case err != nil:
		s.refuse(fmt.Errorf("%s: %w", path.Join(s.dir, name), err))
		return false
	case !parse(content):
		s.refuse(fmt.Errorf("%s: want a state file of ggaoed, with a text of at most %d bytes or at most %d hosts; move it away to go without it",
			path.Join(s.dir, name), aoe.MaxConfigString, aoe.MaxListed))
		return false
	}
	return true
}

// others tells of state files whose device is not exported.
func (s stateDirectory) others(addrs map[string]aoe.Addr) {
	entries, err := fs.ReadDir(s.files, ".")
	if err != nil {
		s.refuse(fmt.Errorf("%s: %w", s.dir, err))
		return
	}
	var names []string
	for _, e := range entries {
		for _, suffix := range []string{ggaoed.ConfigSuffix, ggaoed.MaskSuffix, ggaoed.ReserveSuffix} {
			device, found := strings.CutSuffix(e.Name(), suffix)
			if _, known := addrs[device]; found && !known && !slices.Contains(names, text.Printable(device)) {
				names = append(names, text.Printable(device))
			}
		}
	}
	if len(names) > 0 {
		s.warn("%s: what it keeps for devices that are not exported is not carried over: %s", s.dir, strings.Join(names, ", "))
	}
}
