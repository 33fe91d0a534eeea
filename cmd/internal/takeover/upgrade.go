package takeover

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// An upgrade: somebody asks the running daemon to start the program anew, which
// takes over as any other would:
//
//	who asks            running daemon                 new daemon
//	Hello{Upgrade} ───▶ Start ───────────────────────▶ Hello …
//	Upgraded ◀───────── once it has handed over, or cannot
//
// That the daemon does it has the new one in the same mount namespace, service
// and sandbox.

// startTime is how long the answer to an upgrade may take.
const startTime = holdTime + openTime + restTime + 2*closeTime

// upgrade is the one under way, if any.
type upgrade struct {
	mu      sync.Mutex
	asked   *Conn // who waits for the end of it
	process int   // that was started; 0: none
	taken   int   // that has taken over; 0: none
}

// begin starts the program for who asks through c, which is the upgrade's from now on.
func (u *upgrade) begin(g *Giver, c *Conn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	err := errors.New("another upgrade is under way")
	if u.asked == nil {
		err = u.start(g, c)
	}
	if err != nil {
		g.Log.WithError(err).Error("no upgrade")
		answer(c, Upgraded{Refused: err.Error()})
	}
}

func (u *upgrade) start(g *Giver, c *Conn) error {
	if g.Start == nil {
		return errors.New("this daemon cannot be upgraded")
	}
	process, failed, err := g.Start()
	if err != nil {
		return err
	}
	u.asked, u.process = c, process
	go func() {
		err := <-failed
		if c := u.end(); c != nil {
			answer(c, Upgraded{Refused: err.Error()})
		}
	}()
	return nil
}

// end is who waits for the end of the upgrade, and nobody from now on.
func (u *upgrade) end() (c *Conn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	c, u.asked, u.process = u.asked, nil, 0
	return c
}

func (u *upgrade) given(process int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.taken = process
}

func answer(c *Conn, u Upgraded) {
	c.Within(sendTime)
	_ = c.Send(u) // who asked may have gone
	_ = c.Close()
}

// Heir is the process that this daemon has started, if that is the one which has
// taken over; else 0.
func (g *Giver) Heir() int {
	g.upgrade.mu.Lock()
	defer g.upgrade.mu.Unlock()
	if g.upgrade.taken == g.upgrade.process {
		return g.upgrade.process
	}
	return 0
}

// Tell answers who asked for the upgrade: all that this daemon had to do is done.
func (g *Giver) Tell() {
	heir := g.Heir()
	c := g.upgrade.end()
	switch {
	case c == nil:
	case heir == 0:
		answer(c, Upgraded{Refused: "another daemon has taken over meanwhile"})
	default:
		answer(c, Upgraded{Process: heir})
	}
}

// Upgrade has the daemon that keeps its state in stateDir replaced by the program
// that it was started from, as that is now. It returns the process that serves when
// that does.
func Upgrade(stateDir string) (process int, err error) {
	path := SocketPath(stateDir)
	c, err := dialAny(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ECONNREFUSED) {
		return 0, fmt.Errorf("no daemon that keeps its state in %s can be upgraded: start it (%w)", stateDir, err)
	}
	if err != nil {
		return 0, fmt.Errorf("the running daemon: %w", err)
	}
	defer c.Close()
	c.Within(startTime)
	var u Upgraded
	if err = c.Send(Hello{Protocol: protocol, Process: os.Getpid(), Upgrade: true}); err == nil {
		var files []*os.File
		files, err = c.Receive(&u)
		closeAll(files)
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("the running daemon does not say what became of it: %w", err)
	case u.Refused != "":
		return 0, fmt.Errorf("the running daemon goes on: %s", u.Refused)
	}
	// The old socket is gone by now; the new daemon makes its own when it serves and
	// has its control tree.
	for end := time.Now().Add(2 * closeTime); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return u.Process, nil
		}
	}
	return u.Process, fmt.Errorf("process %d has taken over, and its control tree is not there after %v: see its log", u.Process, 2*closeTime)
}
