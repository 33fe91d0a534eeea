package state

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"vbladefs/compat/native"
)

// a source is a state that changes.
type source struct {
	version atomic.Int64
	asked   atomic.Int64
}

func (s *source) text() []byte {
	s.asked.Add(1)
	return numbered(int(s.version.Load()))
}

// numbered is the state number n, long enough for several blocks.
func numbered(n int) []byte {
	return fmt.Appendf(nil, "%s\n%s%s\n", native.Header, strings.Repeat(fmt.Sprintf("version %d\n", n), 2000), native.EndLine(2000))
}

func quiet() *logrus.Logger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

func open(t *testing.T, dir string, log *logrus.Logger) *Keeper {
	t.Helper()
	k, err := Open(dir, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	return k
}

// has checks what the state file of dir has.
func has(t *testing.T, dir string, want []byte) {
	t.Helper()
	got, err := contents(filepath.Join(dir, fileName))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v; the state has %d bytes, %.60q; want %d, %.60q", err, len(got), got, len(want), want)
	}
}

func TestKeep(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there")
	k := open(t, dir, quiet())
	if k.Loaded() != nil {
		t.Errorf("a new folder has the state %q", k.Loaded())
	}
	var s source
	k.Changed(nil) // before Start: it comes from the state itself
	k.Start(s.text)
	if err := k.Save(); err != nil {
		t.Fatal(err)
	}
	has(t, dir, numbered(0))
	s.version.Store(1)
	k.Changed(nil)
	k.Settle()
	has(t, dir, numbered(1))
	s.version.Store(2)
	k.Changed(nil)
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	has(t, dir, numbered(2))
	if err := k.Save(); !errors.Is(err, ErrClosed) {
		t.Errorf("saving after Close: %v", err)
	}
	k.Settle()
	if again := open(t, dir, quiet()); !bytes.Equal(again.Loaded(), numbered(2)) {
		t.Errorf("loaded %.60q", again.Loaded())
	}
	for name, want := range map[string]os.FileMode{".": 0o700, fileName: 0o600, lockName: 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, mode %v, want %v", name, err, info.Mode().Perm(), want)
		}
	}
}

// Unsaved is true from a change on until it is durable, also when a save of it has failed.
func TestUnsaved(t *testing.T) {
	dir := t.TempDir()
	k := open(t, dir, quiet())
	var s source
	k.Start(s.text)
	if err := k.Save(); err != nil || k.Unsaved() {
		t.Errorf("after a save: %v, unsaved %v", err, k.Unsaved())
	}
	obstacle := filepath.Join(dir, tempName, "in the way")
	if err := os.MkdirAll(obstacle, 0o700); err != nil {
		t.Fatal(err)
	}
	s.version.Store(1)
	if err := k.Save(); err == nil || !k.Unsaved() {
		t.Errorf("after a save that failed: %v, unsaved %v", err, k.Unsaved())
	}
	if err := os.RemoveAll(filepath.Dir(obstacle)); err != nil {
		t.Fatal(err)
	}
	if err := k.Save(); err != nil || k.Unsaved() {
		t.Errorf("after another: %v, unsaved %v", err, k.Unsaved())
	}
}

// What nobody waits for is saved soon all the same.
func TestSavedUnasked(t *testing.T) {
	dir := t.TempDir()
	k := open(t, dir, quiet())
	var s source
	k.Start(s.text)
	s.version.Store(7)
	k.Changed(nil)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if text, err := contents(filepath.Join(dir, fileName)); err == nil {
			if !bytes.Equal(text, numbered(7)) {
				t.Errorf("saved %.60q", text)
			}
			return
		}
		if time.Now().After(end) {
			t.Fatal("not saved")
		}
	}
}

// Whoever waits finds the change in the file, and many who wait share saves.
func TestGroupCommit(t *testing.T) {
	dir := t.TempDir()
	k := open(t, dir, quiet())
	var mu sync.Mutex
	set := map[string]bool{}
	saves := 0
	k.Start(func() []byte {
		mu.Lock()
		defer mu.Unlock()
		saves++
		text := []byte(native.Header + "\n")
		for name := range set {
			text = fmt.Appendf(text, "%s\n", name)
		}
		return fmt.Appendf(text, "%s\n", native.EndLine(len(set)))
	})
	hold := make(chan struct{}) // the first save waits until all changes are made
	var once sync.Once
	step = func(name string) {
		if name == "created" {
			once.Do(func() { <-hold })
		}
	}
	defer func() { step = func(string) {} }()
	const many = 200
	var made, done sync.WaitGroup
	for n := range many {
		made.Add(1)
		done.Go(func() {
			name := fmt.Sprintf("change-%d.", n)
			mu.Lock()
			set[name] = true
			mu.Unlock()
			durable := make(chan error, 1)
			k.Changed(func(err error) { durable <- err })
			made.Done()
			if err := <-durable; err != nil {
				t.Error(err)
			}
			if text, err := os.ReadFile(filepath.Join(dir, fileName)); err != nil || !strings.Contains(string(text), name) {
				t.Errorf("%s is said to be durable, and is not in the file (%v)", name, err)
			}
		})
	}
	made.Wait()
	close(hold)
	done.Wait()
	mu.Lock()
	defer mu.Unlock()
	if saves > 3 {
		t.Errorf("%d saves for %d changes, most of them made while the first was under way", saves, many)
	}
}

