package engine

import (
	"cmp"
	"sync"

	"vbladefs/disk"
	"vbladefs/disk/nbd"
	"vbladefs/target"
)

// store is a disk.Store as a target.Store.
type store struct{ *disk.Store }

// SetCache sets the store's write policy.
func (s *store) SetCache(c target.Cache) error {
	policy, err := disk.ParsePolicy(string(c))
	if err != nil {
		return err
	}
	return s.SetPolicy(policy)
}

var accesses = map[target.Access]disk.Access{
	target.AccessAuto:      disk.Auto,
	target.AccessReadWrite: disk.ReadWrite,
	target.AccessReadOnly:  disk.ReadOnly,
}

// storeOpener returns what opens stores; those of the inheritance join its claims.
func storeOpener(i *Inheritance) func(path string, o target.StoreOptions) (target.Store, error) {
	return func(path string, o target.StoreOptions) (target.Store, error) {
		policy, err := disk.ParsePolicy(string(o.Cache))
		if err != nil {
			return nil, err
		}
		if target.IsURI(path) {
			i.claim(path)
			return openRemote(path, nbd.Options{Access: accesses[o.Access], Policy: policy})
		}
		options := disk.Options{Access: accesses[o.Access], Policy: policy, Force: o.Force}
		if claim := i.claim(path); !o.Force {
			options.Claim = claim
		}
		s, err := disk.Open(path, options)
		if err != nil {
			return nil, err
		}
		return &store{s}, nil
	}
}

// queueOpener returns what opens a worker's queue. Why it is not the best kind
// is logged once.
func queueOpener(o Options, open func(kind string) (disk.Queue, string, error)) func() (target.Queue, error) {
	var once sync.Once
	return func() (target.Queue, error) {
		q, note, err := open(cmp.Or(o.IO, "auto"))
		if err != nil {
			return nil, err
		}
		if note != "" {
			once.Do(func() { o.Log.Warn(note) })
		}
		return queue{newBoth(q), func(err error) {
			once.Do(func() { o.Log.Warnf("direct I/O is slower than it could be: %v", err) })
		}}, nil
	}
}

// queue is the queues of a worker as a target.Queue. disk and target number the operations
// alike, which a test holds them to.
type queue struct {
	*both
	slower func(error) // says once that buffers could not be registered
}

// RegisterBuffers passes the memory on to a queue that has a use for it.
func (q queue) RegisterBuffers(memory []byte) {
	ring, ok := q.Queue.(*disk.UringQueue)
	if !ok {
		return
	}
	if err := ring.RegisterBuffers(memory); err != nil {
		q.slower(err)
	}
}

func (q queue) Try(s target.Store, op target.Op, data []byte, offset int64) (bool, error) {
	local, ok := s.(*store)
	if !ok {
		return false, nil // a server is waited for
	}
	return q.Queue.Try(local.Store, disk.Op(op), data, offset)
}

func (q queue) SubmitRange(s target.Store, op target.Op, offset, length int64, token uint64) {
	switch s := s.(type) {
	case *store:
		q.Queue.SubmitRange(s.Store, disk.Op(op), offset, length, token)
	case *remote:
		q.remote.SubmitRange(s.Store, disk.Op(op), offset, length, token)
	}
}

func (q queue) Submit(s target.Store, op target.Op, data []byte, offset int64, token uint64) {
	switch s := s.(type) {
	case *store:
		q.Queue.Submit(s.Store, disk.Op(op), data, offset, token)
	case *remote:
		q.remote.Submit(s.Store, disk.Op(op), data, offset, token)
	}
}
