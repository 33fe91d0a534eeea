package ggaoed

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"vbladefs/compat/ggaoed"
	"vbladefs/compat/plan"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// stateFolder keeps what initiators change in files of the original's format: it
// is the target.Keeper. Files of devices that are no longer configured stay.
type stateFolder struct {
	root *os.Root
	log  *logrus.Logger

	wake chan struct{}
	done chan struct{}

	mu             sync.Mutex
	blade          func(aoe.Addr) (target.BladeInfo, bool) // nil: not begun
	devices        []device
	thens          []func(error)
	closing        bool
	refusing, held bool // see hold

	// Of the saving goroutine, until done is closed; of load while hold is in force.
	known    map[string][]byte // what the files hold
	unsynced bool              // names of files are perhaps not durable
	failing  bool
	last     error // of the last save
}

// device is a configured one, and where it is served.
type device struct {
	name, drive string
	addr        aoe.Addr
}

// retryDelay is how long after a failed save the next comes.
const retryDelay = time.Second

// openState opens the folder, which is made if it is the default one.
func openState(path string, log *logrus.Logger) (*stateFolder, error) {
	if path == "" {
		if err := os.MkdirAll(ggaoed.DefaultStateDirectory, 0o700); err != nil {
			return nil, fmt.Errorf("state directory: %w", err)
		}
	}
	root, err := os.OpenRoot(cmp.Or(path, ggaoed.DefaultStateDirectory))
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	return &stateFolder{root: root, log: log, wake: make(chan struct{}, 1), done: make(chan struct{}), known: map[string][]byte{}}, nil
}

// begin saves from now on what blade shows.
func (s *stateFolder) begin(blade func(aoe.Addr) (target.BladeInfo, bool)) {
	s.mu.Lock()
	s.blade = blade
	s.mu.Unlock()
	go s.run()
}

// hold makes what was changed so far durable, and lets nothing be saved until follow:
// while addresses end and begin anew they have not got yet what was kept for them.
// What initiators change meanwhile stays unanswered, and they repeat it.
func (s *stateFolder) hold() {
	saved := make(chan struct{})
	s.mu.Lock()
	s.refusing = true
	s.thens = append(s.thens, func(error) { // by the goroutine that saves; if it failed, that is in the log
		s.mu.Lock()
		s.held = true
		s.mu.Unlock()
		close(saved)
	})
	s.mu.Unlock()
	notify(s.wake)
	<-saved
}

// follow keeps the devices of p from now on.
func (s *stateFolder) follow(p plan.Plan) {
	s.mu.Lock()
	s.devices = nil
	for _, e := range p.Exports {
		s.devices = append(s.devices, device{e.Name, e.Drive, e.Addr})
	}
	s.refusing, s.held = false, false
	s.mu.Unlock()
	s.Changed(nil)
}

// errHeld is why a change is not durable while hold is in force.
var errHeld = errors.New("the configuration is being changed")

// Changed is told of each change of what is exported; then is called when it is
// durable.
func (s *stateFolder) Changed(then func(error)) {
	var refused error
	s.mu.Lock()
	switch {
	case s.closing:
		refused = target.ErrClosed
	case s.refusing:
		refused = errHeld
	case then != nil:
		s.thens = append(s.thens, then)
	}
	s.mu.Unlock()
	if refused != nil && then != nil {
		go then(refused)
	}
	notify(s.wake)
}

// run saves until the folder is closed, and leaves in s.last how that went last.
func (s *stateFolder) run() {
	defer close(s.done)
	for {
		<-s.wake
		s.mu.Lock()
		thens, devices, last, held := s.thens, s.devices, s.closing, s.held
		s.thens = nil
		s.mu.Unlock()
		if !held {
			s.last = s.save(devices)
			s.report(s.last)
		}
		for _, then := range thens {
			then(s.last)
		}
		if last {
			return
		}
		if s.last != nil {
			time.AfterFunc(retryDelay, func() { notify(s.wake) })
		}
	}
}

// report logs when saving begins and ends to fail.
func (s *stateFolder) report(err error) {
	if failing := err != nil; failing != s.failing {
		s.failing = failing
		if failing {
			s.log.Errorf("THE STATE IS NOT SAVED: %v; changes by initiators stay unanswered, it is tried again", err)
		} else {
			s.log.Info("the state is saved again")
		}
	}
}

// close saves a last time.
func (s *stateFolder) close() error {
	s.mu.Lock()
	s.closing = true
	begun := s.blade != nil
	s.mu.Unlock()
	if begun {
		notify(s.wake)
		select {
		case <-s.done:
		case <-time.After(10 * retryDelay):
			return errors.New("the state was not saved in time: the disk of the state directory does not answer")
		}
	}
	return errors.Join(s.last, s.root.Close())
}
