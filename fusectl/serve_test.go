package fusectl

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
)

// A process that serves a mount may not use it (go-fuse fs/api.go, "Deadlocks"):
// the tests start this binary again, which mounts a tree where serveEnv says
// and serves it until its standard input ends.
const (
	serveEnv = "FUSECTL_TEST_SERVE"
	groupEnv = "FUSECTL_TEST_GROUP"
	gateEnv  = "FUSECTL_TEST_GATE"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(serveEnv); dir != "" {
		if err := serveTree(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func serveTree(dir string) error {
	group, _ := strconv.ParseUint(os.Getenv(groupEnv), 10, 32)
	log := logrus.New()
	log.SetOutput(io.Discard)
	server, err := Mount(dir, newEngine(os.Getenv(gateEnv), log), Options{Logger: log, Group: uint32(group)})
	if err != nil {
		return err
	}
	fmt.Println("serving")
	go func() {
		io.Copy(io.Discard, os.Stdin)
		if err := server.Unmount(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	server.Wait()
	return nil
}

// needFUSE skips, or fails in CI, where a tree cannot be mounted.
func needFUSE(t *testing.T) {
	t.Helper()
	missing := ""
	if os.Geteuid() != 0 {
		missing = "root"
	} else if _, err := os.Stat("/dev/fuse"); err != nil {
		missing = "/dev/fuse"
	}
	switch {
	case missing == "":
	case os.Getenv("CI") == "true":
		t.Fatalf("mounting a control tree needs %s", missing)
	default:
		t.Skipf("mounting a control tree needs %s", missing)
	}
}

// daemon is a process that serves a tree.
type daemon struct {
	dir   string // the mount point
	cmd   *exec.Cmd
	stdin io.Closer
	errs  *strings.Builder // its standard error, once it ended
}

// start mounts a new tree at dir and takes it away when the test ends.
func start(t *testing.T, dir string, env ...string) *daemon {
	t.Helper()
	d, err := tryStart(dir, env...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.stop(); err != nil {
			t.Errorf("the serving process: %v", err)
		}
		if _, mounted, err := mountedType(dir); mounted || err != nil {
			t.Errorf("%s is still mounted, or: %v", dir, err)
			unix.Unmount(dir, unix.MNT_DETACH)
		}
	})
	return d
}

// mounted starts a daemon on a new folder.
func mounted(t *testing.T, env ...string) *daemon {
	t.Helper()
	needFUSE(t)
	return start(t, filepath.Join(t.TempDir(), "tree"), env...)
}

func tryStart(dir string, env ...string) (*daemon, error) {
	errs := new(strings.Builder)
	cmd := exec.Command("/proc/self/exe")
	// The race detector sleeps for a second at exit unless told not to.
	cmd.Env = append(append(os.Environ(), serveEnv+"="+dir, "GORACE=atexit_sleep_ms=0"), env...)
	cmd.Stderr = errs
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if line, _ := bufio.NewReader(stdout).ReadString('\n'); line != "serving\n" {
		return nil, fmt.Errorf("%w: %s", cmd.Wait(), errs.String())
	}
	return &daemon{dir: dir, cmd: cmd, stdin: stdin, errs: errs}, nil
}

// stop unmounts the tree and waits for the process; again, it does nothing.
func (d *daemon) stop() error {
	if d.cmd == nil {
		return nil
	}
	cmd := d.cmd
	d.cmd = nil
	d.stdin.Close()
	if err := cmd.Wait(); err != nil || d.errs.Len() > 0 {
		return fmt.Errorf("it ended with %v and said %q", err, d.errs.String())
	}
	return nil
}

// kill ends the process without letting it unmount.
func (d *daemon) kill() {
	d.cmd.Process.Kill()
	d.cmd.Wait()
	d.cmd = nil
}

// sh runs a shell script in the tree and returns what it printed, errors too.
func (d *daemon) sh(t *testing.T, script string) string { return d.run(t, "sh", script) }

// bash is sh with bash.
func (d *daemon) bash(t *testing.T, script string) string { return d.run(t, "bash", script) }

func (d *daemon) run(t *testing.T, shell, script string) string {
	t.Helper()
	cmd := exec.Command(shell, "-c", script)
	cmd.Dir = d.dir
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return string(out)
	case errors.As(err, &exit):
		return fmt.Sprintf("%s(%v)\n", out, err)
	}
	t.Errorf("%s: %v", shell, err)
	return ""
}