// A file that has the state already is not written again, unless it is gone.
func TestUnchanged(t *testing.T) {
	dir := t.TempDir()
	k := open(t, dir, quiet())
	var s source
	k.Start(s.text)
	inode := func() uint64 {
		t.Helper()
		if err := k.Save(); err != nil {
			t.Fatal(err)
		}
		var st unix.Stat_t
		if err := unix.Stat(filepath.Join(dir, fileName), &st); err != nil {
			t.Fatal(err)
		}
		return st.Ino
	}
	first := inode()
	if again := inode(); again != first {
		t.Error("the same state was written again")
	}
	if err := os.Remove(filepath.Join(dir, fileName)); err != nil {
		t.Fatal(err)
	}
	inode()
	has(t, dir, numbered(0))
}

// What an initiator changes while the state is restored is answered when the
// whole state is saved, not before.
func TestChangeWhileRestoring(t *testing.T) {
	dir := t.TempDir()
	k := open(t, dir, quiet())
	durable := make(chan error, 1)
	k.Changed(func(err error) { durable <- err })
	k.Changed(nil)
	select {
	case <-durable:
		t.Fatal("a change is durable before anything is saved")
	default:
	}
	var s source
	s.version.Store(3)
	k.Start(s.text)
	if err := <-durable; err != nil {
		t.Error(err)
	}
	has(t, dir, numbered(3))
	// Nothing is written of a state that was restored and not changed.
	other := t.TempDir()
	k = open(t, other, quiet())
	k.Changed(nil)
	k.Start(s.text)
	if err := k.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(other, fileName)); err == nil {
		t.Error("a state that nobody changed was written")
	}
	closed := make(chan error, 1)
	k.Changed(func(err error) { closed <- err })
	if err := <-closed; !errors.Is(err, ErrClosed) {
		t.Errorf("a change after Close: %v", err)
	}
}

