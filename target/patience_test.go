package target_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"vbladefs/target"
	"vbladefs/target/targettest"
)

// hangingTarget has a disk at /disks/d, one at /disks/hung that hangs while it is opened,
// until the test or open ends that, and eth0. Each opening of it is told to opening.
func hangingTarget(t *testing.T) (m *targettest.Machine, tgt *target.Target, opening chan struct{}, open func()) {
	m = targettest.NewMachine(t)
	m.AddMedium("/disks/d", 100, false)
	m.AddMedium("/disks/hung", 100, false)
	m.SetInterface("eth0", 1, 1500)
	hung, opening := make(chan struct{}), make(chan struct{}, 10)
	tgt = altered(t, m, func(p *target.Parts) {
		open := p.OpenStore
		p.OpenStore = func(path string, o target.StoreOptions) (target.Store, error) {
			if path == "/disks/hung" {
				opening <- struct{}{}
				<-hung
			}
			return open(path, o)
		}
	})
	open = sync.OnceFunc(func() { close(hung) })
	t.Cleanup(open)
	return m, tgt, opening, open
}

// A store that hangs while it is opened holds up other openers only, and not
// the end of the daemon.
func TestOpenThatHangs(t *testing.T) {
	m, tgt, opening, open := hangingTarget(t)
	must(t, tgt.Do(target.AddDrive{Name: "d", Path: "/disks/d"}))
	returned, result := background(func() error { return tgt.Do(target.AddDrive{Name: "h", Path: "/disks/hung"}) })
	<-opening
	must(t, tgt.Do(target.AddPort{Drive: "d", Addr: blade, Interface: "eth0"}))
	tgt.InterfaceChanged(m.SetInterface("eth0", 1, 9000))
	must(t, tgt.Do(target.RemovePort{Addr: blade, Interface: "eth0"}))
	if returned() {
		t.Error("the drive was opened")
	}
	must(t, tgt.Close(context.Background()))
	open()
	if err := <-result; !errors.Is(err, target.ErrClosed) {
		t.Errorf("opened after Close: %v", err)
	}
}

