package fusectl

import (
	"fmt"
	"os"
	"syscall"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// engine is the real engine on a machine in memory, on which no frame is ever
// received. Two things that take real requests are played: an operation that
// takes its time, and a port whose requests do not end.
type engine struct {
	*target.Target
	gate string // a fifo: exporting /dev/slow waits until someone writes to it
}

// stuck is the address whose ports never drain.
var stuck = aoe.Addr{Shelf: 9, Slot: 9}

func (e engine) Do(op target.Operation) error {
	switch op := op.(type) {
	case target.Export:
		if op.Path == "/dev/slow" {
			if _, err := os.ReadFile(e.gate); err != nil {
				return err
			}
		}
	case target.RemovePort:
		if op.Addr == stuck {
			return fmt.Errorf("%w: %v", target.ErrNotDrained, op.Addr)
		}
	}
	return e.Target.Do(op)
}

func newEngine(gate string, log *logrus.Logger) engine {
	parts := dryParts()
	parts.Identify, parts.OpenStore, parts.LookupInterface = identify, openStore, lookup
	t := target.New(target.Config{Log: log, Parts: parts})
	for _, netif := range netifs {
		t.InterfaceChanged(netif)
	}
	return engine{t, gate}
}

// netifs are the interfaces of the machine.
var netifs = []target.Interface{
	{Name: "eth0", Index: 1, MTU: 1500, Up: true, Ethernet: true},
	{Name: "eth1", Index: 2, MTU: 9000, Up: true, Ethernet: true},
	{Name: "tun0", Index: 3, MTU: 1500, Up: true},
}

func lookup(name string) (target.Interface, error) {
	for _, netif := range netifs {
		if netif.Name == name {
			return netif, nil
		}
	}
	return target.Interface{}, fmt.Errorf("%w: %q", target.ErrNoInterface, name)
}

// store is a device of the machine; err is why it cannot be opened.
type store struct {
	key          string
	sectors      int64
	major, minor uint32
	readOnly     bool
	err          syscall.Errno
}

var stores = map[string]store{
	"/dev/loop0": {sectors: 819200, major: 7}, "/dev/loop1": {sectors: 2048, major: 7, minor: 1},
	"/dev/loop2": {sectors: 4096, major: 7, minor: 2}, "/dev/slow": {sectors: 8},
	"/dev/ro": {sectors: 16, major: 7, minor: 9, readOnly: true}, "/dev/busy": {sectors: 32, err: unix.EBUSY},
	"/dev/null": {err: unix.ENOTBLK}, "/dev/empty": {err: unix.ENXIO}, "/dev/secret": {err: unix.EACCES},
	"/dev/broken": {err: unix.ENOSYS}, "/dev": {err: unix.EISDIR},
}

// identify finds a device, or a real file.
func identify(path string) (string, error) {
	if _, ok := stores[path]; !ok {
		if _, err := os.Stat(path); err != nil {
			return "", err
		}
	}
	return path, nil
}

func openStore(path string, o target.StoreOptions) (target.Store, error) {
	s, ok := stores[path]
	s.key = path
	if !ok {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		s.sectors = info.Size() / 512
	}
	switch {
	case s.readOnly && o.Access == target.AccessReadWrite:
		s.err = unix.EROFS
	case o.Force && s.err == unix.EBUSY:
		s.err = 0
	}
	if s.err != 0 {
		return nil, fmt.Errorf("open %s: %w", path, s.err)
	}
	s.readOnly = s.readOnly || o.Access == target.AccessReadOnly
	return s, nil
}

func (s store) Key() string                 { return s.key }
func (s store) SizeBytes() int64            { return s.sectors * 512 }
func (s store) ReadOnly() bool              { return s.readOnly }
func (s store) Refresh() (int64, error)     { return s.SizeBytes(), nil }
func (s store) Device() (uint32, uint32)    { return s.major, s.minor }
func (s store) Note() string                { return "" }
func (s store) SetCache(target.Cache) error { return nil }
func (s store) Flush() error                { return nil }
func (s store) SetWritable() error          { return unix.EROFS }
func (s store) Close() error                { return nil }
