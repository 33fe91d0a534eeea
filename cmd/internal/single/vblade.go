package single

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"vbladefs/cmd/internal/daemon"
	"vbladefs/compat/vblade"
	"vbladefs/target"
)

// Vblade is the program vblade; args[0] is what it was called.
func Vblade(args []string, stdout, stderr io.Writer) int {
	return vbladeOf(args, newEnv(args[0]), stdout, stderr, nil)
}

// Vbladed is vblade in the background, its messages in syslog. Unlike the
// original it returns when the export is served, and with vblade's exit code.
func Vbladed(args []string, _, stderr io.Writer) int {
	words, err := vblade.Background(args[1:], true)
	if err != nil {
		return complain(stderr, err)
	}
	ready := daemon.InBackground()
	if ready == nil {
		return daemon.Background(stderr)
	}
	return vbladeOf(append(args[:1:1], words...), newEnv("vblade"), io.Discard, nil, ready)
}

func newEnv(name string) vblade.Env {
	env := vblade.Env{Argv0: name}
	env.Hostname, _ = os.Hostname()
	env.Dir, _ = os.Getwd()
	_, env.Posix = os.LookupEnv("POSIXLY_CORRECT")
	return env
}

// vbladeOf runs a command line; without stderr, in the background.
func vbladeOf(args []string, env vblade.Env, stdout, stderr io.Writer, ready *daemon.Ready) int {
	own, rest, err := daemon.TakeOwn(args[1:])
	name := "vblade"
	if stderr == nil {
		name = vblade.BackgroundTag
	}
	r := newRun(name, own, stdout, stderr)
	r.ready = ready
	var ended syscall.Signal
	if err == nil {
		ended, err = r.vblade(rest, env)
	}
	if err != nil && stderr == nil {
		r.log.Error(err)
		ready.Failed(exitFailure, err.Error()+"\n")
		return exitFailure
	}
	if err != nil {
		return complain(stderr, err)
	}
	if stderr == nil {
		return exitOK
	}
	return daemon.EndBy(ended)
}

func complain(stderr io.Writer, err error) int {
	_, _ = fmt.Fprintln(stderr, err)
	var exit *vblade.Exit
	if errors.As(err, &exit) {
		return exit.Code
	}
	return exitFailure
}

// vblade checks in the order of the original: options, file, size, interface.
func (r *run) vblade(words []string, env vblade.Env) (syscall.Signal, error) {
	c, err := vblade.Parse(words, env)
	if err != nil {
		return 0, err
	}
	type result struct {
		sectors uint64
		err     error
	}
	sized := make(chan result, 1)
	if s := r.ends.During(func() {
		sectors, err := fileSectors(c.Export.Path)
		sized <- result{sectors, err}
	}); s != nil {
		return s.(syscall.Signal), nil
	}
	size := <-sized
	if size.err != nil {
		return 0, vblade.NotOpened(size.err)
	}
	sectors, err := c.Sectors(size.sectors)
	if err != nil {
		return 0, err
	}
	netif := c.Export.Interfaces[0]
	if !interfaceThere(netif) {
		return 0, vblade.NoInterface(netif)
	}
	ended, err := r.serve(c.Export, func(uint64) string { return c.StartLine(os.Getpid(), sectors) })
	return ended, explained(err)
}

// explained is an error of the engine as vblade says it, and behind that in
// full.
func explained(err error) error {
	var errno unix.Errno
	if errors.Is(err, unix.EBUSY) {
		err = fmt.Errorf("%w; --force serves it all the same", err)
	}
	switch {
	case errors.Is(err, target.ErrStore) && errors.As(err, &errno):
		return fmt.Errorf("%w\n%w", vblade.NotOpened(errno), err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w\n%w", vblade.NoSocket(unix.EPERM), err)
	}
	return err
}
