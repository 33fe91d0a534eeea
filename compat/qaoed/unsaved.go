package qaoed

// Unsaved tells of what a configuration says and the saved state of its Plan does
// not have, statement by statement.
func Unsaved(file string, content []byte, env Env) []Warning {
	p := readFiles(Source{Name: file, Text: content}, env)
	var told findings
	for _, s := range p.globals {
		told.unsaved(s)
	}
	for _, s := range p.sections {
		if s.word.text == "logging" {
			told.warn(s.word, "[logging] is not carried over: vbladefs serve logs to standard error, syslog and its control tree")
			continue
		}
		for _, st := range s.body {
			told.unsaved(st)
		}
	}
	return told.warnings
}

func (f *findings) unsaved(s statement) {
	switch s.key.text {
	case "apisocket":
		f.warn(s.key, "%s is not carried over: vbladefs serve has a control tree, and no qdctl", s)
	case "log":
		f.warn(s.key, "%s is not carried over: there is one log", s)
	case "log-level":
		f.warn(s.key, "%s is not carried over: there are no levels", s)
	}
}
