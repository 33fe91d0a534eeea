package engine

import (
	"time"

	"vbladefs/disk"
	"vbladefs/disk/nbd"
	"vbladefs/target"
)

// remote is an nbd.Store as a target.Store.
type remote struct{ *nbd.Store }

// SetCache sets the store's write policy.
func (r *remote) SetCache(c target.Cache) error {
	policy, err := disk.ParsePolicy(string(c))
	if err != nil {
		return err
	}
	return r.SetPolicy(policy)
}

// identify names what a path or URI leads to.
func identify(path string) (string, error) {
	if target.IsURI(path) {
		return nbd.Identify(path)
	}
	return disk.Identify(path)
}

// openRemote opens the export that a URI names. Nothing is claimed: a server
// knows no claims.
func openRemote(uri string, o nbd.Options) (target.Store, error) {
	s, err := nbd.Open(uri, o)
	if err != nil {
		return nil, err
	}
	return &remote{s}, nil
}

// RemoteSize is how many bytes the export has that a URI names.
func RemoteSize(uri string) (int64, error) {
	s, err := nbd.Open(uri, nbd.Options{Access: disk.ReadOnly})
	if err != nil {
		return 0, err
	}
	return s.SizeBytes(), s.Close()
}

// both is a disk.Queue with the nbd.Queue of the same worker. The worker sleeps in
// the first, which the second wakes it from.
type both struct {
	disk.Queue
	remote *nbd.Queue
	second bool // whose results come first: they take turns
}

func newBoth(q disk.Queue) *both { return &both{Queue: q, remote: nbd.NewQueue(q.Wake)} }

// Reap collects from both.
func (b *both) Reap(tokens []uint64, errs []error) int {
	if b.remote.Idle() {
		return b.Queue.Reap(tokens, errs)
	}
	limit := min(len(tokens), len(errs))
	tokens, errs = tokens[:limit], errs[:limit]
	n := 0
	if b.second = !b.second; b.second {
		n = b.remote.Reap(tokens, errs)
		return n + b.Queue.Reap(tokens[n:], errs[n:])
	}
	n = b.Queue.Reap(tokens, errs)
	return n + b.remote.Reap(tokens[n:], errs[n:])
}

// Wait sleeps until there is something of either.
func (b *both) Wait(fd int, timeout time.Duration) error {
	if b.remote.Idle() {
		return b.Queue.Wait(fd, timeout)
	}
	if b.remote.Sleep() {
		return nil
	}
	defer b.remote.Awake()
	return b.Queue.Wait(fd, timeout)
}

// Close waits for what was submitted to either.
func (b *both) Close() error {
	b.remote.Close()
	return b.Queue.Close()
}
