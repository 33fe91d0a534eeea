package watch

import "fmt"

// keyboard is what keys do to a view.
type keyboard struct {
	view   View
	paused bool
	asking bool   // the filter is being typed
	typed  string // so far
	help   bool
	quit   bool
}

// helpLines say what the keys do.
var helpLines = []string{
	"e n i     exports, initiators (nodes), interfaces; Tab: the next of them",
	"< >       sort by the column on the left, on the right; arrows, too",
	"r         least first, or most first again",
	"/         show only rows with a text: type it, Enter; Esc takes it away",
	"j k       scroll down, up; arrows, too",
	"Space p   pause, go on",
	"h ?       this help; any key ends it",
	"q         quit",
}

// press takes one key.
func (k *keyboard) press(c byte) {
	switch {
	case c == escape:
		k.asking, k.help, k.view.Filter, k.view.Skip = false, false, "", 0
	case k.asking:
		k.ask(c)
	case k.help:
		k.help = false
	default:
		k.command(c)
	}
}

// arrows are the keys that do the same as the arrow keys ESC [ A to D.
var arrows = map[byte]byte{'A': 'k', 'B': 'j', 'C': '>', 'D': '<'}

// decode replaces arrow keys in what was typed at once. A lone ESC stays.
func decode(typed []byte) (keys []byte) {
	for i := 0; i < len(typed); i++ {
		if rest := typed[i:]; len(rest) >= 3 && rest[0] == escape && (rest[1] == '[' || rest[1] == 'O') {
			if key := arrows[rest[2]]; key != 0 {
				keys = append(keys, key)
			}
			i += 2
			continue
		}
		keys = append(keys, typed[i])
	}
	return keys
}

const escape = 0x1b

// ask takes a byte of the filter.
func (k *keyboard) ask(c byte) {
	switch {
	case c == '\r' || c == '\n':
		k.asking, k.view.Filter, k.view.Skip = false, k.typed, 0
	case (c == 0x7f || c == '\b') && k.typed != "":
		k.typed = k.typed[:len(k.typed)-1]
	case c >= ' ' && c <= '~' && len(k.typed) < 64:
		k.typed += string(rune(c))
	}
}

func (k *keyboard) command(c byte) {
	switch c {
	case 'q':
		k.quit = true
	case 'p', ' ':
		k.paused = !k.paused
	case 'h', '?':
		k.help = true
	case 'e':
		k.show(Exports)
	case 'n':
		k.show(Initiators)
	case 'i':
		k.show(Interfaces)
	case '\t':
		k.show((k.view.Kind + 1) % Kinds)
	case '<':
		k.view.Sort = max(k.view.Sort-1, -1)
	case '>':
		k.view.Sort = min(k.view.Sort+1, len(tables[k.view.Kind].columns)-1)
	case 'r':
		k.view.Reverse = !k.view.Reverse
	case 'j':
		k.view.Skip++
	case 'k':
		k.view.Skip = max(k.view.Skip-1, 0)
	case '/':
		k.asking, k.typed = true, ""
	}
}

// show changes to another kind, which has other columns.
func (k *keyboard) show(kind Kind) {
	if k.view.Kind != kind {
		k.view = View{Kind: kind, Filter: k.view.Filter}
	}
}

// prompt is the line above the table.
func (k *keyboard) prompt(r *Report) string {
	switch {
	case k.asking:
		return "filter: " + k.typed
	case r == nil:
		return "measuring"
	}
	line := fmt.Sprintf("%s  %d exports, %d initiators, %d interfaces  over %.1f s", r.At.Format("15:04:05"),
		len(r.Rows[Exports]), len(r.Rows[Initiators]), len(r.Rows[Interfaces]), r.Interval.Seconds())
	if k.view.Filter != "" {
		line += "  filter: " + k.view.Filter
	}
	if k.paused {
		line += "  paused"
	}
	return line + "  h: help"
}
