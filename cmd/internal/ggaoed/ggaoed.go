// Package ggaoed is the daemon ggaoed and its client ggaoectl.
//
//	ggaoed.conf ─compat/ggaoed─▶ Config ─Plan─▶ daemon.Served ─▶ engine
//	SIGHUP, reload ─▶ the same again, and only what differs is changed
//	ggaoectl ─datagrams─▶ control socket: statistics, lists, reload
//	engine ─target.Keeper─▶ state directory, in the original's format
package ggaoed

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"vbladefs/cmd/internal/daemon"
)

// Facts of the originals' command lines, sheet §1 and §5.
const (
	defaultConfig = "/etc/ggaoed.conf"
	versionText   = "GGs AoE target 1.1"
)

const (
	exitOK      = 0
	exitFailure = 1
)

// flags is the command line of ggaoed.
type flags struct {
	config        string
	debug, nofork bool
	help, version bool
	own           daemon.Own
}

func (f *flags) options() []option {
	return []option{
		{'c', "config", &f.config, nil, "configuration file, by default " + defaultConfig},
		{'d', "debug", nil, &f.debug, "stay in the foreground and log to stdout"},
		{'n', "nofork", nil, &f.nofork, "stay in the foreground and log to syslog"},
		{'h', "help", nil, &f.help, "show this"},
		{'V', "version", nil, &f.version, "show the version"},
	}
}

// Main is the program ggaoed; args[0] is what it was called.
func Main(args []string, stdout, stderr io.Writer) int {
	f := flags{config: defaultConfig}
	first := "Usage: " + args[0] + " [options]"
	own, words, err := daemon.TakeOwn(args[1:])
	if err == nil {
		_, err = parseOptions(words, f.options())
	}
	switch f.own = own; {
	case err != nil:
		_, _ = fmt.Fprintf(stderr, "%s: %v\n", args[0], err)
		usage(stdout, first, f.options())
		return exitFailure
	case f.help:
		usage(stdout, first, f.options())
		_, _ = io.WriteString(stdout, daemon.OwnUsage)
		return exitOK
	case f.version:
		_, _ = fmt.Fprintln(stdout, versionText)
		return exitOK
	}
	ready := daemon.InBackground()
	s := source{file: f.config}
	if path, err := filepath.Abs(f.config); err == nil && ready != nil {
		s.file = path // which a reload reads, wherever the daemon is by then
	}
	if f.debug || f.nofork {
		s.dir, _ = os.Getwd()
	}
	config, warnings, err := s.load()
	if ready == nil {
		for _, w := range warnings {
			_, _ = fmt.Fprintln(stdout, w)
		}
	}
	if err != nil {
		_, _ = fmt.Fprintln(stdout, err)
		return exitFailure
	}
	if !f.debug && !f.nofork && ready == nil {
		return daemon.Background(stdout)
	}
	d := newRunning(f, s, stdout)
	if err = d.start(config); err == nil {
		err = ready.Leave()
	}
	switch {
	case err != nil:
		d.log.Error(err)
		if f.nofork && !f.debug {
			_, _ = fmt.Fprintln(stdout, err)
		}
		ready.Failed(exitFailure, err.Error()+"\n")
		return exitFailure
	case len(d.served.Plan().Exports) == 0:
		d.log.Error(noDevices)
		ready.Failed(exitOK, string(noDevices)+"\n")
		return d.stop()
	}
	ready.Serving()
	d.daemon.TellReady()
	d.run()
	d.daemon.TellStopping()
	return d.stop()
}
