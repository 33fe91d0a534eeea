// Package engine joins the rooms: a target whose links come from netio and
// whose stores and queues come from disk, and which follows the interfaces of
// this network namespace.
//
// target states what it needs (target.Parts) and imports neither room; netio
// and disk import nothing of ours; the few adapters here are all that knows
// both sides.
package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"vbladefs/cmd/internal/turns"
	"vbladefs/disk"
	"vbladefs/netio"
	"vbladefs/target"
)

// Options say how the engine works. The zero value, with a Log, is right.
type Options struct {
	Link  string        // "auto" (also empty), "ring", "raw" or "xdp"
	IO    string        // "auto" (also empty), "uring" or "sync"
	Cache target.Cache  // write policy of drives that name none
	Spin  time.Duration // how long a worker looks for work, at most, before it sleeps
	// Memory: bytes of each receive ring, and transfers of each worker, 16 KiB
	// each; 0 for the defaults.
	RingBytes, Requests int
	Log                 *logrus.Logger

	Keeper  target.Keeper // nil: nothing is kept
	Inherit *Inheritance  // of a process that this one takes over from; nil: none
	Workers int           // of an interface, where its links can be shared; 0: 1
	CPUs    []int         // processors to pin workers to; none: the kernel chooses
	Claims  target.Claims // nil: what other processes serve is not asked
}

// sizesEvery is how often backing stores are asked for their size.
const sizesEvery = 2 * time.Second

// New returns a target on this machine's interfaces and disks.
func New(o Options) *target.Target {
	return target.New(target.Config{Log: o.Log, Cache: o.Cache, Sizes: sizesEvery, Spin: o.Spin, Requests: o.Requests, Workers: o.Workers, CPUs: o.CPUs, Keeper: o.Keeper, Parts: target.Parts{
		OpenLinks: func(netif string, workers int) (target.LinkGroup, error) {
			if o.Inherit.waiting() {
				return openIdle(netif)
			}
			g, err := netio.OpenGroup(netif, workers, netio.Options{Kind: o.Link, RingBytes: o.RingBytes, Inherit: o.Inherit.take(netif),
				Log: func(m string) { o.Log.Warn(m) }, Note: func(m string) { o.Log.Info(m) }})
			if err != nil {
				return nil, err
			}
			return group{g, netif}, nil
		},
		OpenCarrier:     func(netif string) (target.LinkGroup, error) { return openCarrier(netif, o.RingBytes) },
		PinThread:       pinThread,
		UsualTurns:      turns.Usual,
		OpenQueue:       queueOpener(o, disk.NewQueue),
		Identify:        identify,
		OpenStore:       storeOpener(o.Inherit),
		MakeStore:       disk.Create,
		LookupInterface: lookupInterface,
		Claims:          o.Claims,
		AllocBuffers:    disk.AllocBuffers,
		FreeBuffers:     disk.FreeBuffers,
	}})
}

// group is a netio.Group as a target.LinkGroup.
type group struct {
	*netio.Group
	netif string
}

func (g group) Links() []target.Link {
	var links []target.Link
	for _, l := range g.Group.Links() {
		links = append(links, l)
	}
	return links
}

// pinThread binds the calling thread to a processor.
func pinThread(cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("binding a thread to processor %d: %w", cpu, err)
	}
	return nil
}

// Meet tells t of the interfaces that there are, before Follow does: what is
// exported next is on them when that has been done, and not a moment later.
func Meet(t *target.Target, log *logrus.Logger) {
	list, err := netio.List()
	if err != nil {
		log.WithError(err).Error("the network interfaces are not known yet; ports come up when they are")
	}
	for _, i := range list {
		t.InterfaceChanged(target.Interface(i))
	}
}

// Follow tells t of every interface and its changes until ctx ends. When the
// kernel gives no news it says so and asks again.
func Follow(ctx context.Context, t *target.Target, log *logrus.Logger) {
	for {
		err := netio.Watch(ctx, func(i netio.Interface) { t.InterfaceChanged(target.Interface(i)) }, t.InterfaceVanished)
		if ctx.Err() != nil {
			return
		}
		log.WithError(err).Error("no news of the network interfaces; asking again")
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

func lookupInterface(name string) (target.Interface, error) {
	i, err := netio.Lookup(name)
	if errors.Is(err, netio.ErrNoInterface) {
		return target.Interface{}, fmt.Errorf("%w: %q; `ip link` lists those there are", target.ErrNoInterface, name)
	}
	return target.Interface(i), err
}
