package ggaoed

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

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

// load is what a device kept before it begins. An error is about a file that holds
// something which cannot be had: to begin without it would lose it, and open a
// device to hosts that a mask keeps out.
func (s *stateFolder) load(e plan.Export) (b target.BladeInfo, err error) {
	for _, suffix := range []string{ggaoed.ConfigSuffix, ggaoed.MaskSuffix, ggaoed.ReserveSuffix} {
		delete(s.known, e.Name+suffix) // somebody may have changed it while the device was not there
	}
	var wrong [3]error
	b.Config, wrong[0] = read(s, e.Name+ggaoed.ConfigSuffix, "AoE configuration space", ggaoed.ConfigFileSize, ggaoed.ParseConfigFile)
	b.Masks, wrong[1] = read(s, e.Name+ggaoed.MaskSuffix, "MAC Mask list", ggaoed.ListFileSize, ggaoed.ParseListFile)
	b.Reserve, wrong[2] = read(s, e.Name+ggaoed.ReserveSuffix, "Reserve list", ggaoed.ListFileSize, ggaoed.ParseListFile)
	for i, list := range [][]aoe.MAC{b.Masks, b.Reserve} {
		if len(list) > aoe.MaxListed {
			wrong[1+i] = fmt.Errorf("%d hosts: want at most %d: %s", len(list), aoe.MaxListed, mend)
		}
	}
	for i, suffix := range []string{ggaoed.ConfigSuffix, ggaoed.MaskSuffix, ggaoed.ReserveSuffix} {
		if wrong[i] != nil {
			wrong[i] = fmt.Errorf("state file %s%s: %w", e.Name, suffix, wrong[i])
		}
	}
	return b, errors.Join(wrong[:]...)
}

// mend is what to do about a state file that is wrong.
const mend = "mend it, or move it away to begin with nothing, and reload"

// read is what a file of that size holds. As with the original one that is shorter
// or longer is taken as if it had the size, and one of another format counts as
// empty; it is set aside.
func read[T any](s *stateFolder, name, what string, size int, parse func([]byte) (T, bool)) (none T, err error) {
	f, err := s.root.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return none, nil
	}
	if err != nil {
		return none, fmt.Errorf("%w: %s", err, mend)
	}
	defer f.Close()
	b := make([]byte, size)
	n, err := f.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return none, fmt.Errorf("%w: %s", err, mend)
	}
	if n == 0 { // made, and never filled
		return none, nil
	}
	if value, ok := parse(b); ok {
		return value, nil
	}
	if err := s.root.Rename(name, name+ggaoed.BadSuffix); err != nil {
		return none, fmt.Errorf("it is none of ggaoed's, and cannot be set aside: %w", err)
	}
	s.log.Warnf("Resetting %s: %s is none of ggaoed's; what was there is %s%s", what, name, name, ggaoed.BadSuffix)
	return none, nil
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

// save writes the files that differ from what is kept now.
func (s *stateFolder) save(devices []device) error {
	var wrong []error
	for _, d := range devices {
		b, ok := s.blade(d.addr)
		if !ok || b.Drive != d.drive { // somebody else has ended it
			continue
		}
		for _, f := range []struct {
			suffix string
			data   []byte
		}{
			{ggaoed.ConfigSuffix, ggaoed.ConfigFile(b.Config)},
			{ggaoed.MaskSuffix, ggaoed.ListFile(ggaoed.SortMasks(b.Masks))},
			{ggaoed.ReserveSuffix, ggaoed.ListFile(b.Reserve)},
		} {
			wrong = append(wrong, s.keep(d.name+f.suffix, f.data))
		}
	}
	if s.unsynced {
		err := s.sync()
		s.unsynced = err != nil
		wrong = append(wrong, err)
	}
	return errors.Join(wrong...)
}

// keep has a file hold data, if it does not.
func (s *stateFolder) keep(name string, data []byte) error {
	if bytes.Equal(s.known[name], data) {
		return nil
	}
	if err := s.replace(name, data); err != nil {
		return err
	}
	s.known[name], s.unsynced = data, true
	return nil
}

// replace writes a file that is the old one or the new one at every moment.
func (s *stateFolder) replace(name string, data []byte) error {
	temporary := name + ggaoed.NewSuffix
	_ = s.root.Remove(temporary) // that a daemon left which was killed
	f, err := s.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = s.root.Rename(temporary, name)
	}
	if err != nil {
		_ = s.root.Remove(temporary)
	}
	return err
}

// sync makes new names of files durable.
func (s *stateFolder) sync() error {
	folder, err := s.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
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