// It holds them up for a while only, and is closed when it has been opened at last.
func TestOpenThatHangsForLong(t *testing.T) {
	t.Cleanup(func() { target.SetOpenPatience(30 * time.Second) })
	target.SetOpenPatience(50 * time.Millisecond)
	m, tgt, opening, open := hangingTarget(t)
	for name, op := range map[string]target.Operation{
		"add":    target.AddDrive{Name: "h", Path: "/disks/hung"},
		"export": target.Export{Path: "/disks/hung", Addr: blade, Interface: "eth0"},
	} {
		err := tgt.Do(op)
		if !errors.Is(err, target.ErrStore) || !errors.Is(err, syscall.ETIMEDOUT) || !strings.Contains(err.Error(), "/disks/hung has not answered for ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	<-opening // by the first: the second waits for that
	must(t, tgt.Do(target.AddDrive{Name: "d", Path: "/disks/d"}))
	must(t, tgt.Do(target.AddPort{Drive: "d", Addr: blade, Interface: "eth0"}))
	if err := tgt.Do(target.Rebind{Addr: blade, Interface: "eth0", Path: "/disks/hung"}); !errors.Is(err, syscall.ETIMEDOUT) {
		t.Errorf("rebind: %v", err)
	}
	open()
	until(t, "what came late is closed again", func() bool { return target.Hanging(tgt) == 0 && !strings.Contains(m.Open(), "hung") })
	must(t, tgt.Do(target.AddDrive{Name: "h", Path: "/disks/hung"}))
}

// Another process does not wait for it at all when it takes over.
func TestHoldWhileAnOpenHangs(t *testing.T) {
	soon(t)
	_, tgt, opening, open := hangingTarget(t)
	_, result := background(func() error { return tgt.Do(target.AddDrive{Name: "h", Path: "/disks/hung"}) })
	<-opening
	h, err := tgt.Hold(t.Context())
	must(t, err)
	if err := <-result; !errors.Is(err, syscall.ETIMEDOUT) {
		t.Errorf("add: %v", err)
	}
	h.Release()
	must(t, tgt.Do(target.AddDrive{Name: "d", Path: "/disks/d"}))
	open()
	until(t, "what came late is closed again", func() bool { return target.Hanging(tgt) == 0 })
}

// A store that is only slow is not given up for it.
func TestInterruptOfWhatIsSlow(t *testing.T) {
	delay, wait := target.SetReopening(time.Millisecond, time.Hour)
	t.Cleanup(func() { target.SetReopening(delay, wait) })
	_, tgt, opening, open := hangingTarget(t)
	_, result := background(func() error { return tgt.Do(target.AddDrive{Name: "h", Path: "/disks/hung"}) })
	<-opening
	for range 100 {
		target.Interrupt(tgt)
		time.Sleep(100 * time.Microsecond)
	}
	open()
	must(t, <-result)
}

// gate is a store whose user waits in what asks it, while it is shut.
type gate struct {
	target.Store
	shut func()
}

func (g gate) SetCache(c target.Cache) error { g.shut(); return g.Store.SetCache(c) }
func (g gate) SetWritable() error            { g.shut(); return g.Store.SetWritable() }
func (g gate) Flush() error                  { g.shut(); return g.Store.Flush() }
func (g gate) Close() error                  { g.shut(); return g.Store.Close() }

// gated is a target on m whose store at /disks/d hangs while lock is held.
func gated(t *testing.T, m *targettest.Machine, lock *sync.Mutex) *target.Target {
	return altered(t, m, func(p *target.Parts) {
		open := p.OpenStore
		p.OpenStore = func(path string, o target.StoreOptions) (target.Store, error) {
			s, err := open(path, o)
			if path == "/disks/d" && err == nil {
				s = gate{s, func() { lock.Lock(); defer lock.Unlock() }}
			}
			return s, err
		}
	})
}

// Whatever is asked of a store that hangs since it was opened is given up, too, and has no effect when it is done at last.
func TestStoreThatHangsLater(t *testing.T) {
	soon(t)
	t.Cleanup(func() { target.SetOpenPatience(30 * time.Second) })
	target.SetOpenPatience(50 * time.Millisecond)
	for name, op := range map[string]target.Operation{
		"cache":     target.SetCache{Drive: "d", Cache: target.CacheDurable},
		"pause":     target.SetPaused{Drive: "d", Paused: true},
		"writable":  target.SetReadOnly{Drive: "d"},
		"add to it": target.AddDrive{Name: "e", Path: "/disks/d", Access: target.AccessReadWrite},
	} {
		t.Run(name, func(t *testing.T) {
			m := targettest.NewMachine(t)
			medium := m.AddMedium("/disks/d", 100, name != "cache" && name != "pause")
			m.AddMedium("/disks/other", 100, false)
			var lock sync.Mutex
			tgt := gated(t, m, &lock)
			must(t, tgt.Do(target.AddDrive{Name: "d", Path: "/disks/d", Cache: target.CacheDirect}))
			medium.SetReadOnly(false)
			before, _ := tgt.Drive("d")
			lock.Lock()
			for range 2 {
				if err := tgt.Do(op); !errors.Is(err, syscall.ETIMEDOUT) {
					t.Errorf("%v", err)
				}
			}
			must(t, tgt.Do(target.AddDrive{Name: "o", Path: "/disks/other"}))
			h, err := tgt.Hold(t.Context())
			must(t, err)
			h.Release()
			lock.Unlock()
			until(t, "the disk has answered", func() bool { return target.Hanging(tgt) == 0 })
			if after, _ := tgt.Drive("d"); after.Cache != before.Cache || after.Paused || !after.ReadOnly && before.ReadOnly {
				t.Errorf("then it is %+v, and was %+v", after, before)
			}
			must(t, tgt.Do(op))
		})
	}
}

// A store that does not close holds nobody up who opens another.
func TestCloseThatHangs(t *testing.T) {
	defer target.SetDrainGrace(target.SetDrainGrace(20 * time.Millisecond))
	m := targettest.NewMachine(t)
	m.AddMedium("/disks/d", 100, false)
	m.AddMedium("/disks/other", 100, false)
	m.SetInterface("eth0", 1, 1500)
	var lock sync.Mutex
	tgt := gated(t, m, &lock)
	must(t, tgt.Do(target.Export{Path: "/disks/d", Addr: blade, Interface: "eth0"}))
	lock.Lock()
	must(t, tgt.Do(target.Rebind{Addr: blade, Interface: "eth0", Path: "/disks/other"}))
	lock.Unlock()
	until(t, "it is closed", func() bool { return tgt.Do(target.AddDrive{Name: "again", Path: "/disks/d"}) == nil })
}

// A file that is made late is taken away again, and not from under who asks again for it.
func TestCreateThatHangs(t *testing.T) {
	for _, slow := range []string{"made", "opened"} {
		t.Run(slow, func(t *testing.T) {
			t.Cleanup(func() { target.SetOpenPatience(30 * time.Second) })
			target.SetOpenPatience(50 * time.Millisecond)
			m := targettest.NewMachine(t)
			var lock, files sync.Mutex
			making, there := 0, false
			tgt := altered(t, m, func(p *target.Parts) {
				build, open := p.MakeStore, p.OpenStore
				p.MakeStore = func(path string, bytes int64) (func(), error) {
					if slow == "made" {
						lock.Lock()
						defer lock.Unlock()
					}
					files.Lock()
					defer files.Unlock()
					making, there = making+1, true
					undo, err := build(path, bytes)
					return func() {
						lock.Lock() // its file system hangs, too
						defer lock.Unlock()
						files.Lock()
						defer files.Unlock()
						there = false
						undo()
					}, err
				}
				p.OpenStore = func(path string, o target.StoreOptions) (target.Store, error) {
					lock.Lock()
					defer lock.Unlock()
					return open(path, o)
				}
			})
			op := target.AddDrive{Name: "d", Path: "/disks/new", Create: 51200}
			lock.Lock()
			for range 3 {
				if err := tgt.Do(op); !errors.Is(err, syscall.ETIMEDOUT) {
					t.Errorf("%v", err)
				}
			}
			lock.Unlock()
			until(t, "the file system has answered", func() bool { return target.Hanging(tgt) == 0 })
			files.Lock()
			if making != 1 || there {
				t.Errorf("made %d times, and there: %v", making, there)
			}
			files.Unlock()
			must(t, tgt.Do(op))
		})
	}
}
