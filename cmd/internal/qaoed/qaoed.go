// Package qaoed has the daemon qaoed and its client qdctl.
//
//	file ─compat/qaoed─▶ Config ─Plan─▶ daemon.Served ─▶ engine
//	client ─socket─▶ api ─AddTarget, SetMTU …─▶ Config ─┘
//	engine's log ─▶ logs ─▶ syslog, files
//
// What is served is always the plan of one Config. A file replaces it as a
// whole; the API makes another of it. Both wait for each other.
package qaoed

import (
	"fmt"
	"io"
	"strings"

	"vbladefs/cmd/internal/daemon"
)

// Exit codes. The original ends with 255 after -h and -V, too, on which no script
// can depend.
const (
	exitOK      = 0
	exitFailure = 255
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

// Qaoed is the program qaoed; args[0] is what it was called.
func Qaoed(args []string, stdout, stderr io.Writer) int {
	o, code, done := parseOptions(args, stdout)
	if done {
		return code
	}
	ready := daemon.InBackground()
	if o.foreground || ready != nil {
		return run(o, ready, stdout, stderr)
	}
	// As in the original, the file is read before it goes into the background, so
	// that its faults are seen here.
	_, warnings, err := load(o.config)
	tellWarnings(stderr, warnings)
	if err != nil {
		return complain(stdout, stderr, err)
	}
	code = daemon.Background(stderr)
	if code != exitOK {
		_, _ = io.WriteString(stdout, loadFailed)
	}
	return code
}

// loadFailed is the original's last word, blank and all.
const loadFailed = "Errors while loading configuration... \n"

func complain(stdout, stderr io.Writer, err error) int {
	_, _ = fmt.Fprintln(stderr, err)
	_, _ = io.WriteString(stdout, loadFailed)
	return exitFailure
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
		if !strings.HasPrefix(words[i], "-") || words[i] == "-" {
			continue
		}
		for flags := words[i][1:]; flags != ""; flags = flags[1:] {
			switch flags[0] {
			case 'f':
				o.foreground = true
			case 'h':
				_, _ = io.WriteString(stdout, usage(args[0])+daemon.OwnUsage)
				return o, exitOK, true
			case 'V':
				_, _ = io.WriteString(stdout, version)
				return o, exitOK, true
			case 'c':
				value := flags[1:]
				if i++; value == "" && i < len(words) {
					value = words[i]
				} else {
					i--
				}
				if value == "" {
					return o, refuse(stdout, args[0], "Unknown argument ?"), true
				}
				o.config, flags = value, "c"
			default:
				return o, refuse(stdout, args[0], "Unknown argument ?"), true
			}
		}
	}
	return o, exitOK, false
}

func usage(name string) string { return "usage: " + name + " [-f -V -h] [-c <file>]\n" }

func refuse(stdout io.Writer, name, why string) int {
	_, _ = io.WriteString(stdout, why+"\n"+usage(name))
	return exitFailure
}
