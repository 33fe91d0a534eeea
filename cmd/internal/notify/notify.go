// Package notify tells the service manager how this process is, as sd_notify(3)
// says:
//
//	READY=1, STATUS=…, WATCHDOG=1 ─datagram─▶ $NOTIFY_SOCKET ─▶ systemd
//
// Where nobody has asked for it, every call does nothing. When to say what is the
// daemon's business, not this package's.
package notify

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	socketVariable  = "NOTIFY_SOCKET"
	usecVariable    = "WATCHDOG_USEC"
	processVariable = "WATCHDOG_PID"
)

// What is said most.
const (
	Ready    = "READY=1"
	Stopping = "STOPPING=1"
	Alive    = "WATCHDOG=1"
)

// Reloading says that the configuration is read again; Ready follows.
func Reloading() string {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // systemd.service(5), Type=notify-reload
	return fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", now.Nano()/1000)
}

// Status is the line that `systemctl status` shows.
func Status(format string, args ...any) string {
	return "STATUS=" + strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "; ")
}

// Asked tells whether a service manager listens.
func Asked() bool { return os.Getenv(socketVariable) != "" }

// Tell says all of what at once. An error is of interest only to a log: the
// manager finds out by itself.
func Tell(what ...string) error { return send([]byte(strings.Join(what, "\n")), nil) }

// Settle returns when the manager has taken note of what was told before, or after
// most: it closes a pipe then (sd_notify_barrier(3)).
func Settle(most time.Duration) error {
	if !Asked() {
		return nil
	}
	listen, tell, err := os.Pipe()
	if err != nil {
		return err
	}
	defer listen.Close()
	err = send([]byte("BARRIER=1"), unix.UnixRights(int(tell.Fd())))
	if err = errors.Join(err, tell.Close()); err != nil {
		return err
	}
	if err := listen.SetReadDeadline(time.Now().Add(most)); err != nil {
		return err
	}
	if _, err = listen.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("the service manager does not answer within %v", most)
	}
	return nil
}

func send(text, rights []byte) error {
	name := os.Getenv(socketVariable)
	if name == "" {
		return nil
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("$%s: %w", socketVariable, err)
	}
	defer unix.Close(fd)
	// A manager that does not read holds nobody up for long.
	err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: 1})
	if err == nil { // a name that begins with @ is of the abstract kind, here as there
		err = unix.Sendmsg(fd, text, rights, &unix.SockaddrUnix{Name: name}, unix.MSG_NOSIGNAL)
	}
	if err != nil {
		return fmt.Errorf("$%s: %w", socketVariable, err)
	}
	return nil
}

// WatchdogInterval is within what time Alive is to be said again, and again; 0: the manager
// does not wait for it.
func WatchdogInterval() time.Duration {
	usec, err := strconv.ParseUint(os.Getenv(usecVariable), 10, 63)
	if err != nil || !Asked() || usec > uint64(24*time.Hour/time.Microsecond) {
		return 0
	}
	if pid := os.Getenv(processVariable); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	return time.Duration(usec) * time.Microsecond
}

// Heir is the environment for a process that is to take the place of this one:
// what the manager waits for, it may wait for from that one.
func Heir(environment []string) (heir []string) {
	for _, v := range environment {
		if !strings.HasPrefix(v, processVariable+"=") {
			heir = append(heir, v)
		}
	}
	return heir
}
