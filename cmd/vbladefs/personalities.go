package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"vbladefs/cmd/internal/daemon"
	"vbladefs/cmd/internal/ggaoed"
	"vbladefs/cmd/internal/qaoed"
	"vbladefs/cmd/internal/single"
)

// personality is a program of others whose place this one takes, under its name
// and with its command line.
type personality struct {
	name    string
	args    string
	summary string
	run     func(args []string, stdout, stderr io.Writer) int // args[0] is what it was called
}

var personalities = []personality{
	{"vblade", "[-b N] [-o N] [-l N] [-d] [-s] [-r] [-m MAC[,MAC...]] SHELF SLOT INTERFACE FILE", "export one file", single.Vblade},
	{"vbladed", "the same", "export one file, in the background", single.Vbladed},
	{"ggaoed", "[-c FILE] [-d] [-n]", "export what a configuration file says", ggaoed.Main},
	{"ggaoectl", "[-c FILE] COMMAND [ARGUMENT...]", "control ggaoed", ggaoed.CtlMain},
	{"qaoed", "[-f] [-c FILE]", "export what a configuration of qaoed says", qaoed.Qaoed},
	{"qdctl", "{ add | remove | show | set } ...", "control qaoed while it runs", qaoed.Qdctl},
	{"sqaoed", "INTERFACE FILE SHELF SLOT", "export one file", single.Sqaoed},
}

// findPersonality is the personality of that name, or nil.
func findPersonality(name string) *personality {
	for i := range personalities {
		if personalities[i].name == name {
			return &personalities[i]
		}
	}
	return nil
}

// vbladeOptions are those of vblade and vbladed, which say no more of them than their usage.
const vbladeOptions = `  -b N  buffers: how many requests initiators may have under way; by default 16
  -d  direct I/O
  -l N  how many sectors to export; by default all behind the first one
  -m MAC,...  the only hosts that are answered
  -o N  the first sector to export
  -r  read-only
  -s  every write is on the medium when it is acknowledged
`

// help tells what p takes. What these programs themselves say to -h is what others before them
// did: in some, that there is no such option.
func (p *personality) help(w io.Writer) error {
	args := p.args
	if args == "the same" {
		args = personalities[0].args
	}
	_, err := fmt.Fprintf(w, "usage: %s %s\n       vbladefs %s ...\n\n%s%s: see vbladefs-daemons(8).\n\n",
		p.name, args, p.name, strings.ToUpper(p.summary[:1]), p.summary[1:])
	switch {
	case err != nil:
		return err
	case p.name == "vblade" || p.name == "vbladed":
		_, err = io.WriteString(w, vbladeOptions+daemon.OwnUsage)
	case p.name == "sqaoed":
		_, err = io.WriteString(w, daemon.OwnUsage)
	case p.name == "qaoed":
		_, err = io.WriteString(w, "  -c FILE  the configuration; by default /etc/qaoed.conf\n  -f  stay in the foreground\n"+daemon.OwnUsage)
	case p.name == "qdctl":
		_, err = io.WriteString(w, "  --socket FILE  where qaoed listens\n")
	default:
		p.run([]string{p.name, "-h"}, w, io.Discard)
	}
	return err
}

// called finds the personality that args, a whole command line, asks for: by the
// name under which the program was started, or as a sub-command. It returns its
// arguments, the first of which is its name.
func called(args []string) (*personality, []string) {
	if p := findPersonality(filepath.Base(args[0])); p != nil {
		return p, args
	}
	if len(args) > 1 {
		return findPersonality(args[1]), args[1:]
	}
	return nil, nil
}

// installLinks makes a link to this program for each personality.
func installLinks(args []string, w io.Writer) error {
	f := flag.NewFlagSet("vbladefs install-links", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Usage = func() {}
	to := f.String("to", "", "what the links point to; by default this program, wherever it is")
	force := f.Bool("force", false, "replace what is there under these names")
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		_, _ = fmt.Fprint(w, "usage: vbladefs install-links [options] DIRECTORY\n\nMakes links in DIRECTORY, so that the daemons are started under their own names.\n\n")
		f.SetOutput(w)
		f.PrintDefaults()
		return err
	} else if err != nil {
		return badUsage("%v", err)
	}
	if f.NArg() != 1 {
		return badUsage("%d arguments, want one: the directory for the links", f.NArg())
	}
	self := *to
	if self == "" {
		var err error
		if self, err = os.Executable(); err != nil {
			return err
		}
	}
	return linkAll(f.Arg(0), self, *force, w)
}

// linkAll looks at all names before it makes any link.
func linkAll(dir, self string, force bool, w io.Writer) error {
	var taken, missing []string
	for _, p := range personalities {
		path := filepath.Join(dir, p.name)
		switch there, err := os.Readlink(path); {
		case err == nil && there == self:
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, path)
		case force:
			missing = append(missing, path)
		default:
			taken = append(taken, path)
		}
	}
	if len(taken) > 0 {
		return fmt.Errorf("these are there already: %s; remove them, or replace them with -force", strings.Join(taken, " "))
	}
	for _, path := range missing {
		if err := replaceLink(self, path); err != nil {
			return err
		}
		_, _ = fmt.Fprintf(w, "%s -> %s\n", path, self)
	}
	return nil
}

// replaceLink makes path a link to self at one moment, whatever was there.
func replaceLink(self, path string) error {
	temporary := path + ".new"
	if err := os.Symlink(self, temporary); err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return nil
}
