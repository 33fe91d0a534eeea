// Command vbladefs exports disks over ATA over Ethernet, driven by echo and
// cat through a filesystem that it mounts.
//
// This file finds the sub-command; serve.go is the daemon.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"vbladefs/fusectl"
)

// Exit codes, which scripts may rely on.
const (
	exitOK      = 0
	exitFailure = 1 // it was tried and did not work
	exitUsage   = 2 // the command line is wrong; nothing was tried
)

// version is set by the Makefile.
var version = "unreleased"

// The main thread stays with the main goroutine. A worker that ends takes its
// thread, pinned perhaps, with it; the main thread could only be parked.
func init() { runtime.LockOSThread() }

// usageError is a mistake in the command line.
type usageError struct{ reason string }

func (e *usageError) Error() string { return e.reason }

// exitError is an error with an exit code of its own.
type exitError struct {
	code int
	error
}

func (e *exitError) Unwrap() error { return e.error }

// errSilent is that of a command that has said all it has to say.
var errSilent = errors.New("see above")

func badUsage(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// command is one sub-command of vbladefs.
type command struct {
	name    string
	args    string
	summary string
	run     func(args []string, stdout io.Writer) error
}

var commands []command

func init() { // a variable that refers to itself through help
	commands = []command{
		{"serve", "[options] DIRECTORY", "mount the control tree on DIRECTORY and serve until SIGTERM or SIGINT", serve},
		{"run", "[options] [COMMAND...]", "run a command, or a shell, for which /sys/kvblade, /sys/vblade and /proc/aoeserver exist", runCommand},
		{"status", "[options] [DIRECTORY]", "tell whether what is exported is well; the exit status says it, too", status},
		{"top", "[options] [DIRECTORY]", "show what exports, initiators and interfaces do, as it goes on", top},
		{"save", "[-mount DIRECTORY] [FILE]", "make what is exported durable now, or copy it to FILE", save},
		{"restore", "[-mount DIRECTORY] [-exact] FILE", "export what FILE, a copy of the state, says", restoreState},
		{"check", "FILE...", "find mistakes in copies of the state", check},
		{"convert", "[options] FILE...", "make a state of configuration files of ggaoed, qaoed and vblade", convertFiles},
		{"discover", "[options] INTERFACE...", "list the targets that other machines serve on a segment", discover},
		{"ping", "[options] INTERFACE ADDRESS", "ask a target who it is, and how soon it answers", ping},
		{"upgrade", "[-state DIRECTORY]", "replace the running daemon by the program as it is now, unnoticed by initiators", upgradeCommand},
		{"install-links", "[options] DIRECTORY", "make links in DIRECTORY to start the daemons under their own names", installLinks},
		{"completion", "SHELL", "write what bash, zsh or fish needs to complete command lines", completion},
		{"help", "[ctl | COMMAND | DAEMON]", "show this, or what each file of the tree takes and gives, or the options of one", helpCommand},
		{"version", "", "show the version", showVersion},
	}
}

func main() {
	if p, args := called(os.Args); p != nil {
		os.Exit(p.run(args, os.Stdout, os.Stderr))
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run carries out one command line and returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		help(stderr)
		return exitUsage
	}
	name := args[0]
	switch name {
	case "-h", "-help", "--help":
		help(stdout)
		return exitOK
	case "-V", "-version", "--version":
		name = "version"
	}
	all := append(commands, command{name: viewCommand, run: func(args []string, _ io.Writer) error { return view(args) }})
	for _, c := range all {
		if c.name == name {
			return report(c, c.run(args[1:], stdout), stderr)
		}
	}
	_, _ = fmt.Fprintf(stderr, "vbladefs: unknown command %q; `vbladefs help` lists those there are\n", name)
	return exitUsage
}

// report tells of a command's error and returns the exit code.
func report(c command, err error, stderr io.Writer) int {
	var usage *usageError
	var coded *exitError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.As(err, &usage):
		_, _ = fmt.Fprintf(stderr, "vbladefs %s: %v\nusage: vbladefs %s; `vbladefs %s -h` explains the options\n",
			c.name, err, strings.TrimSpace(c.name+" "+c.args), c.name)
		return exitUsage
	}
	if !errors.Is(err, errSilent) {
		_, _ = fmt.Fprintf(stderr, "vbladefs %s: %v\n", c.name, err)
	}
	if errors.As(err, &coded) {
		return coded.code
	}
	return exitFailure
}

// showVersion tells which program this is.
func showVersion(args []string, w io.Writer) error {
	f := newFlags("version", w, "", "Shows the version of the program; that of a running daemon is in its log and metrics.\n")
	if err := f.parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return badUsage("want no argument, have %q", f.Args())
	}
	_, err := fmt.Fprintln(w, "vbladefs", version)
	return err
}

// helpCommand shows the commands, the README of the tree, or what one command or daemon takes.
func helpCommand(args []string, w io.Writer) error {
	f := newFlags("help", w, "[ctl | COMMAND | DAEMON]", `Shows all commands and daemons; what each file of the control tree takes and gives; or the options of one.
`)
	if err := f.parse(args); errors.Is(err, flag.ErrHelp) {
		help(w)
		return err
	} else if err != nil {
		return err
	}
	if f.NArg() > 1 {
		return badUsage("no help on %q: want one word", f.Args())
	}
	topic := f.Arg(0)
	switch topic {
	case "":
		help(w)
		return nil
	case "ctl":
		_, err := io.WriteString(w, fusectl.Help())
		return err
	}
	for _, c := range commands {
		if c.name == topic {
			return c.run([]string{"-h"}, w)
		}
	}
	if p := findPersonality(topic); p != nil {
		return p.help(w)
	}
	return badUsage("no help on %q: want ctl, a command, a daemon or nothing", topic)
}

func help(w io.Writer) {
	_, _ = fmt.Fprint(w, `vbladefs exports disks over ATA over Ethernet, driven by echo and cat.

  vbladefs serve /run/vbladefs
  echo add /dev/loop1 0 1 eth0 > /run/vbladefs/aoeserver
  cat /run/vbladefs/README

commands:
`)
	for _, c := range commands {
		_, _ = fmt.Fprintf(w, "  %-41s %s\n", c.name+" "+c.args, c.summary)
	}
	if len(personalities) > 0 {
		_, _ = fmt.Fprint(w, "\ndaemons, as `vbladefs NAME ...` or under their own names:\n")
	}
	for _, p := range personalities {
		_, _ = fmt.Fprintf(w, "  %-41s %s\n", p.name+" "+p.args, p.summary)
	}
}
