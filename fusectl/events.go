package fusectl

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"vbladefs/compat/text"
)

// How much the file log holds. When it is full the older half goes at once, as
// if it were rotated, so that tail -f notices rarely.
const (
	maxEvents = 256 << 10 // bytes
	maxEvent  = 1 << 10   // bytes of one line; the rest is cut
)

// Events keeps the last events for the file log, newest last. It is a logrus
// hook; all methods may be called concurrently.
type Events struct {
	mu sync.Mutex
	// text is only appended to and never moves before it is replaced, so that
	// readers may keep slices of it. Guarded by mu, as are the others.
	text       []byte
	generation int // counts replacements
	last       time.Time
}

// NewEvents returns an empty log.
func NewEvents() *Events {
	return &Events{text: make([]byte, 0, maxEvents), last: time.Now()}
}

// Levels has every level that a logger may let through, as logrus.Hook wants it.
func (e *Events) Levels() []logrus.Level { return logrus.AllLevels }

// Fire adds a line: time, level, message, fields.
func (e *Events) Fire(entry *logrus.Entry) error {
	line := fmt.Sprintf("%s %s %s", entry.Time.UTC().Format("2006-01-02T15:04:05.000Z"), entry.Level, entry.Message)
	keys := make([]string, 0, len(entry.Data))
	for key := range entry.Data {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		line += fmt.Sprintf(" %s=%v", key, entry.Data[key])
	}
	if len(line) >= maxEvent {
		line = line[:maxEvent-len("…\n")] + "…"
	}
	e.add(text.Printable(line)+"\n", entry.Time)
	return nil
}

func (e *Events) add(line string, at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.text)+len(line) > maxEvents {
		kept := e.text[len(e.text)/2:]
		kept = kept[bytes.IndexByte(kept, '\n')+1:]
		e.text = append(make([]byte, 0, maxEvents), kept...)
		e.generation++
	}
	e.text = append(e.text, line...)
	e.last = at
}

// snapshot is all the text there is. As long as its generation stays, a later
// snapshot begins with this one. The caller may not change it.
func (e *Events) snapshot() (events []byte, generation int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.text[:len(e.text):len(e.text)], e.generation
}

func (e *Events) size() (bytes int, changed time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.text), e.last
}
