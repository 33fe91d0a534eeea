package watch

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Health is the verdict on an export or on all of them; larger is worse. It is also the
// exit code of `vbladefs status`.
type Health int

// The verdicts.
const (
	OK Health = iota
	Degraded
	Down
)

var healths = map[string]Health{"ok": OK, "degraded": Degraded, "down": Down}

// ExportStatus is what is said of an export.
type ExportStatus struct {
	Address string `json:"address"`
	Health  string `json:"health"` // ok, degraded or down
	Drive   string `json:"drive"`
	Reason  string `json:"reason,omitempty"`
}

// Status is what is said of all exports.
type Status struct {
	Health   string         `json:"health"` // that of the worst
	OK       int            `json:"ok"`     // how many are
	Degraded int            `json:"degraded"`
	Down     int            `json:"down"`
	Exports  []ExportStatus `json:"exports"`
}

// ReadStatus reads the status of the tree that is mounted on dir.
func ReadStatus(dir string) (Status, error) {
	text, err := os.ReadFile(filepath.Join(dir, "targets/status"))
	if err != nil {
		return Status{}, Missing(dir, err)
	}
	return parseStatus(string(text))
}

// parseStatus reads lines of ADDRESS HEALTH DRIVE [REASON].
func parseStatus(text string) (Status, error) {
	s := Status{Exports: []ExportStatus{}}
	for line := range strings.Lines(text) {
		words := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 4)
		if len(words) < 3 {
			return s, fmt.Errorf("targets/status: %q: want an address, its health and its drive", line)
		}
		e := ExportStatus{Address: words[0], Health: words[1], Drive: words[2]}
		if len(words) == 4 {
			e.Reason = words[3]
		}
		health, known := healths[e.Health]
		if !known {
			return s, fmt.Errorf("targets/status: %q: want ok, degraded or down", e.Health)
		}
		*[...]*int{OK: &s.OK, Degraded: &s.Degraded, Down: &s.Down}[health]++
		s.Exports = append(s.Exports, e)
	}
	s.Health = [...]string{OK: "ok", Degraded: "degraded", Down: "down"}[s.Worst()]
	return s, nil
}

// Worst is the verdict on all.
func (s *Status) Worst() Health {
	switch {
	case s.Down > 0:
		return Down
	case s.Degraded > 0:
		return Degraded
	}
	return OK
}

// Lines is the status as text, a line an export, in columns.
func (s *Status) Lines() []string {
	cells := [][]string{{"EXPORT", "HEALTH", "DRIVE", "REASON"}}
	for _, e := range s.Exports {
		cells = append(cells, []string{e.Address, e.Health, e.Drive, e.Reason})
	}
	lines := align(cells, len(cells[0]))
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}

// Sum is the status in a few words.
func (s *Status) Sum() string {
	if len(s.Exports) == 0 {
		return "nothing is exported"
	}
	return fmt.Sprintf("%d exports: %d ok, %d degraded, %d down", len(s.Exports), s.OK, s.Degraded, s.Down)
}
