package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// controlled is a daemon whose control tree is measured.
type controlled struct {
	*controlRun
	*process
	tree string
}

// start starts a daemon on all processors: its client is a shell, not aoebench.
// It keeps its state in a folder, or nowhere if that is empty.
func (c *controlRun) start(state string) (*controlled, error) {
	d := &controlled{controlRun: c, tree: filepath.Join(memory, fmt.Sprintf("tree-%d", c.places))}
	var err error
	if d.process, err = c.rig.start(&c.rig.all, c.rig.vbladefs, "serve", "-state", state, d.tree); err != nil {
		return nil, err
	}
	c.places++
	if err := c.rig.awaitTree(d.process, d.tree); err != nil {
		_ = d.stop()
		return nil, err
	}
	return d, nil
}

// file is the path of a file of the tree.
func (d *controlled) file(name string) string { return filepath.Join(d.tree, name) }

// commands writes a line for each of the exports from the first on to a file,
// outside of the tree, and returns its path. The line may use the file, shelf, slot and
// interface.
func (d *controlled) commands(line string, files []string, first int) (string, error) {
	var text bytes.Buffer
	for i, file := range files[first:] {
		shelf, slot := address(first + i)
		fmt.Fprintf(&text, line, file, shelf, slot, d.netif)
	}
	path := filepath.Join(memory, "disks-commands")
	return path, os.WriteFile(path, text.Bytes(), 0o600)
}

// spent is what something took.
type spent struct {
	time      time.Duration
	processor time.Duration // of the daemon
}

// sh runs a line of shell with arguments.
func (d *controlled) sh(line string, args ...string) (spent, error) {
	before, err := cpuTicks(d.pid())
	if err != nil {
		return spent{}, err
	}
	began := time.Now()
	_, _, err = d.controlRun.rig.output(&d.controlRun.rig.all, append([]string{"/bin/sh", "-c", line, "sh"}, args...)...)
	took := time.Since(began)
	after, ticksErr := cpuTicks(d.pid())
	return spent{took, time.Duration(after - before)}, errors.Join(err, ticksErr)
}

// addAtOnce adds one export, and then all others with one cat of a file of
// commands. It returns how long that took, and what an export takes of memory.
func (d *controlled) addAtOnce(file string, files []string, line string) (spent, float64, error) {
	first, err := d.commands(line, files[:1], 0)
	if err != nil {
		return spent{}, 0, err
	}
	if _, err := d.sh(`cat "$1" > "$2"`, first, d.file(file)); err != nil {
		return spent{}, 0, err
	}
	before, err := d.memory()
	if err != nil {
		return spent{}, 0, err
	}
	rest, err := d.commands(line, files, 1)
	if err != nil {
		return spent{}, 0, err
	}
	took, err := d.sh(`cat "$1" > "$2"`, rest, d.file(file))
	if err != nil {
		return spent{}, 0, err
	}
	if err := d.complete(); err != nil {
		return spent{}, 0, err
	}
	after, err := d.memory()
	return took, perExport(before, after, len(files)-1), err
}

// memory is what the daemon takes when it has settled.
func (d *controlled) memory() (int64, error) {
	if err := d.controlRun.rig.pause(settle); err != nil {
		return 0, err
	}
	f, err := memoryOf(d.pid())
	return f.RSS, err
}

// addByEcho adds all exports from one shell loop. The shell reads the device and
// address of each from a file: its own arithmetic is not what is measured.
func (d *controlled) addByEcho() (spent, error) {
	path, err := d.commands("add %s %d %d %s\n", d.files, 0)
	if err != nil {
		return spent{}, err
	}
	took, err := d.sh(`while read -r line; do echo "$line" > "$2" || exit 1; done < "$1"`, path, d.file("aoeserver"))
	if err != nil {
		return spent{}, err
	}
	return took, d.complete()
}

func (d *controlled) removeAtOnce() (spent, error) {
	path, err := d.commands("%[2]d %[3]d %[4]s\n", d.files, 0)
	if err != nil {
		return spent{}, err
	}
	took, err := d.sh(`cat "$1" > "$2"`, path, d.file("kvblade/del"))
	if err != nil {
		return spent{}, err
	}
	if left, err := os.ReadFile(d.file("vblade/drives")); err != nil || len(left) > 0 {
		return spent{}, fmt.Errorf("after all were removed vblade/drives says %.100q (%v)", left, err)
	}
	return took, nil
}

