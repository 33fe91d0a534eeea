package main_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
)

// guest prepares a command under `vbladefs run`, in the caller's network namespace.
func (d *daemon) guest(command ...string) *exec.Cmd {
	cmd := exec.Command(program, append([]string{"run", "-mount", d.dir, "--"}, command...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	return cmd
}

// inGuest is what a bash script under `vbladefs run` says; it must succeed and not complain.
func (d *daemon) inGuest(script string, args ...string) string {
	d.t.Helper()
	var out, complaints bytes.Buffer
	cmd := d.guest(append([]string{"bash", "-c", script, "bash"}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil || complaints.Len() > 0 {
		d.t.Fatalf("under run, %s: %v: %s\n%s", script, err, &complaints, &out)
	}
	return out.String()
}

// views counts the processes that serve a view of /proc for this daemon's tree.
func (d *daemon) views() int {
	d.t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		d.t.Fatal(err)
	}
	n := 0
	for _, file := range all {
		text, _ := os.ReadFile(file) // of a process that has ended, perhaps
		if bytes.Contains(text, []byte("procview\x00serve\x00"+d.dir+"\x00")) {
			n++
		}
	}
	return n
}

func (d *daemon) awaitNoView() {
	d.t.Helper()
	d.await("nothing is left of run", func() bool { return d.views() == 0 })
}

// ownMounts are the lines of this process's mounts that have to do with run; all else is other tests' too.
func ownMounts(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		at := strings.Fields(line)[4] + "/"
		if strings.HasPrefix(at, "/proc/") || strings.HasPrefix(at, "/sys/") || strings.Contains(line, "vbladefs-") && !strings.Contains(line, "/vbladefs-tree-") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// TestRunLeavesTheHostAlone: before, during and after, however it ends, the machine's mounts are the same, and the
// process that serves the view of /proc ends with the last process that could use it.
func TestRunLeavesTheHostAlone(t *testing.T) {
	t.Parallel()
	d := serve(t, netiotest.New(t))
	before := ownMounts(t)
	unchanged := func(when string) {
		t.Helper()
		if now := ownMounts(t); now != before {
			t.Errorf("%s the mounts are\n%s\nthey were\n%s", when, now, before)
		}
		for _, path := range []string{"/sys/kvblade", "/sys/vblade", "/proc/aoeserver", "/proc/.real"} {
			if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s %s: %v", when, path, err)
			}
		}
	}
	for _, end := range []string{"exit", "SIGKILL"} {
		cmd := d.guest("bash", "-c", "test -d /sys/kvblade && echo ready && exec cat")
		leave := startReady(t, cmd)
		unchanged("during run")
		if n := d.views(); n != 1 {
			t.Errorf("%d processes serve a view, want 1", n)
		}
		if end == "SIGKILL" {
			_ = cmd.Process.Kill()
		}
		_ = leave.Close()
		_ = cmd.Wait()
		d.awaitNoView()
		unchanged("after " + end)
	}
}

// TestRunOutlivedByAChild: what a command leaves running keeps /proc, and run keeps nothing of its caller's open.
func TestRunOutlivedByAChild(t *testing.T) {
	t.Parallel()
	d := serve(t, netiotest.New(t))
	answer := filepath.Join(t.TempDir(), "answer")
	cmd := d.guest("bash", "-c", `(cat <&3; cat /proc/1/comm > "$0.part"; mv "$0.part" "$0") >/dev/null 2>&1 & exit 7`, answer)
	read, hold, err := os.Pipe() // the child waits for its end
	if err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{read}
	out, err := cmd.CombinedOutput() // returns when nobody has its pipe any more
	_ = read.Close()
	if cmd.ProcessState.ExitCode() != 7 || len(out) > 0 {
		t.Errorf("exit code %d, want 7: %v %s", cmd.ProcessState.ExitCode(), err, out)
	}
	if n := d.views(); n != 1 {
		t.Errorf("%d views while a child lives, want 1", n)
	}
	if err := hold.Close(); err != nil {
		t.Fatal(err)
	}
	d.await("the child has answered", func() bool { _, err := os.Stat(answer); return err == nil })
	if got, _ := os.ReadFile(answer); len(got) == 0 {
		t.Error("the child saw nothing in /proc")
	}
	d.awaitNoView()
}

// TestRunFollowsTheDaemon: the places go with the daemon and come with the next, under a command that runs on.
func TestRunFollowsTheDaemon(t *testing.T) {
	t.Parallel()
	ns, dir := netiotest.New(t), mountDir(t)
	d := serveOn(t, ns, dir)
	disk, _ := image(t, mib)
	cmd := d.guest("bash", "-c", `while read -r line; do eval "$line" 2>&1; echo "= $?"; done`)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said := &output{}
	cmd.Stdout = said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ask := func(line string) string {
		t.Helper()
		from := len(said.String())
		if _, err := in.Write([]byte(line + "\n")); err != nil {
			t.Fatal(err)
		}
		end := time.Now().Add(patience)
		for !strings.Contains(said.String()[from:], "= ") || !strings.HasSuffix(said.String(), "\n") {
			if time.Sleep(time.Millisecond); time.Now().After(end) {
				t.Fatalf("%s: no answer", line)
			}
		}
		return said.String()[from:]
	}
	becomes := func(line, want string) {
		t.Helper()
		got := ""
		for end := time.Now().Add(patience); got != want; time.Sleep(5 * time.Millisecond) {
			if got = ask(line); time.Now().After(end) {
				t.Fatalf("%s says %q, want %q", line, got, want)
			}
		}
	}
	const listed = `ls -d /sys/kvblade /sys/vblade /proc/aoeserver 2>/dev/null`
	const all = "/proc/aoeserver\n/sys/kvblade\n/sys/vblade\n= 0\n"
	becomes(listed, all)
	if code := d.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d with a run on the tree", code)
	}
	becomes(listed, "= 2\n")
	becomes(`ls /sys | grep blade; ls /proc | grep aoeserver`, "= 1\n")
	becomes(`ls -d /proc/1 /proc/self/ /proc/sys /sys/class | wc -l`, "4\n= 0\n")
	for _, end := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		d = serveOn(t, ns, dir)
		becomes(listed, all)
		becomes("grep -c ' 0 *1 ' /proc/aoeserver", "0\n= 1\n") // a new daemon, without exports
		if got := ask("echo add " + disk + " 0 1 > /proc/aoeserver"); got != "= 0\n" {
			t.Errorf("echo says %q", got)
		}
		becomes("grep -c ' 0 *1 ' /proc/aoeserver", "1\n= 0\n")
		becomes("grep -c 'vbladefs-proc\\|/proc/aoeserver' /proc/mounts", "2\n= 0\n")
		d.stop(end)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	d = serveOn(t, ns, dir)
	d.awaitNoView()
}

// TestRunCommandLine: exit codes and complaints before there is a command.
func TestRunCommandLine(t *testing.T) {
	t.Parallel()
	d := serve(t, netiotest.New(t))
	empty := t.TempDir()
	for _, tt := range []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"help", []string{"-h"}, 0, []string{"usage: vbladefs run [options]", "-mount"}},
		{"unknown flag", []string{"-colour", "red"}, 2, []string{"usage: vbladefs run", "-colour"}},
		{"no daemon", []string{"-mount", empty, "true"}, 2, []string{"no control tree on " + empty, "vbladefs serve " + empty, "-mount"}},
		{"no such command", []string{"-mount", d.dir, "no-such-command"}, 127, []string{"no-such-command"}},
		{"not executable", []string{"-mount", d.dir, "/etc/passwd"}, 126, []string{"/etc/passwd"}},
		{"its exit code", []string{"-mount", d.dir, "sh", "-c", "exit 42"}, 42, nil},
		{"its options", []string{"-mount", d.dir, "printf", "%s", "-mount"}, 0, []string{"-mount"}},
		{"two dashes", []string{"-mount", d.dir, "--", "echo", "hello"}, 0, []string{"hello\n"}},
		{"two dashes each", []string{"--mount", d.dir, "--", "sh", "-c", `echo "$VBLADEFS"`}, 0, []string{d.dir + "\n"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.Command(program, append([]string{"run"}, tt.args...)...)
			out, _ := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			for _, want := range tt.says {
				if !strings.Contains(string(out), want) {
					t.Errorf("says\n%s\nwithout %q", out, want)
				}
			}
		})
	}
	killed := d.guest("sh", "-c", "kill -TERM $$")
	_ = killed.Run()
	if status := killed.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGTERM {
		t.Errorf("a command that SIGTERM ended: %v", killed.ProcessState)
	}
	d.awaitNoView()
}
