package daemon

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"vbladefs/target/aoe"
)

func TestClaim(t *testing.T) {
	netif := fmt.Sprintf("claim%d", os.Getpid())
	addr := aoe.Addr{Shelf: 7, Slot: 1}
	first, err := NewClaim(netif, addr)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := NewClaim(netif, addr); !errors.Is(err, ErrClaimed) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
			t.Errorf("claimed again: %v, want %v and the process", err, ErrClaimed)
		}
	}
	for _, other := range []struct {
		netif string
		addr  aoe.Addr
	}{{netif + "x", addr}, {netif, aoe.Addr{Shelf: 7, Slot: 2}}} {
		c, err := NewClaim(other.netif, other.addr)
		if err != nil {
			t.Errorf("%s on %s: %v", other.addr, other.netif, err)
		}
		_ = c.Close()
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := NewClaim(netif, addr)
	if err != nil {
		t.Fatalf("after it was given free: %v", err)
	}
	_ = again.Close()
}

// TestClaimOfAnybody has a user who is not root in the way.
func TestClaimOfAnybody(t *testing.T) {
	const key = "VBLADEFS_TEST_CLAIM"
	if name := os.Getenv(key); name != "" {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: name})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("ready")
		_, _ = os.Stdin.Read(make([]byte, 1))
		_ = l.Close()
		return
	}
	netif := fmt.Sprintf("nobody%d", os.Getpid())
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestClaimOfAnybody$", "-test.v")
	cmd.Env = append(os.Environ(), key+"=@vbladefs e7.1 on "+netif)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close(); _ = cmd.Wait() }()
	var said []byte
	for buf := make([]byte, 256); !strings.Contains(string(said), "ready"); {
		n, err := out.Read(buf)
		said = append(said, buf[:n]...)
		if err != nil {
			t.Fatalf("the other user: %v\n%s", err, said)
		}
	}
	c, err := NewClaim(netif, aoe.Addr{Shelf: 7, Slot: 1})
	if err != nil {
		t.Errorf("nobody keeps root from serving: %v", err)
	}
	_ = c.Close()
}
