package qaoed

import (
	"errors"
	"io"

	"vbladefs/cmd/internal/daemon"
	"vbladefs/compat/getopt"
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
	_, err = getopt.Parse(words, letters, false, o.take)
	switch {
	case errors.Is(err, errHelp):
		_, _ = io.WriteString(stdout, usage(args[0])+daemon.OwnUsage)
	case errors.Is(err, errVersion):
		_, _ = io.WriteString(stdout, version)
	case err != nil:
		return o, refuse(stdout, args[0], "Unknown argument ?"), true
	}
	return o, exitOK, err != nil
}

var letters = []getopt.Option{{Letter: 'f'}, {Letter: 'c', Value: true}, {Letter: 'h'}, {Letter: 'V'}}

// What ends the program at once, whatever follows.
var errHelp, errVersion = errors.New("-h"), errors.New("-V")

func (o *options) take(letter byte, value string) error {
	switch letter {
	case 'f':
		o.foreground = true
	case 'c':
		o.config = value
	case 'h':
		return errHelp
	case 'V':
		return errVersion
	}
	return nil
}

func usage(name string) string { return "usage: " + name + " [-f -V -h] [-c <file>]\n" }

func refuse(stdout io.Writer, name, why string) int {
	_, _ = io.WriteString(stdout, why+"\n"+usage(name))
	return exitFailure
}
