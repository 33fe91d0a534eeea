package netio

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// watchBufferBytes holds the changes that come while a callback works: some two thousand.
const watchBufferBytes = 4 << 20

// Subscriptions that end before their first message make Watch wait, each time longer by fruitlessWait, and
// give up after maxFruitless of them: then it is not a storm of changes, for which one buffer is too small.
const (
	maxFruitless  = 10
	fruitlessWait = 10 * time.Millisecond
)

// Watch reports every interface present, then each change until ctx ends; it returns ctx's error then,
// or another one when the kernel gives no news: no subscription can be had (EMFILE, ENOBUFS), or none lasts
// until its first message. changed gets interfaces that are new or differ from
// what was reported before; a renamed one has the index that it had. When the kernel
// had to drop messages because the callbacks were slow, Watch lists again and reports the differences, so
// the last report of an interface is always its present state; passing states may be skipped, so that of two
// that changed their names one may be reported while the other is still known by that name.
//
// After an error, call it again. Each call begins anew: it reports every interface present, but knows nothing
// of what earlier calls reported, so an interface that vanished between two calls is not reported. To notice,
// call List in the first report of the new call, or later: what that does not have, is gone, and what it has
// is reported when it vanishes. A Link on such an interface says ErrGone besides.
//
// The callbacks run one at a time on the calling goroutine. Watch works in the network namespace of the
// calling thread, and keeps its goroutine on that thread.
func Watch(ctx context.Context, changed func(Interface), vanished func(name string, index int)) error {
	return watch(ctx, watchBufferBytes, changed, vanished)
}

func watch(ctx context.Context, bufferBytes int, changed func(Interface), vanished func(name string, index int)) error {
	runtime.LockOSThread() // every subscription must be in the same namespace
	defer runtime.UnlockOSThread()
	w := watcher{known: make(map[int]Interface), changed: changed, vanished: vanished}
	return w.run(ctx, func(updates chan<- netlink.LinkUpdate, done <-chan struct{}, failed func(error)) error {
		return subscribe(updates, done, failed, bufferBytes)
	})
}

// subscriber sends updates until done is closed or it fails; then it says why, and closes updates.
type subscriber func(updates chan<- netlink.LinkUpdate, done <-chan struct{}, failed func(error)) error

// watcher remembers what was reported, to report differences only.
type watcher struct {
	known    map[int]Interface // by index
	changed  func(Interface)
	vanished func(name string, index int)

	messages uint64 // received from all subscriptions
	failure  error  // why the last subscription ended, when it said
}

// run follows one subscription after the other until ctx ends or there is no use.
func (w *watcher) run(ctx context.Context, subscribe subscriber) error {
	fruitless := 0
	for ctx.Err() == nil {
		before := w.messages
		if err := w.follow(ctx, subscribe); err != nil {
			return err
		}
		if w.messages != before {
			fruitless = 0
			continue
		}
		if fruitless++; fruitless == maxFruitless {
			return fmt.Errorf("%d subscriptions to interface changes ended without a message (the last: %v)", fruitless, w.failure)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(fruitless) * fruitlessWait):
		}
	}
	return ctx.Err()
}

// follow subscribes, lists, and reports until messages were lost or ctx ends; both are no error.
func (w *watcher) follow(ctx context.Context, subscribe subscriber) error {
	updates := make(chan netlink.LinkUpdate)
	done := make(chan struct{})
	var failure error // belongs to the subscription until it closes updates
	if err := subscribe(updates, done, func(err error) { failure = err }); err != nil {
		return fmt.Errorf("subscribing to interface changes: %w", err)
	}
	defer func() {
		close(done)
		for range updates { // the library's goroutine may be about to send
		}
	}()
	// Listing after subscribing misses nothing; an older message that comes after is made good by the
	// next.
	list, err := List()
	if errors.Is(err, netlink.ErrDumpInterrupted) {
		w.failure = err
		return nil // interfaces change faster than they can be listed: begin again
	}
	if err != nil {
		return err
	}
	w.compare(list)
	for {
		select {
		case <-ctx.Done():
			return nil
		case update, ok := <-updates:
			if !ok {
				w.failure = failure
				return nil // the library gives up on a lost message (ENOBUFS)
			}
			w.messages++
			w.apply(update)
		}
	}
}

// subscribe is the subscriber of the kernel's news.
func subscribe(updates chan<- netlink.LinkUpdate, done <-chan struct{}, failed func(error), bufferBytes int) error {
	options := netlink.LinkSubscribeOptions{
		ErrorCallback:          failed,
		ReceiveBufferSize:      bufferBytes,
		ReceiveBufferForceSize: true,
	}
	err := netlink.LinkSubscribeWithOptions(updates, done, options)
	if errors.Is(err, unix.EPERM) {
		// The force needs CAP_NET_ADMIN; without it take what net.core.rmem_max allows.
		options.ReceiveBufferForceSize = false
		err = netlink.LinkSubscribeWithOptions(updates, done, options)
	}
	return err
}

// apply reports one message. Messages of family AF_BRIDGE tell of bridge ports: a deleted one is an
// interface that left its bridge and still exists.
func (w *watcher) apply(update netlink.LinkUpdate) {
	if update.IfInfomsg.Family != unix.AF_UNSPEC {
		return
	}
	ifi := fromAttrs(update.Link.Attrs())
	switch update.Header.Type {
	case unix.RTM_NEWLINK:
		w.see(ifi)
	case unix.RTM_DELLINK:
		w.lose(ifi.Index)
	}
}

// compare reports the differences between what is known and a full list.
func (w *watcher) compare(list []Interface) {
	present := make(map[int]bool, len(list))
	for _, ifi := range list {
		present[ifi.Index] = true
	}
	// The lost come first: their names may have been taken over.
	for index := range w.known {
		if !present[index] {
			w.lose(index)
		}
	}
	// Then those that are known, for the same reason: a new one may have the name that another had.
	for _, fresh := range []bool{false, true} {
		for _, ifi := range list {
			if _, known := w.known[ifi.Index]; known != fresh {
				w.see(ifi)
			}
		}
	}
}

func (w *watcher) see(ifi Interface) {
	old, ok := w.known[ifi.Index]
	if ok && old == ifi {
		return
	}
	w.known[ifi.Index] = ifi
	w.changed(ifi)
}

func (w *watcher) lose(index int) {
	if old, ok := w.known[index]; ok {
		delete(w.known, index)
		w.vanished(old.Name, old.Index)
	}
}