// The file whose lines could not all be carried out is kept.
func TestRejected(t *testing.T) {
	dir := t.TempDir()
	old := []byte(native.Header + "\nvblade/drives add gone /dev/gone\n# end 1\n")
	if err := os.WriteFile(filepath.Join(dir, fileName), old, 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	log := logrus.New()
	log.SetOutput(&said)
	k := open(t, dir, log)
	k.Reject()
	var s source
	k.Start(s.text)
	if copies, _ := filepath.Glob(filepath.Join(dir, rejectedName+"*")); len(copies) != 0 {
		t.Errorf("copies before anything was overwritten: %v", copies)
	}
	for n := range 3 {
		s.version.Store(int64(n))
		if err := k.Save(); err != nil {
			t.Fatal(err)
		}
	}
	copies, _ := filepath.Glob(filepath.Join(dir, rejectedName+"*"))
	if len(copies) != 1 {
		t.Fatalf("copies: %v, want one", copies)
	}
	if text, err := os.ReadFile(copies[0]); err != nil || !bytes.Equal(text, old) {
		t.Errorf("the copy: %v, %q, want %q", err, text, old)
	}
	has(t, dir, numbered(2))
	if err := k.Close(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(said.String(), copies[0]) {
		t.Errorf("the log does not name %s:\n%s", copies[0], said.String())
	}
}

func TestBudget(t *testing.T) {
	var b budget
	at := func(ms int) time.Time { return time.Unix(1000, 0).Add(time.Duration(ms) * time.Millisecond) }
	want := func(ms, left int) {
		t.Helper()
		if got := b.left(at(ms)); got != time.Duration(left)*time.Millisecond {
			t.Errorf("after %d ms: %v left, want %d ms", ms, got, left)
		}
	}
	want(0, 2000)
	b.enter(at(0))
	want(500, 1500)
	b.enter(at(500)) // two that wait at once are one wait
	b.leave(at(900))
	b.leave(at(1200))
	want(1200, 800)
	b.enter(at(3000))
	want(3800, 0)
	want(9000, 0)
	b.leave(at(3700))
	want(3700, 100)
	want(10900, 100)
	want(11100, 1300) // the first wait is ten seconds past
	want(14000, 2000)
}

// When those who wait have used up the allowance, they go on at once.
func TestOverBudget(t *testing.T) {
	k := open(t, t.TempDir(), quiet())
	hold := make(chan struct{})
	var s source
	k.Start(func() []byte { <-hold; return s.text() })
	k.mu.Lock()
	k.waits.enter(time.Now().Add(-time.Hour))
	k.mu.Unlock()
	k.Changed(nil)
	k.Settle() // would wait for ever
	if s.asked.Load() != 0 {
		t.Error("it was saved meanwhile")
	}
	close(hold)
	if err := k.Save(); err != nil {
		t.Error(err)
	}
}

// slowReader is a log that nobody reads for now.
type slowReader struct{ begun, read chan struct{} }

func (r slowReader) Write(b []byte) (int, error) {
	select {
	case r.begun <- struct{}{}:
	default:
	}
	<-r.read
	return len(b), nil
}

// Workers tell of changes: they never wait for who reads the log.
func TestChangedWaitsForNoLog(t *testing.T) {
	dir, r := t.TempDir(), slowReader{make(chan struct{}, 1), make(chan struct{})}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	log := logrus.New()
	log.SetOutput(r)
	k := open(t, dir, log)
	t.Cleanup(func() { close(r.read) })
	k.Start(new(source).text)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	k.Changed(func(error) {})
	<-r.begun
	done := make(chan struct{})
	go func() { defer close(done); k.Changed(nil) }()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Error("a change waits while a failure is logged")
	}
}

// However long saves have failed, the next try comes soon; only the log rests.
func TestRetriesDoNotGetRare(t *testing.T) {
	k, now := open(t, t.TempDir(), quiet()), time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	for range 20 {
		_ = k.failed(unix.EROFS, now)
		if wait := k.due.Sub(now); wait > 5*time.Second {
			t.Fatalf("after %d failures the next try is in %v", k.failures, wait)
		}
		now = k.due
	}
	if rest := k.quiet.Sub(now); rest <= 5*time.Second {
		t.Errorf("each failure is logged")
	}
}

// After a save the changes of initiators wait for several times as long as it took;
// those of operations do not.
func TestInitiatorsWaitAfterASave(t *testing.T) {
	k := open(t, t.TempDir(), quiet())
	const took = 20 * time.Millisecond
	var s source
	k.Start(func() []byte { time.Sleep(took); return s.text() })
	began := time.Now()
	if err := k.Save(); err != nil {
		t.Fatal(err)
	}
	k.mu.Lock()
	if rest := k.rested.Sub(began); rest < (1+restAfterSave)*took {
		t.Errorf("initiators wait until %v after a save began that took %v or more", rest, took)
	}
	k.changes, k.wanted = k.changes+1, k.changes+1
	k.mu.Unlock()
	if delay, _ := k.next(k.rested.Add(-took)); delay != took {
		t.Errorf("the next save for initiators is in %v, want %v", delay, took)
	}
	k.mu.Lock()
	k.hurried = true // not Hurry, which would have it saved
	k.mu.Unlock()
	if delay, _ := k.next(k.rested.Add(-took)); delay != 0 {
		t.Errorf("the next save in a hurry is in %v, want now", delay)
	}
	k.mu.Lock()
	k.hurried, k.urgent = false, k.changes
	k.mu.Unlock()
	if delay, _ := k.next(k.rested.Add(-took)); delay != 0 {
		t.Errorf("the next save for an operation is in %v, want now", delay)
	}
}

// A daemon that has taken over answers no initiator's change, and writes nothing,
// before it starts to keep: the other one may go on until then.
func TestNothingIsKeptBeforeStart(t *testing.T) {
	dir := t.TempDir()
	k := open(t, dir, quiet())
	k.Joined(numbered(0))
	told := make(chan error, 1)
	k.Changed(func(err error) { told <- err })
	k.Settle()
	select {
	case err := <-told:
		t.Errorf("an initiator was told: %v", err)
	case <-time.After(3 * shortestRetry):
	}
	if _, err := os.Stat(filepath.Join(dir, fileName)); err == nil {
		t.Error("something was saved")
	}
	var s source
	s.version.Store(1)
	k.Start(s.text)
	if err := <-told; err != nil {
		t.Error(err)
	}
	has(t, dir, numbered(1))
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
}
