package vblade

import (
	"fmt"
	"strings"
)

// spec is what vblade gives to getopt: a colon is behind a letter with a value.
const spec = "b:dsrm:o:l:"

// getopt hands options to set, in order, until one is wrong, and returns the
// other words: as glibc's does, options may come behind those, up to "--".
func getopt(args []string, env Env, set func(env Env, letter byte, value string) error) (rest []string, err error) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			return append(rest, args[i+1:]...), nil
		case len(arg) < 2 || arg[0] != '-':
			if env.Posix {
				return append(rest, args[i:]...), nil
			}
			rest = append(rest, arg)
			continue
		}
		for cluster := arg[1:]; cluster != ""; {
			letter, value := cluster[0], ""
			cluster = cluster[1:]
			switch known, takesValue := lookup(letter); {
			case !known:
				why := fmt.Sprintf("invalid option -- '%c'", letter)
				return nil, usage(env, why).in("options", "%s: want -b, -d, -l, -m, -o, -r or -s", why)
			case takesValue && cluster != "":
				value, cluster = cluster, ""
			case takesValue && i+1 == len(args):
				why := fmt.Sprintf("option requires an argument -- '%c'", letter)
				return nil, usage(env, why).in("options", "%s", why)
			case takesValue:
				i++
				value = args[i]
			}
			if err := set(env, letter, value); err != nil {
				return nil, err
			}
		}
	}
	return rest, nil
}

func lookup(letter byte) (known, takesValue bool) {
	at := strings.IndexByte(spec, letter)
	if at < 0 || letter == ':' {
		return false, false
	}
	return true, at+1 < len(spec) && spec[at+1] == ':'
}
