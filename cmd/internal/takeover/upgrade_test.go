package takeover

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// asked asks for an upgrade of the daemon in dir, and says how it went.
func asked(dir string) (result chan error) {
	result = make(chan error, 1)
	go func() {
		_, err := Upgrade(dir)
		result <- err
	}()
	return result
}

func TestUpgradeRefused(t *testing.T) {
	g, _, dir := giving(t)
	if err := <-asked(dir); err == nil || !strings.Contains(err.Error(), "cannot be upgraded") {
		t.Errorf("of a daemon that starts nothing: %v", err)
	}
	g.Start = func() (int, <-chan error, error) { return 0, nil, errors.New("no program") }
	if err := <-asked(dir); err == nil || !strings.Contains(err.Error(), "goes on: no program") {
		t.Errorf("of one whose program is missing: %v", err)
	}
	failed, started := make(chan error), make(chan struct{})
	g.Start = func() (int, <-chan error, error) { close(started); return 4711, failed, nil }
	first := asked(dir)
	<-started
	if err := <-asked(dir); err == nil || !strings.Contains(err.Error(), "under way") {
		t.Errorf("a second beside the first: %v", err)
	}
	failed <- errors.New("it does not like it here")
	if err := <-first; err == nil || !strings.Contains(err.Error(), "does not like it") {
		t.Errorf("one that ends: %v", err)
	}
	if g.Heir() != 0 {
		t.Errorf("process %d is the heir of a daemon that goes on", g.Heir())
	}
}

// The one that was started takes over; another that does is not the heir.
func TestUpgradeDone(t *testing.T) {
	for _, process := range []int{os.Getpid(), 1} {
		g, _, dir := giving(t)
		g.Start = func() (int, <-chan error, error) {
			go func() { _ = take(dir, 3) }() // which says that it is this process
			return process, make(chan error), nil
		}
		result := asked(dir)
		<-g.Given()
		heir := g.Heir()
		if own := process == os.Getpid(); own != (heir == process) || !own && heir != 0 {
			t.Errorf("the heir is %d, and process %d was started", heir, process)
		}
		if err := os.WriteFile(SocketPath(dir), nil, 0o600); err != nil { // as the new daemon's socket
			t.Fatal(err)
		}
		g.Tell()
		if err := <-result; (err == nil) != (heir != 0) {
			t.Errorf("who asked is told %v", err)
		}
		if !g.Close() {
			t.Error("nothing was given")
		}
		_ = os.Remove(SocketPath(dir))
	}
}
