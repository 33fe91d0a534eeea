package ggaoed

import (
	"slices"

	"vbladefs/target"
)

// unsaved are the keys that say what a saved state has no place for, and where
// it is said instead.
var unsaved = map[string]string{
	"trace-io":            "requests are not logged",
	"max-delay":           "requests never wait for others",
	"merge-delay":         "requests never wait for others",
	"ring-buffer-size":    "the daemon sizes its own, see serve -ring",
	keyBuffers:            "the daemon sizes its own, see serve -ring",
	"send-buffer-size":    "the daemon sizes its own",
	"receive-buffer-size": "the daemon sizes its own, see serve -ring",
	"tx-ring-bug":         "nothing depends on it",
	"pid-file":            "vbladefs serve writes none",
	keyControlSocket:      "vbladefs serve has a control tree, and no ggaoectl",
}

// Unsaved tells of what a configuration file says and the saved state of its Plan
// does not have, or has otherwise than one may think, key by key.
func Unsaved(name string, file []byte) []Warning {
	rep, told := &report{file: name}, &report{file: name}
	split := split(file, rep)
	for _, g := range split.withHeaders(rep) {
		if g.kind() == aclsGroup {
			continue
		}
		for _, e := range g.list() {
			why := unsaved[e.key]
			switch {
			case why != "":
				told.warn(g, e, "not carried over: %s", why)
			case e.key == "mtu" && g.kind() == defaultsGroup:
				told.warn(g, e, "carried over for the interfaces that are here now or named in the file: limits are by name")
			case e.key == keyPath && g.kind() == deviceGroup && !target.IsBacking(e.value):
				told.warn(g, e, "taken from /, where the daemon works in the background")
			}
		}
	}
	return slices.Clip(told.sorted(told.warnings))
}