// complete holds every view to have all exports.
func (d *controlled) complete() error {
	text, err := os.ReadFile(d.file("aoeserver"))
	if err != nil {
		return err
	}
	shelf, slot := address(d.exports - 1)
	newest := strings.Fields(strings.SplitN(string(text), "\n", 3)[1])
	if n := strings.Count(string(text), "/disks-"); n != d.exports || fmt.Sprint(newest[1:3]) != fmt.Sprint([]int{shelf, slot}) {
		return fmt.Errorf("aoeserver lists %d exports, the newest %v; want %d and %d.%d", n, newest, d.exports, shelf, slot)
	}
	drives, err := os.ReadFile(d.file("vblade/drives"))
	if n := bytes.Count(drives, []byte("\n")); err != nil || n != d.exports {
		return fmt.Errorf("vblade/drives lists %d drives, %v; want %d", n, err, d.exports)
	}
	entries, err := os.ReadDir(d.file("kvblade"))
	if n := len(slices.DeleteFunc(entries, func(e os.DirEntry) bool { return !e.IsDir() })); err != nil || n != d.exports {
		return fmt.Errorf("kvblade has %d folders, %v; want %d", n, err, d.exports)
	}
	return nil
}

// listings is how often each listing is taken.
const listings = 9

// listings takes the listings with the programs that administrators use. The
// median counts, and the slowest is noted.
func (d *controlled) listings() error {
	for _, l := range []struct{ what, file string }{
		{"cat aoeserver", "aoeserver"}, {"cat vblade/drives", "vblade/drives"}, {"cat targets/ports", "targets/ports"}, {"cat saved", "saved"},
		{"ls -f kvblade", "kvblade"}, {"ls -f vblade", "vblade"}, {"ls -f targets", "targets"},
	} {
		program, option, _ := strings.Cut(l.what, " ")
		args := []string{d.file(l.file)}
		if program == "ls" {
			args = []string{strings.Fields(option)[0], d.file(l.file)}
		}
		var times []float64
		for range listings {
			cmd := exec.CommandContext(d.controlRun.rig.ctx, program, args...)
			began := time.Now()
			if err := cmd.Run(); err != nil { // what it prints goes to /dev/null
				return fmt.Errorf("%s: %w", l.what, err)
			}
			times = append(times, float64(time.Since(began).Microseconds())/1000)
		}
		d.add(l.what, median(times), maxListing, "ms", fmt.Sprintf("slowest of %d: %.1f", listings, slices.Max(times)))
	}
	return nil
}

// statsReads is how many stats files are read, each of another export.
const statsReads = 1000

// stats opens, reads and closes stats files, as a collector does.
func (d *controlled) stats() error {
	names, err := filepath.Glob(d.file("vblade/*/stats"))
	if err != nil || len(names) != d.exports {
		return fmt.Errorf("%d of vblade/*/stats, %v; want %d", len(names), err, d.exports)
	}
	exports, targets := make([]string, d.exports), make([]string, d.exports)
	for i := range exports {
		shelf, slot := address(i)
		targets[i] = d.file(fmt.Sprintf("targets/e%d.%d/stats", shelf, slot))
		exports[i] = d.file(fmt.Sprintf("kvblade/%d.%d@%s/stats", shelf, slot, d.netif))
	}
	for _, kind := range []struct {
		what  string
		files []string
	}{{"kvblade/EXPORT/stats", exports}, {"vblade/DRIVE/stats", names}, {"targets/ADDRESS/stats", targets}} {
		files := kind.files
		var times []float64
		for i := range min(statsReads, len(files)) {
			began := time.Now()
			text, err := os.ReadFile(files[i*len(files)/min(statsReads, len(files))])
			took := time.Since(began)
			if err != nil || !bytes.HasPrefix(text, []byte("reads 0\n")) {
				return fmt.Errorf("%s reads as %.100q, %v", kind.what, text, err)
			}
			times = append(times, float64(took.Nanoseconds())/1000)
		}
		slices.Sort(times)
		d.add("read one "+kind.what, median(times), maxStats, "µs", fmt.Sprintf("99th percentile: %.0f", times[len(times)*99/100]))
	}
	return nil
}

// restored waits until every export is back and up.
func (d *controlled) restored() error {
	for {
		text, err := os.ReadFile(d.file("targets/ports"))
		if err != nil {
			return err
		}
		if bytes.Count(text, []byte(" up")) == d.exports {
			return d.complete()
		}
		if err := d.ended(); err != nil {
			return err
		}
		if err := d.controlRun.rig.pause(time.Millisecond); err != nil {
			return err
		}
	}
}
