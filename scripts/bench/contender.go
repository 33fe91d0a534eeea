package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ours is the name of the contender that the others are measured against.
const ours = "ours"

// contender is one target of a group, as it is set up for it.
type contender struct {
	name  string
	start func(r *rig, place int) (*served, error)
}

// served is a contender that runs.
type served struct {
	netif     string // the client's end
	exports   string // as aoebench's -t has them
	processes []*process
	clean     func() // what else is to be done in the end
	// measure does something else than to run aoebench.
	measure func(r *rig, l load, seconds float64) (measurement, error)
	// before and after stand around every measurement.
	before, after func() error
}

func (s *served) pids() string {
	words := make([]string, len(s.processes))
	for i, p := range s.processes {
		words[i] = strconv.Itoa(p.pid())
	}
	return strings.Join(words, ",")
}

// stop ends the processes, all at once, and removes the files.
func (s *served) stop() {
	for _, p := range s.processes {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
	}
	for _, p := range s.processes {
		_ = p.stop()
	}
	if s.clean != nil {
		s.clean()
	}
}

// perShelf is how many exports the rig puts on a shelf.
const perShelf = 250

func address(export int) (shelf, slot int) { return export / perShelf, export % perShelf }

// exportList names n exports for aoebench.
func exportList(n int) string {
	var list []string
	full, rest := n/perShelf, n%perShelf
	if full > 0 {
		list = append(list, fmt.Sprintf("e0-%d.0-%d", full-1, perShelf-1))
	}
	switch {
	case rest == 1:
		list = append(list, fmt.Sprintf("e%d.0", full))
	case rest > 1:
		list = append(list, fmt.Sprintf("e%d.0-%d", full, rest-1))
	}
	return strings.Join(list, ",")
}

// disks says what a contender serves: exports files of bytes each, or so many
// exports of one file.
type disks struct {
	exports int
	bytes   int64
	oneFile bool
}

// onDisks is a contender that serves files in memory: ours by the daemon,
// anything else by a process for each export.
func onDisks(name, template string, d disks) contender {
	return contender{name, func(r *rig, place int) (*served, error) {
		dir := filepath.Join(memory, fmt.Sprintf("disks-%d", place))
		files, err := d.make(dir)
		if err != nil {
			return nil, err
		}
		s, err := r.serve(template, place, files, "writeback")
		if err != nil {
			_ = os.RemoveAll(dir)
			return nil, err
		}
		s.clean = func() { _ = os.RemoveAll(dir) }
		return s, nil
	}}
}

// make writes the files: nothing that reads as holes.
func (d disks) make(dir string) ([]string, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	files := make([]string, d.exports)
	for i := range files {
		if files[i] = filepath.Join(dir, strconv.Itoa(i)); i > 0 && d.oneFile {
			files[i] = files[0]
			continue
		}
		if err := writeFile(files[i], d.bytes); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// serve starts ours, or with a template another target, on the place-th pair.
func (r *rig) serve(template string, place int, files []string, cache string) (*served, error) {
	target, client, err := r.pair(place)
	if err != nil {
		return nil, err
	}
	s := &served{netif: client, exports: exportList(len(files))}
	if template == "" {
		err = r.serveOurs(s, place, target, files, cache)
	} else {
		err = r.serveOther(s, template, target, files)
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (r *rig) serveOther(s *served, template, target string, files []string) error {
	for i, file := range files {
		shelf, slot := address(i)
		p, err := r.start(&r.targets, expand(template, target, shelf, slot, file)...)
		if err != nil {
			return err
		}
		s.processes = append(s.processes, p)
	}
	return r.pause(200 * time.Millisecond) // aoebench asks again what does not answer yet
}

// expand makes the words of a command.
func expand(template, target string, shelf, slot int, file string) []string {
	words := strings.Fields(template)
	values := strings.NewReplacer("{interface}", target, "{shelf}", strconv.Itoa(shelf), "{slot}", strconv.Itoa(slot), "{file}", file)
	for i, w := range words {
		words[i] = values.Replace(w)
	}
	return words
}

// readyPatience is how long our daemon may take to mount its tree.
const readyPatience = 20 * time.Second

func (r *rig) serveOurs(s *served, place int, target string, files []string, cache string) error {
	tree := filepath.Join(memory, fmt.Sprintf("tree-%d", place))
	p, err := r.start(&r.targets, r.vbladefs, "serve", "-state=", "-cache", cache, tree)
	if err != nil {
		return err
	}
	s.processes = append(s.processes, p)
	if err := r.awaitTree(p, tree); err != nil {
		return err
	}
	return addExports(tree, target, files)
}

// awaitTree waits until the tree of the daemon p is mounted.
func (r *rig) awaitTree(p *process, tree string) error {
	for deadline := time.Now().Add(readyPatience); ; {
		if _, err := os.Stat(filepath.Join(tree, "README")); err == nil {
			return nil
		}
		if err := p.ended(); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is not there after %v: %s", tree, readyPatience, p.said())
		}
		if err := r.pause(5 * time.Millisecond); err != nil {
			return err
		}
	}
}

// addExports adds the files, each at the next address; the same file may come
// again.
func addExports(tree, target string, files []string) error {
	f, err := os.OpenFile(filepath.Join(tree, "aoeserver"), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var lines strings.Builder
	for i, file := range files {
		shelf, slot := address(i)
		fmt.Fprintf(&lines, "add %s %d %d %s\n", file, shelf, slot, target)
		if lines.Len() > 60<<10 || i == len(files)-1 {
			if _, err := f.WriteString(lines.String()); err != nil {
				return fmt.Errorf("adding exports: %w: the last of %.200q", err, lines.String())
			}
			lines.Reset()
		}
	}
	return nil
}
