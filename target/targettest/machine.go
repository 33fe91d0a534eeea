package targettest

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"vbladefs/target"
)

// Mode is when the queues of a Machine carry transfers out.
type Mode int

// The modes.
const (
	Inline Mode = iota // Try does all
	Prompt             // Try does nothing, Submit all
	Held               // the test says when: Machine.Pending, Transfer.Finish
)

// Machine is the machine that a target runs on. All methods may be called by
// any goroutine.
type Machine struct {
	t           testing.TB
	mu          sync.Mutex // guards all below, and what hangs on it
	changed     *sync.Cond
	mode        Mode
	netifs      map[string]*Netif
	media       map[string]*Medium
	hanging     map[string]bool // paths that are not answered for
	whenFlushed func()          // or nil
	links       map[int]*link   // open, by descriptor
	queues      map[*queue]bool
	pending     []*Transfer
	workers     int // of an interface
	shares      int // most links that an interface may have
	misled      int // how far from the right link frames come
	buffers     int // allocated
	calls       int // of functions that open something, and how many there may be
	allowed     int
	refused     string // the call that was one too many
	log         bytes.Buffer
}

// NewMachine returns a machine without interfaces and media.
func NewMachine(t testing.TB) *Machine {
	m := &Machine{t: t, allowed: -1, workers: 1, shares: math.MaxInt, netifs: map[string]*Netif{}, media: map[string]*Medium{}, hanging: map[string]bool{}, links: map[int]*link{},
		queues: map[*queue]bool{}}
	m.changed = sync.NewCond(&m.mu)
	return m
}

// Config is a target's configuration with this machine's parts, without spinning,
// and without waiting for neighbours that no test has made.
func (m *Machine) Config() target.Config {
	return target.Config{Parts: m.Parts(), Log: m.Logger(), Workers: m.workers, Hearing: time.Nanosecond}
}

// Logger returns a logger whose lines Log returns.
func (m *Machine) Logger() *logrus.Logger {
	l := logrus.New()
	l.SetOutput(logWriter{m})
	l.SetFormatter(&logrus.TextFormatter{DisableColors: true, DisableTimestamp: true})
	return l
}

type logWriter struct{ m *Machine }

func (w logWriter) Write(b []byte) (int, error) {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	return w.m.log.Write(b)
}

var _ io.Writer = logWriter{}

// Log is what was logged so far.
func (m *Machine) Log() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.log.String()
}

// Parts opens everything on m.
func (m *Machine) Parts() target.Parts {
	return target.Parts{OpenLinks: m.openLinks, OpenQueue: m.openQueue, Identify: m.identify, OpenStore: m.openStore, MakeStore: m.makeStore,
		LookupInterface: m.lookupInterface, AllocBuffers: m.allocBuffers, FreeBuffers: m.freeBuffers}
}

// SetMode says when queues carry transfers out from now on. Leaving Held does
// not finish what is pending.
func (m *Machine) SetMode(mode Mode) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mode = mode
}

// FailAfter lets the next n calls that open or look something up succeed and
// the one after them fail. Negative: all succeed.
func (m *Machine) FailAfter(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls, m.allowed, m.refused = 0, n, ""
}

// Refused names the call that FailAfter let fail, if there was one.
func (m *Machine) Refused() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.refused
}

// errInjected is what a call fails with by FailAfter's wish.
var errInjected = fmt.Errorf("refused by the test: %w", syscall.ENOMEM)

// allowLocked counts a call.
func (m *Machine) allowLocked(name string) error {
	m.calls++
	if m.allowed >= 0 && m.calls == m.allowed+1 {
		m.refused = name
		return errInjected
	}
	return nil
}

func (m *Machine) allocBuffers(n int) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.allowLocked("AllocBuffers"); err != nil {
		return nil, err
	}
	b, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err == nil {
		m.buffers++
	}
	return b, err
}

func (m *Machine) freeBuffers(b []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.buffers--
	return syscall.Munmap(b) // later use crashes the test
}

// Open says what is open: interfaces with links, queues, buffers, media by path.
func (m *Machine) Open() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for _, l := range m.links {
		names = append(names, "link "+l.netif.info.Name)
	}
	for path, medium := range m.media {
		if medium.open {
			names = append(names, "store "+path)
		}
	}
	slices.Sort(names)
	return fmt.Sprintf("%d queues, %d buffers, %q", len(m.queues), m.buffers, slices.Compact(names))
}

// Nothing is what Open says when all is closed.
const Nothing = "0 queues, 0 buffers, []"

// Quiesce waits until every worker sleeps and has nothing left to do but what
// is held back.
func (m *Machine) Quiesce() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for slices.ContainsFunc(slices.Collect(maps.Keys(m.queues)), func(q *queue) bool { return !q.asleep || q.readyLocked() }) {
		m.changed.Wait()
	}
}
