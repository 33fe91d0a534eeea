// Package watch shows what a running daemon does, from its control tree: `vbladefs
// status` and `vbladefs top`.
//
//	tree ─Read─▶ Snapshot ─┬─ Compare ─▶ Report ─▶ table, JSON, screen
//	                       └─ one before
//
// It reads files as any user may, and writes none. What it shows of an interval is what
// the counters of two snapshots differ by.
package watch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Object is an export, an initiator or an interface with its counters at one moment.
type Object struct {
	Name, Detail, State string
	Counters            map[string]uint64
}

// Snapshot is what the tree says at one moment.
type Snapshot struct {
	At      time.Time
	Objects [Kinds][]Object
}

// Read takes a snapshot of the tree that is mounted on dir.
func Read(dir string) (Snapshot, error) {
	s := Snapshot{At: time.Now()}
	text, err := os.ReadFile(filepath.Join(dir, "targets/stats"))
	if err != nil {
		return s, Missing(dir, err)
	}
	for line := range strings.Lines(string(text)) {
		o, err := parseObject(line)
		if err != nil {
			return s, fmt.Errorf("targets/stats: %w", err)
		}
		s.Objects[Exports] = append(s.Objects[Exports], o)
	}
	netifs, err := os.ReadDir(filepath.Join(dir, "interfaces"))
	if err != nil {
		return s, err
	}
	for _, netif := range netifs {
		if err := s.readInterface(filepath.Join(dir, "interfaces", netif.Name()), netif.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return s, err // one that has just gone is none
		}
	}
	return s, nil
}

// readInterface adds an interface and its initiators.
func (s *Snapshot) readInterface(dir, name string) error {
	o := Object{Name: name, Counters: map[string]uint64{}}
	for _, file := range []string{"link", "stats", "traffic", "initiators"} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			return err
		}
		switch file {
		case "link":
			o.State, o.Detail, _ = strings.Cut(strings.TrimSpace(string(text)), " ")
		case "initiators":
			if err := s.addInitiators(string(text), name); err != nil {
				return fmt.Errorf("interfaces/%s/initiators: %w", name, err)
			}
		default:
			if err := parseCounters(string(text), o.Counters); err != nil {
				return fmt.Errorf("interfaces/%s/%s: %w", name, file, err)
			}
		}
	}
	s.Objects[Interfaces] = append(s.Objects[Interfaces], o)
	return nil
}

func (s *Snapshot) addInitiators(text, netif string) error {
	for line := range strings.Lines(text) {
		o, err := parseObject(line)
		if err != nil {
			return err
		}
		o.Detail = netif
		s.Objects[Initiators] = append(s.Objects[Initiators], o)
	}
	return nil
}

// parseObject reads a line of NAME KEY=VALUE…
func parseObject(line string) (Object, error) {
	words := strings.Fields(line)
	if len(words) == 0 {
		return Object{}, errors.New("an empty line: want a name and its counters")
	}
	o := Object{Name: words[0], Counters: make(map[string]uint64, len(words))}
	for _, word := range words[1:] {
		key, value, ok := strings.Cut(word, "=")
		if !ok {
			return o, fmt.Errorf("%q: want NAME=VALUE", word)
		}
		switch key {
		case "drive":
			o.Detail = value
			continue
		case "health":
			o.State = value
			continue
		}
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			return o, fmt.Errorf("%q: want a number", word)
		}
		o.Counters[key] = n
	}
	return o, nil
}

// parseCounters reads lines of NAME VALUE.
func parseCounters(text string, counters map[string]uint64) error {
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			return fmt.Errorf("%q: want NAME VALUE", line)
		}
		counters[key] = n
	}
	return nil
}

// Missing tells what is wrong when a file of the tree on dir cannot be read.
func Missing(dir string, err error) error {
	if _, there := os.Stat(filepath.Join(dir, "README")); there == nil || errors.Is(err, fs.ErrPermission) {
		return err
	}
	return fmt.Errorf("no control tree is mounted on %s: start `vbladefs serve %[1]s`, or say where it is", dir)
}
