package netio

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"vbladefs/netio/netiotest"
)

// endingSubscriber ends each subscription at once, as the library does when its socket fails; every
// nth one has a message first.
func endingSubscriber(nth int, count *int) subscriber {
	return func(updates chan<- netlink.LinkUpdate, _ <-chan struct{}, failed func(error)) error {
		*count++
		message := *count%nth == 0
		go func() {
			if message {
				updates <- netlink.LinkUpdate{Link: &netlink.Dummy{}}
			}
			failed(errors.New("some reason"))
			close(updates)
		}()
		return nil
	}
}

func TestWatchGivesUpOnSubscriptionsThatEndAtOnce(t *testing.T) {
	subscriptions, present := 0, 0
	w := watcher{known: make(map[int]Interface), changed: func(Interface) { present++ }, vanished: func(string, int) {}}
	var err error
	netiotest.New(t).Do(func() { err = w.run(context.Background(), endingSubscriber(1000, &subscriptions)) })
	if err == nil || !strings.Contains(err.Error(), "some reason") || subscriptions != maxFruitless {
		t.Errorf("after %d subscriptions: %v, want an error with the reason after %d", subscriptions, err, maxFruitless)
	}
	if present == 0 {
		t.Error("the interfaces present were not reported")
	}
}

func TestWatchGoesOnWhileMessagesCome(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	subscriptions := 0
	often := endingSubscriber(2, &subscriptions)
	w := watcher{known: make(map[int]Interface), changed: func(Interface) {}, vanished: func(string, int) {}}
	var err error
	netiotest.New(t).Do(func() {
		err = w.run(ctx, func(updates chan<- netlink.LinkUpdate, done <-chan struct{}, failed func(error)) error {
			if subscriptions == 3*maxFruitless {
				cancel()
			}
			return often(updates, done, failed)
		})
	})
	if !errors.Is(err, context.Canceled) || subscriptions < 3*maxFruitless {
		t.Errorf("after %d subscriptions: %v, want context.Canceled after %d", subscriptions, err, 3*maxFruitless)
	}
}

// TestWatchAgainAfterAnError: the second call reports what is present, and List what is not any more.
func TestWatchAgainAfterAnError(t *testing.T) {
	a, _ := netiotest.Pair(t, 1500)
	a.Run("ip", "link", "add", "name", "gone0", "type", "veth", "peer", "name", "gone1")
	known := make(map[string]bool)
	call := func(first func()) error {
		w := watcher{known: make(map[int]Interface), vanished: func(string, int) {}}
		w.changed = func(ifi Interface) {
			if first != nil {
				first()
				first = nil
			}
			known[ifi.Name] = true
		}
		subscriptions := 0
		var err error
		a.Do(func() { err = w.run(context.Background(), endingSubscriber(1000, &subscriptions)) })
		return err
	}
	if err := call(nil); err == nil || !known["gone0"] || !known["eth0"] {
		t.Fatalf("first call: %v, reported %v", err, known)
	}
	a.Run("ip", "link", "del", "gone0")
	err := call(func() {
		list, err := List()
		if err != nil {
			t.Error(err)
		}
		known = make(map[string]bool)
		for _, ifi := range list {
			known[ifi.Name] = true
		}
		known["eth0"] = false // to see it reported again
	})
	if err == nil || known["gone0"] || !known["eth0"] || !known["lo"] {
		t.Errorf("second call: %v, known %v", err, known)
	}
}
