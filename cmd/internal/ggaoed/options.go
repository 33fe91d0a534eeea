package ggaoed

import (
	"fmt"
	"io"
	"strings"
)

// option is one of ggaoed's or ggaoectl's, short and long.
type option struct {
	letter byte
	name   string
	value  *string // nil: it has none
	given  *bool   // if it has no value
	help   string
}

// parseOptions reads args as getopt_long(3) does, and returns the other words.
// Its error is what getopt says, without the name of the program.
func parseOptions(args []string, options []option) (rest []string, err error) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		next := func() (string, bool) {
			i++
			if i < len(args) {
				return args[i], true
			}
			return "", false
		}
		switch {
		case arg == "--":
			return append(rest, args[i+1:]...), nil
		case strings.HasPrefix(arg, "--"):
			err = long(arg[2:], options, next)
		case len(arg) > 1 && arg[0] == '-':
			err = short(arg[1:], options, next)
		default:
			rest = append(rest, arg)
		}
		if err != nil {
			return nil, err
		}
	}
	return rest, nil
}

// long takes --name, --name=value, or what begins one name only.
func long(arg string, options []option, next func() (string, bool)) error {
	name, value, hasValue := strings.Cut(arg, "=")
	var found []*option
	for i := range options {
		if options[i].name == name {
			found = []*option{&options[i]}
			break
		}
		if strings.HasPrefix(options[i].name, name) {
			found = append(found, &options[i])
		}
	}
	switch {
	case len(found) == 0:
		return fmt.Errorf("unrecognized option '--%s'", name)
	case len(found) > 1:
		return fmt.Errorf("option '--%s' is ambiguous", name)
	case found[0].value == nil && hasValue:
		return fmt.Errorf("option '--%s' doesn't allow an argument", found[0].name)
	case found[0].value == nil:
		*found[0].given = true
		return nil
	}
	if !hasValue {
		if value, hasValue = next(); !hasValue {
			return fmt.Errorf("option '--%s' requires an argument", found[0].name)
		}
	}
	*found[0].value = value
	return nil
}

// short takes letters, of which the last may have a value.
func short(cluster string, options []option, next func() (string, bool)) error {
	for cluster != "" {
		letter := cluster[0]
		cluster = cluster[1:]
		var o *option
		for i := range options {
			if options[i].letter == letter {
				o = &options[i]
			}
		}
		switch {
		case o == nil:
			return fmt.Errorf("invalid option -- '%c'", letter)
		case o.value == nil:
			*o.given = true
			continue
		case cluster != "":
			*o.value = cluster
			return nil
		}
		value, ok := next()
		if !ok {
			return fmt.Errorf("option requires an argument -- '%c'", letter)
		}
		*o.value = value
	}
	return nil
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
