package fusectl

import (
	"hash/fnv"
	"math"
	"time"

	"vbladefs/target"
)

// This file is the machine of a dry run: disks without sectors to read, links
// without frames.

func dryParts() target.Parts {
	return target.Parts{
		OpenLinks:       func(string, int) (target.LinkGroup, error) { return dryGroup{}, nil },
		OpenQueue:       func() (target.Queue, error) { return dryQueue(make(chan struct{}, 1)), nil },
		Identify:        func(path string) (string, error) { return path, nil },
		OpenStore:       openDryStore,
		MakeStore:       func(string, int64) (func(), error) { return func() {}, nil },
		NeverHangs:      true,
		LookupInterface: lookupDryInterface,
		AllocBuffers:    func(bytes int) ([]byte, error) { return make([]byte, bytes), nil },
		FreeBuffers:     func([]byte) error { return nil },
	}
}

func lookupDryInterface(name string) (target.Interface, error) {
	h := fnv.New32()
	_, _ = h.Write([]byte(name))
	return target.Interface{Name: name, Index: int(h.Sum32()), MTU: 1500, Up: true, Ethernet: true}, nil
}

// dryStore is a disk.
type dryStore struct {
	path     string
	readOnly bool
}

func openDryStore(path string, o target.StoreOptions) (target.Store, error) {
	return &dryStore{path: path, readOnly: o.Access == target.AccessReadOnly}, nil
}

func (s *dryStore) Key() string                 { return s.path }
func (s *dryStore) SizeBytes() int64            { return math.MaxInt64 } // whatever part of it is a drive
func (s *dryStore) ReadOnly() bool              { return s.readOnly }
func (s *dryStore) Refresh() (int64, error)     { return s.SizeBytes(), nil }
func (s *dryStore) Device() (uint32, uint32)    { return 0, 0 }
func (s *dryStore) Note() string                { return "" }
func (s *dryStore) SetCache(target.Cache) error { return nil }
func (s *dryStore) SetWritable() error          { s.readOnly = false; return nil }
func (s *dryStore) Flush() error                { return nil }
func (s *dryStore) Close() error                { return nil }

// dryLink is a link without frames.
type dryLink struct{}

func (dryLink) Receive([][]byte) (int, error)         { return 0, nil }
func (dryLink) Release()                              {}
func (dryLink) Send(headers, _ [][]byte) (int, error) { return len(headers), nil }
func (dryLink) FD() int                               { return -1 }
func (dryLink) ReceiveDrops() uint64                  { return 0 }
func (dryLink) SendDrops() uint64                     { return 0 }
func (dryLink) Kind() string                          { return "ring" }
func (dryLink) Close() error                          { return nil }

// dryGroup is one such link.
type dryGroup struct{}

func (dryGroup) Links() []target.Link           { return []target.Link{dryLink{}} }
func (dryGroup) Steer(uint16, uint8, int) error { return nil }
func (dryGroup) Settle() error                  { return nil }
func (dryGroup) Start() error                   { return nil }
func (dryGroup) Close() error                   { return nil }

// dryQueue is a queue without transfers; it is what Wake sends on.
type dryQueue chan struct{}

func (dryQueue) Try(target.Store, target.Op, []byte, int64) (bool, error)  { return true, nil }
func (dryQueue) Submit(target.Store, target.Op, []byte, int64, uint64)     {}
func (dryQueue) SubmitRange(target.Store, target.Op, int64, int64, uint64) {}
func (dryQueue) Reap([]uint64, []error) int                                { return 0 }
func (dryQueue) Close() error                                              { return nil }

func (q dryQueue) Wait(_ int, timeout time.Duration) error {
	if timeout < 0 {
		<-q
		return nil
	}
	select {
	case <-q:
	case <-time.After(timeout):
	}
	return nil
}

func (q dryQueue) Wake() {
	select {
	case q <- struct{}{}:
	default:
	}
}
