package qaoed

import (
	"io"
	"strings"

	"vbladefs/cmd/internal/daemon"
)

const (
	defaultConfig = "/etc/qaoed.conf"
	version       = "qaoed version .. 0.beta.something.something\n"
)

// options are those of the command line.
type options struct {
	daemon.Own
	config     string
	foreground bool
}

// parseOptions reads a command line as getopt(3) does; done tells that there is
// nothing left to do. Words that are no options mean nothing.
func parseOptions(args []string, stdout io.Writer) (o options, code int, done bool) {
	o.config = defaultConfig
	own, words, err := daemon.TakeOwn(args[1:])
	if err != nil {
		return o, refuse(stdout, args[0], err.Error()), true
	}
	o.Own = own
	for i := 0; i < len(words) && words[i] != "--"; i++ {
		letters, are := strings.CutPrefix(words[i], "-")
		if !are {
			continue
		}
		end, used := o.take(letters, words[i+1:])
		switch end {
		case 'h':
			_, _ = io.WriteString(stdout, usage(args[0])+daemon.OwnUsage)
			return o, exitOK, true
		case 'V':
			_, _ = io.WriteString(stdout, version)
			return o, exitOK, true
		case '?':
			return o, refuse(stdout, args[0], "Unknown argument ?"), true
		}
		if used {
			i++
		}
	}
	return o, exitOK, false
}

// take takes the options of a word. It returns the one that ends the program, '?'
// for a wrong one, or 0; and whether the next word belongs to it.
func (o *options) take(letters string, next []string) (end byte, used bool) {
	for ; letters != ""; letters = letters[1:] {
		switch c := letters[0]; {
		case c == 'f':
			o.foreground = true
		case c == 'c' && len(letters) > 1:
			o.config = letters[1:]
			return 0, false
		case c == 'c' && len(next) > 0:
			o.config = next[0]
			return 0, true
		case c == 'h', c == 'V':
			return c, false
		default:
			return '?', false
		}
	}
	return 0, false
}

func usage(name string) string { return "usage: " + name + " [-f -V -h] [-c <file>]\n" }

func refuse(stdout io.Writer, name, why string) int {
	_, _ = io.WriteString(stdout, why+"\n"+usage(name))
	return exitFailure
}
