package fusectl

import (
	"vbladefs/compat/native"
	"vbladefs/target"
)

// savedFile is the present state as commands of this tree. Writing to it asks
// for durability at once.
var savedFile = &file{
	name:  "saved",
	about: "what is exported now, as the commands that make it again",
	takes: []string{"(anything): everything is durable when the write returns"},
	gives: "FILE LINE, a line a command; grep -v '^#' COPY | while read -r f l; do printf '%s\\n' \"$l\" > \"$f\"; done",
	long:  true, value: true,
	parse: func(t *tree, _ subject, _, _ string) (target.Operation, error) {
		if t.save == nil {
			return nil, nil
		}
		return nil, t.save()
	},
	read: func(t *tree, _ subject) ([]byte, bool) { return Saved(t.engine.State()), true },
}

// Saved is s as text that Replay makes the same state of: `FILE LINE`, a line a
// command, where FILE is relative to the mount point.
func Saved(s target.State) []byte { return native.Saved(s) }
