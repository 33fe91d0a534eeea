package ggaoed

import (
	"fmt"
	"io"
	"os"
	"slices"

	"vbladefs/compat/getopt"
)

// option is one of ggaoed's or ggaoectl's, short and long.
type option struct {
	letter byte
	name   string
	value  *string // nil: it has none
	given  *bool   // if it has no value
	help   string
}

// parseOptions reads args, and returns the words that are no options. Its error
// is what getopt_long(3) says, without the name of the program.
func parseOptions(args []string, options []option) (rest []string, err error) {
	list := make([]getopt.Option, len(options))
	for i, o := range options {
		list[i] = getopt.Option{Letter: o.letter, Name: o.name, Value: o.value != nil}
	}
	_, posix := os.LookupEnv("POSIXLY_CORRECT")
	return getopt.Parse(args, list, posix, func(letter byte, value string) error {
		switch o := options[slices.IndexFunc(options, func(o option) bool { return o.letter == letter })]; {
		case o.value != nil:
			*o.value = value
		default:
			*o.given = true
		}
		return nil
	})
}

// usage shows options.
func usage(w io.Writer, first string, options []option) {
	_, _ = fmt.Fprintln(w, first)
	for _, o := range options {
		name := fmt.Sprintf("-%c, --%s", o.letter, o.name)
		if o.value != nil {
			name += " FILE"
		}
		_, _ = fmt.Fprintf(w, "  %-18s %s\n", name, o.help)
	}
}
