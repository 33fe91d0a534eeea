package qaoed

import (
	"cmp"
	"log/syslog"
	"slices"

	"vbladefs/compat/text"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// Parse reads the configuration in a file of the given name. It is accepted as a
// whole or not at all; the error is Mistakes, all that was found wrong.
func Parse(file string, content []byte, env Env) (Config, []Warning, error) {
	p := readFiles(Source{Name: file, Text: content}, env)
	b := builder{findings: p.findings, env: env, names: map[[2]string]token{}, byPort: map[port]int{}, byPath: map[string]int{}}
	b.global(p.globals)
	b.each(p, "logging", b.log)
	b.defaultLog()
	b.each(p, "access-list", b.list)
	b.each(p, "interface", b.netif)
	b.config.Default = builtIn(b.config.LogLevel)
	b.each(p, "default", b.defaults)
	b.each(p, "device", b.device)
	switch {
	case len(b.mistakes) > 0:
	case len(p.sections) == 0:
		b.mistakes = Mistakes{{File: file, Text: "nothing to export in it: want device { target = PATH; interface = NAME; }"}}
	case len(b.config.Interfaces) == 0:
		b.mistakes = Mistakes{{File: file, Text: "no interface in it: want interface = NAME ; in a default, device or interface section"}}
	}
	inOrder := func(x, y Mistake) int {
		return cmp.Or(cmp.Compare(p.order[x.File], p.order[y.File]), cmp.Compare(x.Line, y.Line), cmp.Compare(x.Column, y.Column))
	}
	slices.SortStableFunc(b.mistakes, inOrder)
	slices.SortStableFunc(b.warnings, func(x, y Warning) int { return inOrder(Mistake(x), Mistake(y)) })
	if len(b.mistakes) > 0 {
		return Config{}, b.warnings, b.mistakes
	}
	return b.config, b.warnings, nil
}

// builder makes a Config of sections. They may stand in any order, so they are
// read by kind: first those that others refer to.
type builder struct {
	findings
	env    Env
	config Config
	names  map[[2]string]token // where what has a name is, by kind and name
	// Where the default section and the devices are, and those by port and path.
	def     *section
	at      []token
	byPort  map[port]int // also the first at each address, with no interface
	byPath  map[string]int
	clashes int // how many mistakes are of addresses
}

type port struct {
	addr  aoe.Addr
	netif string
}

func (b *builder) each(p parsed, kind string, read func(section)) {
	for _, s := range p.sections {
		if s.word.text == kind {
			read(s)
		}
	}
}

func (b *builder) global(body []statement) {
	g := rawGlobal{level: LogNone}
	at := read(&b.findings, section{body: body}, &g, globalKeys, nil)
	b.config.LogLevel = g.level
	if g.socket != "" {
		b.config.APISocket = b.path(at["apisocket"], maxSocket)
	}
}

func (b *builder) log(s section) {
	l := rawLog{Log: Log{Facility: syslog.LOG_DAEMON, Level: syslog.LOG_INFO}}
	at := read(&b.findings, s, &l, logKeys, nil)
	if !b.define(s, at, "name", l.Name) {
		return
	}
	var idle []string
	switch _, named := at["filename"]; {
	case l.isFile && !named && !s.torn:
		b.mistake(s.word, "[logging] type file without a filename: want filename = PATH ;")
	case l.isFile && l.File != "":
		l.File = b.path(at["filename"], maxPath)
		l.Facility, l.Level = 0, 0
		idle = []string{"syslog-level", "syslog-facility"}
	default:
		l.File = ""
		idle = []string{"filename"}
	}
	for _, name := range idle {
		if st, given := at[name]; given {
			b.warn(st.key, "%s means nothing to a log of this type", st)
		}
	}
	b.config.Logs = append(b.config.Logs, l.Log)
}

// defaultLog makes the log that is always there.
func (b *builder) defaultLog() {
	if b.known("logging", DefaultLog) {
		return
	}
	b.names[[2]string{"logging", DefaultLog}] = token{}
	b.config.Logs = append(b.config.Logs, Log{Name: DefaultLog, Facility: syslog.LOG_DAEMON, Level: syslog.LOG_INFO})
}

func (b *builder) list(s section) {
	var l List
	at := read(&b.findings, s, &l, listKeys, nil)
	b.refer(at, "log", "logging")
	if len(l.Rows) > target.MaxAccessRows {
		b.mistake(s.word, "[access-list] of %d rows: want at most %d", len(l.Rows), target.MaxAccessRows)
	}
	if b.define(s, at, "name", l.Name) {
		b.config.Lists = append(b.config.Lists, l)
	}
}

func (b *builder) netif(s section) {
	i := Interface{Log: DefaultLog, LogLevel: b.config.LogLevel}
	at := read(&b.findings, s, &i, interfaceKeys, nil)
	b.refer(at, "log", "logging")
	if !b.define(s, at, "interface", i.Name) {
		return
	}
	if !b.present(at["interface"]) {
		return
	}
	if want := checkMTU(i.Name, i.MTU, b.env); want != "" {
		b.refuse(at["mtu"], want)
	}
	b.config.Interfaces = append(b.config.Interfaces, i)
}

// define notes that a section is what its name says; false: it cannot be used.
func (b *builder) define(s section, at places, key, name string) bool {
	st, given := at[key]
	if !given && !s.torn {
		b.mistake(s.word, "[%s] without %s: want %s = NAME ;", s.word.text, key, key)
	}
	if name == "" {
		return false
	}
	id := [2]string{s.word.text, name}
	before, again := b.names[id]
	if again {
		b.mistake(st.value, "%s: %s: there is one on line %d of %s already, want another name",
			st, text.Quote(name), before.line, text.Printable(before.file))
		return false
	}
	b.names[id] = st.value
	return true
}

func (b *builder) known(kind, name string) bool {
	_, known := b.names[[2]string{kind, name}]
	return known
}

// refer checks that what a statement names is there.
func (b *builder) refer(at places, key, kind string) {
	st, given := at[key]
	if given && st.value.text != "" && !b.known(kind, st.value.text) {
		b.refuse(st, "the name of one of the "+kind+" sections")
	}
}

// present checks that the interface that a statement names, if there is one, is
// one of the machine's.
func (b *builder) present(st statement) bool {
	if st.key.text == "" || b.env.MTU == nil {
		return true
	}
	if _, there := b.env.MTU(st.value.text); !there {
		b.refuse(st, "a network interface that is there; ip link lists them")
		return false
	}
	return true
}

// path makes the value of a statement an absolute path.
func (b *builder) path(st statement, most int) string {
	path, want := absolute(st.value.text, b.env.Folder, most)
	if want != "" {
		b.refuse(st, want)
	}
	return path
}

// use notes that an interface is served, as every one that is named.
func (b *builder) use(name string) {
	if id := [2]string{"interface", name}; name != "" && !b.known("interface", name) {
		b.names[id] = token{}
		b.config.Interfaces = append(b.config.Interfaces, newInterface(name, b.config.LogLevel))
	}
}

func newInterface(name string, level LogLevel) Interface {
	return Interface{Name: name, Log: DefaultLog, LogLevel: level}
}
