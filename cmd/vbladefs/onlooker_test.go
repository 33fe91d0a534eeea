package main_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// An onlooker reads files of a tree in a process of its own. In that of the tests, which
// sends the flood and runs the initiator, goroutines wait for each other before
// any waits for the daemon.

// onlookerVariable has the test program be an onlooker of this directory; it comes
// before all others to a processor if urgentVariable is set.
const (
	onlookerVariable = "VBLADEFS_TEST_ONLOOKER"
	urgentVariable   = "VBLADEFS_TEST_URGENT"
)

// onlookerFiles are read in turn.
var onlookerFiles = [...]string{"targets/e0.1/stats", "targets/e0.2/initiators", "interfaces/eth0/stats"}

func init() {
	dir := os.Getenv(onlookerVariable)
	if dir == "" {
		return
	}
	var err error
	if os.Getenv(urgentVariable) != "" {
		runtime.LockOSThread()
		if err = unix.SchedSetAttr(0, &unix.SchedAttr{Policy: unix.SCHED_FIFO, Priority: 1}, 0); err != nil {
			fmt.Fprintln(os.Stderr, "an onlooker that waits for a processor as others do:", err) // its cgroup may have no such time
		}
	}
	if err = lookOn(dir, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "onlooker:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// lookOn reads files for as long as each line of in says, and tells what it saw.
func lookOn(dir string, in io.Reader, out io.Writer) error {
	for lines := bufio.NewScanner(in); lines.Scan(); {
		period, err := time.ParseDuration(lines.Text())
		if err != nil {
			return err
		}
		var seen reads
		for end := time.Now().Add(period); time.Now().Before(end); time.Sleep(3 * time.Millisecond) {
			start := time.Now()
			if _, err := os.ReadFile(filepath.Join(dir, onlookerFiles[seen.files%len(onlookerFiles)])); err != nil {
				return err
			}
			took := time.Since(start)
			seen.files, seen.all, seen.slowest = seen.files+1, seen.all+took, max(seen.slowest, took)
		}
		if _, err := fmt.Fprintln(out, seen.files, int64(seen.all), int64(seen.slowest)); err != nil {
			return err
		}
	}
	return nil
}

// reads are those of an onlooker.
type reads struct {
	files        int
	all, slowest time.Duration // what they took
}

func (r reads) String() string {
	return fmt.Sprintf("%d files read in %v each, the slowest in %v", r.files,
		(r.all / time.Duration(max(r.files, 1))).Round(10*time.Microsecond), r.slowest.Round(10*time.Microsecond))
}

// onlooker is the process.
type onlooker struct {
	t    *testing.T
	to   io.Writer
	from *bufio.Reader
}

// onlooker starts one. An urgent one never waits for a processor that others want: what
// it waits for is the daemon.
func (d *daemon) onlooker(urgent bool) *onlooker {
	d.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), onlookerVariable+"="+d.dir)
	if urgent {
		cmd.Env = append(cmd.Env, urgentVariable+"=1")
	}
	cmd.Stderr = os.Stderr
	to, err := cmd.StdinPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	from, err := cmd.StdoutPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		_ = to.Close()
		if err := cmd.Wait(); err != nil {
			d.t.Errorf("an onlooker: %v", err)
		}
	})
	return &onlooker{d.t, to, bufio.NewReader(from)}
}

// begin has o read for a period, and end returns what it read.
func (o *onlooker) begin(period time.Duration) {
	o.t.Helper()
	if _, err := fmt.Fprintln(o.to, period); err != nil {
		o.t.Fatal(err)
	}
}

func (o *onlooker) end() (r reads) {
	o.t.Helper()
	line, err := o.from.ReadString('\n')
	if err == nil {
		_, err = fmt.Sscan(line, &r.files, &r.all, &r.slowest)
	}
	if err != nil {
		o.t.Fatalf("an onlooker said %q: %v", line, err)
	}
	return r
}
