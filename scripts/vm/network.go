package vm

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Names of the interfaces of every Network.
const (
	TargetIf = "eth0" // for the target
	OtherIf  = "eth1" // a second leg on the same segment, for host programs that play the initiator
	TapIf    = "tap0" // the guest's
)

// Network is one Ethernet segment in a network namespace of its own:
//
//	target ─ eth0 ─ p0 ┐
//	aoeping─ eth1 ─ p1 ┼ br0
//	guest  ─  tap0 ────┘
//
// The namespace has no name below /run/netns and lives only as long as the processes in it. So nothing of it stays, even
// when the test is killed.
type Network struct {
	holder *exec.Cmd
	exited chan struct{}
}

// NewNetwork makes a segment whose interfaces all have the given MTU.
func NewNetwork(mtu int) (*Network, error) {
	holder := exec.Command("sleep", "infinity")
	holder.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET,
		Pdeathsig:  syscall.SIGKILL,
		Setpgid:    true, // an interrupt at the terminal is ours to handle
	}
	if err := holder.Start(); err != nil {
		return nil, fmt.Errorf("make a network namespace: %w (root is needed)", err)
	}
	n := &Network{holder: holder, exited: make(chan struct{})}
	go func() {
		holder.Wait() //nolint:errcheck // it ends because we kill it
		close(n.exited)
	}()
	if err := n.build(mtu); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

func (n *Network) build(mtu int) error {
	commands := []string{
		"link set lo up",
		"link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
		fmt.Sprintf("link add %s mtu %d type veth peer name p0 mtu %[2]d", TargetIf, mtu),
		fmt.Sprintf("link add %s mtu %d type veth peer name p1 mtu %[2]d", OtherIf, mtu),
		fmt.Sprintf("tuntap add dev %s mode tap", TapIf),
		fmt.Sprintf("link set %s mtu %d", TapIf, mtu),
		"link set p0 master br0", "link set p1 master br0", "link set " + TapIf + " master br0",
	}
	for _, name := range []string{"br0", "p0", "p1", TapIf, TargetIf, OtherIf} {
		// No IPv6: its announcements are noise, and its timers busy the machine.
		commands = append(commands, "link set "+name+" addrgenmode none", "link set "+name+" up")
	}
	return n.IP(commands...)
}

// IP runs ip(8) commands (without the word ip) in the namespace, in order, up to the first that fails.
func (n *Network) IP(commands ...string) error {
	cmd := n.Command(context.Background(), "ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ip -batch: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// Netns is the namespace's path, for nsenter --net=PATH and for Config. It is valid until Close.
func (n *Network) Netns() string {
	return fmt.Sprintf("/proc/%d/ns/net", n.holder.Process.Pid)
}

// Command is exec.CommandContext in the namespace: the mounts stay the caller's, as `ip netns exec` would not have it.
// The program is sent SIGTERM when ctx ends and when this process dies, and killed 10 s after the former.
func (n *Network) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"--net=" + n.Netns(), "--", name}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// Close removes the segment. Programs that still run in it keep it alive until they end. It may be called again.
func (n *Network) Close() error {
	n.holder.Process.Kill() //nolint:errcheck // it may have been killed by somebody else
	<-n.exited
	return nil
}
