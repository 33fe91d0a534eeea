package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"vbladefs/cmd/internal/daemon"
	"vbladefs/cmd/internal/mountns"
	"vbladefs/cmd/internal/procview"
)

// viewCommand serves the view of /proc for a run. It is not for users, and not listed.
const viewCommand = "procview"

// The descriptors that the view is started with, behind the three that every process has.
const (
	viewConnection = iota + 3 // of /dev/fuse
	viewProc                  // the root of the real /proc
	viewTold                  // a pipe that says when the view is mounted
	viewFirstOther
)

// view is the command procview. Called by run, it starts itself once more and ends, so that what serves the view is no
// child of the command that run becomes: a program may wait for all of its children.
func view(args []string) error {
	if len(args) == 2 && args[0] == "serve" {
		return serveView(args[1])
	}
	if len(args) != 1 {
		return badUsage("it is started by vbladefs run")
	}
	// What the caller of run has open is not to stay open for as long as the view.
	if err := unix.CloseRange(viewFirstOther, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("close_range: %w: this needs Linux 5.11 or later", err)
	}
	cmd := exec.Command("/proc/self/exe", viewCommand, "serve", args[0])
	cmd.Args[0] = "vbladefs"
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.ExtraFiles = []*os.File{os.NewFile(viewConnection, "fuse"), os.NewFile(viewProc, "proc"), os.NewFile(viewTold, "told")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no terminal's signals
	return cmd.Start()
}

// serveView serves until the namespace, and with it the last mount of the view, is gone.
func serveView(mount string) error {
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	setName("vbladefs")
	log := daemon.NewLogger("vbladefs", os.Stderr)
	told := os.NewFile(viewTold, "told")
	var v mountns.View
	if err := json.NewDecoder(told).Decode(&v); err != nil {
		return fmt.Errorf("run ended before its view was mounted: %w", err)
	}
	_ = told.Close()
	for _, fd := range []int{viewConnection, viewProc} {
		unix.CloseOnExec(fd)
	}
	served := procview.New(viewProc, v.Folders)
	go func() {
		failed := func(err error) { log.Errorf("run: the control tree on %s: %v", mount, err) }
		if err := mountns.Follow(mount, viewProc, v, served.Show, failed); err != nil {
			failed(err)
		}
	}()
	err := served.Serve(viewConnection)
	if err != nil {
		log.Error(err)
	}
	return err
}

// setName is what ps(1) shall call the process, which else is "exe": the name of the main thread, which this is.
func setName(name string) {
	_ = os.WriteFile("/proc/thread-self/comm", []byte(name), 0)
}
