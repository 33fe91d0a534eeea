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

	"vbladefs/cmd/internal/daemon"
)

// Exit codes. The original ends with 255 after -h and -V, too, on which no script
// can depend.
const (
	exitOK      = 0
	exitFailure = 255
)

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
