package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// DefaultMAC is the guest's hardware address unless Config gives one: locally administered, from QEMU's range.
const DefaultMAC = "52:54:00:a0:e0:01"

// Config says which guest to boot. Netns and Tap are required; zero values of the rest mean the default given.
type Config struct {
	Netns     string // path of the network namespace, such as /run/netns/NAME or Network.Netns
	Tap       string // name of a tap interface in it that exists and is up
	MTU       int    // of the guest's eth0, offered to it as the device's own; 1500. The tap must have it too
	MAC       string // of the guest's eth0; DefaultMAC
	MemoryMiB int    // 384
	// Programs of this machine, by name, that the guest has besides its own, each with the libraries that it needs.
	Programs []string
	// ConsoleLog is the file that keeps everything the guest's kernel and /init and QEMU say. It is emptied first and stays
	// after Close. "" means a temporary file that Close removes.
	ConsoleLog string
}

// Guest is a running virtual machine. Its methods may be called from several goroutines; scripts run one at a time.
type Guest struct {
	console string
	dir     string // temporary files
	cmd     *exec.Cmd
	channel net.Conn
	exited  chan struct{}

	mu   sync.Mutex // one script at a time
	lost error      // why the channel is out of step, once it is
}

// Boot starts a guest and returns when it runs scripts: interfaces up, aoe loaded and its first discovery sent.
// It fetches the kernel first if the cache lacks it. An error carries the end of the console log.
func Boot(ctx context.Context, config Config) (*Guest, error) {
	k, err := prepareKernel(ctx, CacheDir())
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "vbladefs-vm-")
	if err != nil {
		return nil, err
	}
	g := &Guest{dir: dir, console: config.ConsoleLog, exited: make(chan struct{})}
	if g.console == "" {
		g.console = filepath.Join(dir, "console.log")
	}
	if err := g.start(k, config); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	if err := g.during(ctx, func() error { return readReady(g.channel) }); err != nil {
		err = fmt.Errorf("boot the guest: %w%s", err, g.consoleTail())
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

func (g *Guest) start(k *kernel, config Config) error {
	initramfs := filepath.Join(g.dir, "initramfs")
	file, err := os.Create(initramfs)
	if err != nil {
		return err
	}
	if err := errors.Join(writeInitramfs(file, k, config.Programs), file.Close()); err != nil {
		return err
	}
	console, err := os.Create(g.console)
	if err != nil {
		return err
	}
	defer console.Close()
	channel, far, err := socketPair()
	if err != nil {
		return err
	}
	defer far.Close()
	args := append([]string{"--net=" + config.Netns, "--"}, qemuCommand(k, initramfs, config)...)
	g.cmd = exec.Command("nsenter", args...)
	g.cmd.Stdout, g.cmd.Stderr = console, console
	g.cmd.ExtraFiles = []*os.File{far} // descriptor 3 of the child
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := g.cmd.Start(); err != nil {
		channel.Close()
		return err
	}
	g.channel = channel
	go func() {
		g.cmd.Wait() //nolint:errcheck // its end is what counts; the console says why
		close(g.exited)
	}()
	return nil
}

// qemuCommand uses emulation only, and no option ROM for the network: we do not boot from it.
func qemuCommand(k *kernel, initramfs string, config Config) []string {
	mtu, mac, memory := config.MTU, config.MAC, config.MemoryMiB
	if mtu == 0 {
		mtu = 1500
	}
	if mac == "" {
		mac = DefaultMAC
	}
	if memory == 0 {
		memory = 384
	}
	return []string{
		"qemu-system-x86_64", "-accel", "tcg", "-machine", "pc", "-cpu", "max", "-smp", "1", "-m", strconv.Itoa(memory),
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio",
		"-kernel", k.image(), "-initrd", initramfs,
		"-append", fmt.Sprintf("console=ttyS0 panic=-1 quiet loglevel=6 guest.mtu=%d", mtu),
		"-netdev", "tap,id=net,script=no,downscript=no,ifname=" + config.Tap,
		"-device", fmt.Sprintf("virtio-net-pci,netdev=net,romfile=,host_mtu=%d,mac=%s", mtu, mac),
		"-chardev", "socket,id=scripts,fd=3",
		"-device", "virtio-serial-pci", "-device", "virtserialport,chardev=scripts",
	}
}

// socketPair returns our end of a connected pair, and the other one for a child to inherit.
func socketPair() (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	near, far := os.NewFile(uintptr(fds[0]), "near"), os.NewFile(uintptr(fds[1]), "far")
	defer near.Close() // FileConn duplicates it
	channel, err := net.FileConn(near)
	if err != nil {
		far.Close()
		return nil, nil, err
	}
	return channel, far, nil
}

// Run runs a script of the guest's shell (busybox sh, as root, in /) and returns what it printed to standard output
// and error, and its exit code. A script that ends with a code other than 0 is no error.
//
// After an error (the guest died, or ctx ended first) the output so far is returned, the error carries the end of the
// console log, and the guest runs no more scripts.
func (g *Guest) Run(ctx context.Context, script string) (output string, exit int, err error) {
	var out bytes.Buffer
	exit, err = g.RunTo(ctx, script, &out)
	return out.String(), exit, err
}

// RunTo is Run with the output written to out as it comes.
func (g *Guest) RunTo(ctx context.Context, script string, out io.Writer) (exit int, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.lost != nil {
		return 0, fmt.Errorf("the guest is out of use since: %w", g.lost)
	}
	err = g.during(ctx, func() (err error) {
		exit, err = converse(g.channel, script, out)
		return err
	})
	if err != nil {
		g.lost = err
		return 0, fmt.Errorf("%w%s", err, g.consoleTail())
	}
	return exit, nil
}

// during runs a conversation with the guest and breaks it off when ctx ends.
func (g *Guest) during(ctx context.Context, talk func() error) error {
	stop := context.AfterFunc(ctx, func() { g.channel.SetDeadline(time.Unix(1, 0)) })
	err := talk()
	if stop(); err != nil && ctx.Err() != nil {
		return fmt.Errorf("waiting for the guest: %w", context.Cause(ctx))
	}
	return err
}

// ConsoleLog is the file that holds the guest's console.
func (g *Guest) ConsoleLog() string { return g.console }

// Close ends the guest at once, as a power cut would, and removes the temporary files. It may be called again.
func (g *Guest) Close() error {
	g.channel.Close()
	g.cmd.Process.Kill() //nolint:errcheck // it may have ended by itself
	<-g.exited
	return os.RemoveAll(g.dir)
}

// consoleTail gives the last lines of the console for an error message.
func (g *Guest) consoleTail() string {
	const lines = 30
	text, err := os.ReadFile(g.console)
	if err != nil {
		return fmt.Sprintf("\n(no console log: %v)", err)
	}
	all := strings.Split(strings.TrimSpace(strings.ReplaceAll(string(text), "\r", "")), "\n")
	return "\nend of the console log:\n  " + strings.Join(all[max(0, len(all)-lines):], "\n  ")
}
