// Package convert makes the saved state of this project of what the configuration
// files of ggaoed, qaoed and vblade export.
//
//	files ─Guess─▶ kinds ─compat/ggaoed, qaoed, vblade─▶ plan.Plan ─plan.State─▶ target.State ─native.Saved─▶ text
//	                          state directory of ggaoed ─config strings, masks, reserve lists─┘
//
// It is pure: what lies outside of the files comes in through Env. All files are
// taken or none is; what a saved state has no place for is a warning.
package convert

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"vbladefs/compat/ggaoed"
	"vbladefs/compat/plan"
	"vbladefs/compat/qaoed"
	"vbladefs/compat/vblade"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// File is a configuration file.
type File struct {
	Name string // for messages; an instance of vblade is called after it
	Kind Kind   // empty: as Guess says
	Text []byte
}

// Env is what files mean besides their text.
type Env struct {
	GGAoED ggaoed.Env
	QAoED  qaoed.Env
	Vblade vblade.Env
	// Interfaces are those of the machine, which get the mtu of ggaoed's [defaults].
	Interfaces []string
	// State is a state directory of ggaoed; nil: there is none of that name. A nil
	// function: there are none.
	State func(dir string) fs.FS
	// StateDirectory is used instead of the one that a file of ggaoed names.
	StateDirectory string
}

// Mistakes are all that is wrong with files, a line each.
type Mistakes []string

func (m Mistakes) Error() string { return strings.Join(m, "\n") }

// converter gathers what files say.
type converter struct {
	env      Env
	plan     plan.Plan
	origin   []string // of each export, its file
	kept     map[aoe.Addr]target.BladeInfo
	confs    []vblade.Conf
	warnings []string
	mistakes Mistakes
}

// State is what an engine holds that exports what files say, and what of them is
// otherwise there, or missing. An error is Mistakes, and there is no state then.
func State(files []File, env Env) (s target.State, warnings []string, err error) {
	c := converter{env: env, kept: map[aoe.Addr]target.BladeInfo{}}
	for _, f := range files {
		c.file(f)
	}
	c.vblades()
	if c.join(); len(c.mistakes) == 0 {
		c.refuse(plan.Validate(c.plan))
	}
	if len(c.mistakes) > 0 {
		return target.State{}, c.warnings, c.mistakes
	}
	s = plan.State(c.plan)
	for i := range s.Blades {
		if kept, ok := c.kept[s.Blades[i].Addr]; ok {
			b := &s.Blades[i]
			b.Config, b.Masks, b.Reserve = kept.Config, kept.Masks, kept.Reserve
		}
	}
	if len(s.Drives) == 0 {
		c.warn("nothing is exported by what is converted")
	}
	return s, c.warnings, nil
}

func (c *converter) file(f File) {
	kind := f.Kind
	if kind == "" {
		kind = Guess(f.Text)
	}
	switch kind {
	case GGAoED:
		c.ggaoed(f)
	case QAoED:
		c.qaoed(f)
	case Vblade:
		c.vblade(f)
	default:
		c.refuse(fmt.Errorf("%s: this looks like no configuration of ggaoed, qaoed or vblade; if it is one, say with -from whose", f.Name))
	}
}

func (c *converter) warn(format string, args ...any) {
	c.warnings = append(c.warnings, fmt.Sprintf(format, args...))
}

func tell[W fmt.Stringer](c *converter, warnings []W) {
	for _, w := range warnings {
		c.warn("%s", w)
	}
}

// refuse notes what is wrong; nil is nothing.
func (c *converter) refuse(err error) {
	if err != nil {
		c.mistakes = append(c.mistakes, strings.Split(err.Error(), "\n")...)
	}
}

func (c *converter) qaoed(f File) {
	config, warnings, err := qaoed.Parse(f.Name, f.Text, c.env.QAoED)
	if err != nil {
		tell(c, warnings)
		c.refuse(err)
		return
	}
	tell(c, append(warnings, qaoed.Unsaved(f.Name, f.Text, c.env.QAoED)...))
	c.add(f.Name, config.Plan())
}

// vblade notes an instance; they are made exports together.
func (c *converter) vblade(f File) {
	conf, err := vblade.ParseConf(f.Name, instance(f.Name), f.Text)
	if err != nil {
		c.refuse(err)
		return
	}
	c.warnings = append(c.warnings, conf.Unsaved()...)
	c.confs = append(c.confs, conf)
}

// instance is the name of a file without its folder and ending.
func instance(file string) string {
	return strings.TrimSuffix(file[strings.LastIndex(file, "/")+1:], vblade.ConfSuffix)
}

func (c *converter) vblades() {
	p, wrong := vblade.Plan(c.confs, c.env.Vblade)
	c.refuse(errors.Join(wrong...))
	for _, e := range p.Exports {
		at := slices.IndexFunc(c.confs, func(conf vblade.Conf) bool { return conf.Instance == e.Name })
		c.add(c.confs[at].File, plan.Plan{Exports: []plan.Export{e}})
	}
}

// add puts p behind what there is.
func (c *converter) add(file string, p plan.Plan) {
	for _, e := range p.Exports {
		c.plan.Exports = append(c.plan.Exports, e)
		c.origin = append(c.origin, file)
	}
	c.plan.Limits = append(c.plan.Limits, p.Limits...)
}
