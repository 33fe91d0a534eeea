package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"vbladefs/cmd/internal/daemon"
	"vbladefs/cmd/internal/notify"
	"vbladefs/cmd/internal/takeover"
)

// settleTime is how long to wait for the service manager, at most: longer than a
// manager that works takes, and less than who takes over waits for the end of this
// process.
const settleTime = 3 * time.Second

// upgradeCommand has the running daemon replaced by the program as it is now.
func upgradeCommand(args []string, stdout io.Writer) error {
	f := newFlags("upgrade", stdout, "[-state DIRECTORY]", `Has the running daemon start its program anew, as that is on the disk now, with the same options,
and hand everything over to it. Initiators do not notice. If that fails, the running daemon goes on.
`)
	dir := f.String("state", defaultState, "folder of the daemon's state")
	if err := f.parse(args); err != nil {
		return err
	}
	if f.NArg() != 0 {
		return badUsage("%d arguments, want none", f.NArg())
	}
	if *dir == "" {
		return badUsage("-state is empty: want the folder in which the daemon keeps its state")
	}
	process, err := takeover.Upgrade(*dir)
	if err == nil {
		_, err = fmt.Fprintf(stdout, "process %d serves now\n", process)
	}
	return err
}

// program is where this program was found when it was started, and may be another now.
func program() (string, error) {
	if filepath.IsAbs(os.Args[0]) {
		return os.Args[0], nil
	}
	return os.Executable()
}

// startHeir starts the program with the command line of this daemon, to take over
// from it. If it ends without, failed has the reason.
func (s *server) startHeir() (process int, failed <-chan error, err error) {
	path, err := program()
	if err != nil {
		return 0, nil, err
	}
	args := s.args
	for len(args) > 0 && (args[0] == "-takeover" || args[0] == "--takeover") { // else each upgrade adds one
		args = args[1:]
	}
	c := exec.Command(path, slices.Concat([]string{"serve", "-takeover"}, args)...)
	c.Env = notify.Heir(os.Environ())
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	if s.o.user != "" { // which no capability outlives otherwise
		inherited, err := daemon.Inheritable()
		if err != nil {
			return 0, nil, err
		}
		c.SysProcAttr = &syscall.SysProcAttr{AmbientCaps: inherited}
	}
	reason, err := daemon.StartListened(c)
	if err != nil {
		return 0, nil, fmt.Errorf("start %s: %w", path, err)
	}
	s.log.Infof("process %d, %s, is to take over", c.Process.Pid, path)
	result := make(chan error, 1)
	go func() {
		result <- fmt.Errorf("process %d did not take over: %w", c.Process.Pid, reason())
	}()
	return c.Process.Pid, result, nil
}

// bequeath tells who has to know that another daemon serves now. The manager of
// services has to before this process ends.
func (s *server) bequeath() {
	if heir := s.giver.Heir(); heir != 0 {
		err := errors.Join(notify.Tell("MAINPID="+strconv.Itoa(heir)), notify.Settle(settleTime))
		if err != nil {
			s.log.WithError(err).Errorf("the service manager may not know that process %d serves", heir)
		}
	}
	s.giver.Tell()
}
