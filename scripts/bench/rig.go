package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// memory is where the rig has a file system of its own, in memory.
const memory = "/dev/shm"

// mtu is that of every interface: 4 and 8 KiB fit into one frame.
const mtu = 9000

// rig is a machine within the machine: a network namespace with veth pairs, and
// a mount namespace with files in memory. Only the thread that made it, and the
// children of that, are in there; with them all of it vanishes.
type rig struct {
	ctx      context.Context
	vbladefs string
	aoebench string
	scratch  string // on a disk
	targets  unix.CPUSet
	clients  unix.CPUSet
	all      unix.CPUSet
	pairs    int
	alive    []*process
	started  int
}

// newRig moves the calling thread, which must be the main goroutine's own, into
// new namespaces.
func newRig(ctx context.Context, o *options) (*rig, error) {
	r := &rig{ctx: ctx}
	if os.Geteuid() != 0 {
		return nil, errors.New("must be root: it makes a network namespace and mounts")
	}
	var err error
	for program, path := range map[string]*string{"vbladefs": &r.vbladefs, "aoebench": &r.aoebench} {
		if *path, err = filepath.Abs(filepath.Join(o.bin, program)); err != nil {
			return nil, err
		}
		if _, err := os.Stat(*path); err != nil {
			return nil, fmt.Errorf("%w; run: make build", err)
		}
	}
	if o.disk {
		if r.scratch, err = filepath.Abs(o.dir); err != nil {
			return nil, err
		}
	}
	if err := unix.SchedGetaffinity(0, &r.all); err != nil {
		return nil, fmt.Errorf("sched_getaffinity: %w", err)
	}
	first, last := -1, 0
	for cpu := range len(r.all) * 64 {
		if r.all.IsSet(cpu) {
			if last = cpu; first < 0 {
				first = cpu
			}
		}
	}
	r.targets.Set(first)
	r.clients.Set(last)
	raiseFileLimit()
	return r, isolate()
}

// raiseFileLimit lets a target hold as many files as the machine allows.
func raiseFileLimit() {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return
	}
	wide := unix.Rlimit{Cur: max(limit.Max, 1<<17), Max: max(limit.Max, 1<<17)}
	if unix.Setrlimit(unix.RLIMIT_NOFILE, &wide) != nil {
		limit.Cur = limit.Max
		_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	}
}

// isolate gives the thread its namespaces, and memory its own file system there.
func isolate() error {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("making namespaces: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	if err := unix.Mount("bench", memory, "tmpfs", 0, "mode=700"); err != nil {
		return fmt.Errorf("mounting a tmpfs on %s: %w", memory, err)
	}
	// No router solicitations among the frames.
	_ = os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0)
	return nil
}

// close ends what is still running. The rest goes with the namespaces.
func (r *rig) close() error {
	for len(r.alive) > 0 {
		r.alive[len(r.alive)-1].stop()
	}
	return nil
}

// pair is the n-th veth pair: the target's end and the client's.
func (r *rig) pair(n int) (target, client string, err error) {
	target, client = fmt.Sprintf("t%d", n), fmt.Sprintf("c%d", n)
	for ; r.pairs <= n; r.pairs++ {
		if err := makePair(fmt.Sprintf("t%d", r.pairs), fmt.Sprintf("c%d", r.pairs)); err != nil {
			return "", "", err
		}
	}
	return target, client, nil
}

// nextIndex is that of the next end of a pair. Ends have different ones: those of
// equal index, as in namespaces of their own, take a second to come up.
var nextIndex = 100

func makePair(target, client string) error {
	attrs := netlink.LinkAttrs{Name: target, MTU: mtu, Index: nextIndex}
	nextIndex += 2
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: client, PeerMTU: mtu}); err != nil {
		return fmt.Errorf("making the veth pair %s, %s: %w", target, client, err)
	}
	for _, name := range []string{target, client} {
		link, err := netlink.LinkByName(name)
		if err == nil {
			err = netlink.LinkSetUp(link)
		}
		if err != nil {
			return fmt.Errorf("setting %s up: %w", name, err)
		}
	}
	for _, name := range []string{target, client} {
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			ifi, err := net.InterfaceByName(name)
			if err != nil {
				return err
			}
			if ifi.Flags&net.FlagRunning != 0 {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("interface %s does not run: %v", name, ifi.Flags)
			}
		}
	}
	return nil
}

// find is a program in the places where administrators have theirs.
func find(program, group string) (string, error) {
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return filepath.Abs(path)
		}
	}
	return "", fmt.Errorf("%s is missing; run: scripts/setup.sh %s", program, group)
}
