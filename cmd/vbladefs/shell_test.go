package main_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// shell runs a script with the tree as its $T, and returns its output and what
// it complained of.
func (d *daemon) shell(script string, args ...string) (stdout, stderr string, err error) {
	cmd := exec.Command("bash", append([]string{"-c", script, "bash"}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "T="+d.dir)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	err = cmd.Run()
	return out.String(), strings.TrimSpace(complaints.String()), err
}

// echo does `echo line > file`.
func (d *daemon) echo(line, file string) {
	d.t.Helper()
	if errno := d.tryEcho(line, file); errno != "" {
		d.t.Fatalf("echo %s > %s: %s: %s", line, file, errno, d.lastEvent())
	}
}

// tryEcho does `echo line > file` and returns the errno that the shell reports,
// empty if it reports none.
func (d *daemon) tryEcho(line, file string) (errno string) {
	d.t.Helper()
	_, complaint, err := d.shell(`echo "$1" > "$T/$2"`, line, file)
	if err == nil && complaint == "" {
		return ""
	}
	// bash: line 1: echo: write error: Invalid argument
	return errnoOf(d.t, complaint[strings.LastIndex(complaint, ": ")+1:])
}

// errnoOf is the symbol of an error as strerror(3) describes it.
func errnoOf(t *testing.T, description string) string {
	t.Helper()
	for errno := syscall.Errno(1); errno < 134; errno++ {
		if strings.EqualFold(errno.Error(), strings.TrimSpace(description)) {
			return unix.ErrnoName(errno)
		}
	}
	t.Fatalf("%q describes no errno", description)
	return ""
}

// cat is the output of `cat file…`.
func (d *daemon) cat(files ...string) string {
	d.t.Helper()
	out, complaint, err := d.shell(`cd "$T" && cat "$@"`, files...)
	if err != nil || complaint != "" {
		d.t.Fatalf("cat %v: %v: %s", files, err, complaint)
	}
	return out
}

// read is the content of a file, without a shell; "" if it is not there.
func (d *daemon) read(file string) string {
	text, err := os.ReadFile(filepath.Join(d.dir, file))
	if err != nil && !os.IsNotExist(err) {
		d.t.Fatal(err)
	}
	return string(text)
}

// stat is a counter of a stats file.
func (d *daemon) stat(file, name string) string {
	d.t.Helper()
	for line := range strings.Lines(d.read(file)) {
		if key, value, _ := strings.Cut(strings.TrimSpace(line), " "); key == name {
			return value
		}
	}
	d.t.Fatalf("%s has no counter %s", file, name)
	return ""
}

// lastEvent is the newest line of the log.
func (d *daemon) lastEvent() string {
	lines := strings.Split(strings.TrimSuffix(d.read("log"), "\n"), "\n")
	return lines[len(lines)-1]
}

// tree is the whole tree as text, but for what changes by itself: the log, the
// counters, which announcements move.
func (d *daemon) tree() string {
	d.t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(d.dir, func(path string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		if err != nil || name == "log" || name == "stats" {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		b.WriteString(strings.TrimPrefix(path, d.dir) + " " + info.Mode().String() + "\n")
		if entry.Type().IsRegular() {
			text, err := os.ReadFile(path) // command files of kvblade answer EIO
			b.Write(text)
			if err != nil {
				b.WriteString(err.Error() + "\n")
			}
		}
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return b.String()
}
