package netiotest

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Netif is the name of the interface in each namespace of a Pair.
const Netif = "eth0"

// netifIndex is the index last given to an interface, above those that the kernel gives itself.
var netifIndex atomic.Int32

func init() { netifIndex.Store(100) }

// Netns is a network namespace that lasts as long as the test that made it. Copies mean the same one.
type Netns struct {
	Name string // as `ip netns` lists it
	t    testing.TB
}

// New makes an empty namespace with loopback up; t's cleanup removes it, with its interfaces.
func New(t testing.TB) Netns {
	t.Helper()
	RequireNetns(t)
	var random [4]byte
	rand.Read(random[:])
	ns := Netns{Name: fmt.Sprintf("vd-%d-%s", os.Getpid(), hex.EncodeToString(random[:])), t: t}
	run(t, exec.Command("ip", "netns", "add", ns.Name))
	done := Afterwards("ip netns del " + ns.Name)
	t.Cleanup(func() {
		run(t, exec.Command("ip", "netns", "del", ns.Name))
		done()
	})
	ns.Run("ip", "link", "set", "lo", "up")
	return ns
}

// Pair makes two namespaces joined by a veth pair whose ends are both named Netif, up, with that MTU.
func Pair(t testing.TB, mtu int) (a, b Netns) {
	t.Helper()
	a, b = New(t), New(t)
	Join(a, Netif, b, Netif, mtu)
	return a, b
}

// Join adds a veth pair, one end in each namespace (which may be the same), up, with that MTU.
func Join(a Netns, nameA string, b Netns, nameB string, mtu int) {
	a.t.Helper()
	size := fmt.Sprint(mtu)
	// Ends of equal index look like one interface to the kernel (linkwatch_urgent_event), which then takes a
	// second to say that they run.
	indexA, indexB := netifIndex.Add(1), netifIndex.Add(1)
	run(a.t, exec.Command("ip", "link", "add", "name", nameA, "index", fmt.Sprint(indexA), "mtu", size, "netns", a.Name,
		"type", "veth", "peer", "name", nameB, "index", fmt.Sprint(indexB), "mtu", size, "netns", b.Name))
	a.Run("ip", "link", "set", nameA, "up")
	b.Run("ip", "link", "set", nameB, "up")
	a.AwaitRunning(nameA)
	b.AwaitRunning(nameB)
}

// AwaitRunning waits until an interface that was set up carries frames. The kernel connects its queue a
// moment after its peer comes up, and silently drops what is sent before.
func (ns Netns) AwaitRunning(netif string) {
	ns.t.Helper()
	ns.Do(func() {
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			ifi, err := net.InterfaceByName(netif)
			if err != nil {
				ns.t.Fatal(err)
			}
			if ifi.Flags&net.FlagRunning != 0 {
				return
			}
			if time.Now().After(deadline) {
				ns.t.Fatalf("interface %s in %s is not running: %v", netif, ns.Name, ifi.Flags)
			}
		}
	})
}

// SetMTU changes the MTU of an interface.
func (ns Netns) SetMTU(netif string, mtu int) {
	ns.t.Helper()
	ns.Run("ip", "link", "set", netif, "mtu", fmt.Sprint(mtu))
}

// Command prepares a program that runs in the namespace. It keeps its mount namespace, which `ip netns
// exec` would replace: mounts that it makes are seen by others.
func (ns Netns) Command(name string, args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"--net=" + ns.path(), name}, args...)...)
}

// Run runs a program in the namespace; the test fails, with its output, if that does.
func (ns Netns) Run(name string, args ...string) {
	ns.t.Helper()
	run(ns.t, ns.Command(name, args...))
}

// Do calls f on a thread of its own that is in the namespace and ends after the call. Sockets that f
// opens stay in the namespace; goroutines that f starts are not in it. The test may fail in f (t.Fatal),
// and a panic in f is one in Do.
func (ns Netns) Do(f func()) {
	ns.t.Helper()
	var setup error
	var panicked any
	returned := false
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked, so the thread ends with the goroutine
		if setup = enter(ns.path()); setup != nil {
			return
		}
		defer func() {
			if !returned {
				panicked = recover() // nil when f ended its goroutine by t.Fatal
			}
		}()
		f()
		returned = true
	}()
	<-done
	switch {
	case setup != nil:
		ns.t.Fatalf("entering network namespace %s: %v", ns.Name, setup)
	case panicked != nil:
		panic(panicked)
	case !returned && ns.t.Skipped():
		runtime.Goexit()
	case !returned:
		ns.t.FailNow()
	}
}

func (ns Netns) path() string { return "/run/netns/" + ns.Name }

func enter(path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Setns(fd, unix.CLONE_NEWNET)
}

func run(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(cmd.Args, " "), err, out)
	}
}
