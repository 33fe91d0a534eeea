package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vbladefs/disk/disktest"
)

// rig is a machine within the machine: a network and a mount namespace with a
// file system in memory. Only the thread that made it, and the children of that,
// are in there; with them all of it vanishes, however this ends.
type rig struct {
	program string // the daemon
	dir     string // in memory, empty at first
	undo    []func() error
	pairs   int
	daemons int
	disks   int
}

// memory is where the rig has its file system.
const memory = "/dev/shm"

// newRig moves the calling goroutine into new namespaces, for good: its thread
// ends with it.
func newRig(program string) (*rig, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("must be root: it makes namespaces, mounts and loop devices")
	}
	program, err := filepath.Abs(program)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(program); err != nil {
		return nil, fmt.Errorf("the daemon: %w; run: make build", err)
	}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS); err != nil {
		return nil, fmt.Errorf("making namespaces: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return nil, fmt.Errorf("making mounts private: %w", err)
	}
	if err := unix.Mount("torture", memory, "tmpfs", 0, "mode=700"); err != nil {
		return nil, fmt.Errorf("mounting a tmpfs on %s: %w", memory, err)
	}
	// No router solicitations among the frames.
	_ = os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0)
	return &rig{program: program, dir: memory}, nil
}

// later has close call f, the last one first.
func (r *rig) later(f func() error) { r.undo = append(r.undo, f) }

// close ends and detaches what there is; the rest goes with the namespaces.
func (r *rig) close() error {
	var errs []error
	for n := len(r.undo); n > 0; n-- {
		errs = append(errs, r.undo[n-1]())
	}
	r.undo = nil
	return errors.Join(errs...)
}

// folder makes a folder in memory.
func (r *rig) folder(name string) (string, error) {
	dir := filepath.Join(r.dir, name)
	return dir, os.MkdirAll(dir, 0o700)
}

// loop attaches a file to a loop device.
func (r *rig) loop(file string, options ...string) (string, error) {
	out, err := tool("losetup", append(append([]string{"-f", "--show"}, options...), file)...)
	if err != nil {
		return "", err
	}
	device := strings.TrimSpace(out)
	r.later(func() error {
		_, err := tool("losetup", "-d", device)
		return err
	})
	return device, nil
}

// disk is one with faults, a file of a FUSE file system that this process serves.
// The thread of the rig must leave it alone.
func (r *rig) disk(content []byte) (*disktest.Disk, error) {
	r.disks++
	dir, err := r.folder(fmt.Sprintf("disk-%d", r.disks))
	if err != nil {
		return nil, err
	}
	d, err := disktest.Mount(dir, content)
	if err == nil {
		r.later(d.Close)
	}
	return d, err
}

// tool runs a program in the rig and returns what it says.
func tool(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// pair makes a veth pair, both ends up and of that MTU, and waits until they
// carry frames.
func (r *rig) pair(a, b string, mtu int) error {
	// Ends of different index: those of equal one take a second to come up.
	r.pairs++
	attrs := netlink.LinkAttrs{Name: a, MTU: mtu, Index: 100 + 2*r.pairs}
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: b, PeerMTU: uint32(mtu)}); err != nil {
		return fmt.Errorf("making the veth pair %s, %s: %w", a, b, err)
	}
	for _, name := range []string{a, b} {
		link, err := netlink.LinkByName(name)
		if err == nil {
			err = netlink.LinkSetUp(link)
		}
		if err != nil {
			return fmt.Errorf("setting %s up: %w", name, err)
		}
	}
	for _, name := range []string{a, b} {
		if err := awaitRunning(name); err != nil {
			return err
		}
	}
	return nil
}

func awaitRunning(netif string) error {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		ifi, err := net.InterfaceByName(netif)
		switch {
		case err != nil:
			return err
		case ifi.Flags&net.FlagRunning != 0:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("interface %s does not run: %v", netif, ifi.Flags)
		}
	}
}

// setMAC gives an interface that is up another address.
func setMAC(netif string, mac net.HardwareAddr) error {
	link, err := netlink.LinkByName(netif)
	if err == nil {
		err = netlink.LinkSetHardwareAddr(link, mac)
	}
	if err != nil {
		return fmt.Errorf("address of %s: %w", netif, err)
	}
	return nil
}
