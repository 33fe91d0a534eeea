package ggaoed

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
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

	mu      sync.Mutex
	blade   func(aoe.Addr) (target.BladeInfo, bool) // nil: not begun
	devices []device
	thens   []func(error)
	closing bool
	failing bool

	known map[string][]byte // what the files hold; of the saving goroutine, once it runs
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

// load is what a device kept before it begins.
func (s *stateFolder) load(e plan.Export) target.BladeInfo {
	var b target.BladeInfo
	b.Config = read(s, e.Name, ggaoed.ConfigSuffix, "AoE configuration space", ggaoed.ParseConfigFile)
	b.Masks = read(s, e.Name, ggaoed.MaskSuffix, "MAC Mask list", ggaoed.ParseListFile)
	b.Reserve = read(s, e.Name, ggaoed.ReserveSuffix, "Reserve list", ggaoed.ParseListFile)
	return b
}

// read is what a file holds; one of the wrong format counts as empty, and is
// replaced by the next save.
func read[T any](s *stateFolder, name, suffix, what string, parse func([]byte) (T, bool)) (none T) {
	f, err := s.root.OpenFile(name+suffix, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return none
	}
	if err != nil {
		s.log.Errorf("%s: %v: nothing of it is used", name, err)
		return none
	}
	defer f.Close()
	b := make([]byte, ggaoed.ListFileSize+1)
	n, err := f.ReadAt(b, 0)
	value, ok := parse(b[:n])
	if !ok {
		s.log.Warnf("%s: Resetting %s: %s%s is no state file (%d bytes, %v)", name, what, name, suffix, n, err)
		return none
	}
	return value
}

// begin saves from now on what blade shows.
func (s *stateFolder) begin(blade func(aoe.Addr) (target.BladeInfo, bool)) {
	s.mu.Lock()
	s.blade = blade
	s.mu.Unlock()
	go s.run()
}

// follow keeps the devices of p from now on.
func (s *stateFolder) follow(p plan.Plan) {
	s.mu.Lock()
	s.devices = nil
	for _, e := range p.Exports {
		s.devices = append(s.devices, device{e.Name, e.Drive, e.Addr})
	}
	s.mu.Unlock()
	s.Changed(nil)
}

// Changed is told of each change of what is exported; then is called when it is
// durable.
func (s *stateFolder) Changed(then func(error)) {
	s.mu.Lock()
	closing := s.closing
	if then != nil && !closing {
		s.thens = append(s.thens, then)
	}
	s.mu.Unlock()
	if closing && then != nil {
		go then(target.ErrClosed)
	}
	notify(s.wake)
}

// run saves until the folder is closed.
func (s *stateFolder) run() {
	defer close(s.done)
	for {
		<-s.wake
		s.mu.Lock()
		thens, devices, last := s.thens, s.devices, s.closing
		s.thens = nil
		s.mu.Unlock()
		err := s.save(devices)
		s.report(err)
		for _, then := range thens {
			then(err)
		}
		if last {
			return
		}
		if err != nil {
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
	wrote := false
	for _, d := range devices {
		b, ok := s.blade(d.addr)
		if !ok || b.Drive != d.drive { // on its way somewhere else
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
			name := d.name + f.suffix
			if bytes.Equal(s.known[name], f.data) {
				continue
			}
			if err := s.replace(name, f.data); err != nil {
				wrong = append(wrong, err)
				continue
			}
			s.known[name], wrote = f.data, true
		}
	}
	if wrote {
		wrong = append(wrong, s.sync())
	}
	return errors.Join(wrong...)
}

// replace writes a file that is the old one or the new one at every moment.
func (s *stateFolder) replace(name string, data []byte) error {
	temporary := name + ".new"
	_ = s.root.Remove(temporary)
	f, err := s.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = s.root.Rename(temporary, name)
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
	return s.root.Close()
}
