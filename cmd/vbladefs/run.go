package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"vbladefs/cmd/internal/mountns"
	"vbladefs/cmd/internal/procview"
)

// defaultMount is where programs look for the control tree.
const defaultMount = "/run/vbladefs"

// Exit codes of run when the command cannot be started, as env(1) and shells have them.
const (
	exitNotExecutable = 126
	exitNotFound      = 127
)

// runOptions is the command line of run.
type runOptions struct {
	mount   string
	command []string
}

func parseRun(args []string, w io.Writer) (runOptions, error) {
	var o runOptions
	f := flag.NewFlagSet("vbladefs run", flag.ContinueOnError)
	f.SetOutput(io.Discard) // errors are reported once, by report
	f.StringVar(&o.mount, "mount", defaultMount, "where the control tree is mounted")
	f.Usage = func() {}
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		_, _ = fmt.Fprint(w, "usage: vbladefs run [options] [--] [COMMAND [ARGUMENT...]]\n\n"+
			"Runs COMMAND, or a shell, where /sys/kvblade, /sys/vblade and /proc/aoeserver are those of the control tree.\n\n")
		f.SetOutput(w)
		f.PrintDefaults()
		return o, err
	} else if err != nil {
		return o, badUsage("%v", err)
	}
	o.command = f.Args()
	if len(o.command) == 0 {
		o.command = []string{os.Getenv("SHELL")}
		if o.command[0] == "" {
			o.command[0] = "/bin/sh"
		}
	}
	var err error
	o.mount, err = filepath.Abs(o.mount)
	return o, err
}

// runCommand becomes the command, in a mount namespace of its own, so that its process, terminal, signals and exit code are
// the command's. It returns only if that cannot be.
func runCommand(args []string, stdout io.Writer) error {
	o, err := parseRun(args, stdout)
	if err != nil {
		return err
	}
	if _, err := mountns.Device(o.mount); err != nil {
		return &exitError{exitUsage, fmt.Errorf("no control tree on %s (%w): start the daemon with `vbladefs serve %s`, "+
			"or name the folder that it is mounted on with -mount", o.mount, err, o.mount)}
	}
	path, err := exec.LookPath(o.command[0])
	if err != nil {
		return cannotStart(err)
	}
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	here, _ := os.Getwd()
	fuse, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: "/dev/fuse", Err: err}
	}
	told, err := startView(o.mount, fuse)
	if err != nil {
		return err
	}
	// The main thread stays with this goroutine (main.go), and is the one that becomes the command.
	err = mountns.Enter(o.mount, fuse, func(v mountns.View) error {
		return errors.Join(json.NewEncoder(told).Encode(v), told.Close())
	})
	if errors.Is(err, unix.EPERM) {
		err = fmt.Errorf("%w: it needs root", err)
	}
	if err != nil {
		return err
	}
	if here != "" {
		_ = os.Chdir(here) // below /sys and /proc it is another folder now
	}
	return cannotStart(&os.PathError{Op: "exec", Path: path, Err: syscall.Exec(path, o.command, environ(o.mount))})
}

// environ tells our own scripts where the control tree is, too.
func environ(mount string) []string {
	if err := os.Setenv("VBLADEFS", mount); err != nil {
		return os.Environ()
	}
	return os.Environ()
}

// cannotStart gives an error the exit code that shells give it.
func cannotStart(err error) error {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return &exitError{exitNotFound, err}
	}
	return &exitError{exitNotExecutable, err}
}

// startView starts the process that will serve the view of /proc and returns where to tell it when it is mounted. If
// it is not told, it ends.
func startView(mount string, fuse int) (*os.File, error) {
	proc, err := os.Open("/proc/" + procview.Real) // this is a run in a run
	if err != nil {
		proc, err = os.Open("/proc")
	}
	if err != nil {
		return nil, err
	}
	defer proc.Close()
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	copied, err := unix.FcntlInt(uintptr(fuse), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	connection := os.NewFile(uintptr(copied), "/dev/fuse")
	defer connection.Close()
	cmd := exec.Command("/proc/self/exe", viewCommand, mount)
	cmd.Dir = "/"
	cmd.ExtraFiles = []*os.File{connection, proc, read}
	if out, err := cmd.CombinedOutput(); err != nil {
		_ = write.Close()
		return nil, fmt.Errorf("start the view of /proc: %w: %s", err, out)
	}
	return write, nil
}
