package netio

import (
	"bufio"
	"os"
	"strings"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
)

// holder makes this test binary open an xdp link and wait to be killed.
const holder = "NETIO_XDP_HOLDER"

// TestXDPGoesWithTheProcess kills one that has a link open: nothing of it stays on the interface.
func TestXDPGoesWithTheProcess(t *testing.T) {
	if os.Getenv(holder) != "" {
		l, err := Open("eth0", Options{Kind: "xdp"})
		if err != nil || l.Kind() != "xdp" {
			t.Fatal(l, err)
		}
		os.Stdout.WriteString("\nopen\n")
		time.Sleep(time.Hour)
	}
	ns, _ := netiotest.Pair(t, 9000)
	child := ns.Command(os.Args[0], "-test.run=^TestXDPGoesWithTheProcess$")
	child.Env = append(os.Environ(), holder+"=1")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "open" {
	}
	if !attached(t, ns) {
		t.Error("no program on the interface while the link is open")
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err == nil {
		t.Error("the process ended by itself")
	}
	for end := time.Now().Add(patience); attached(t, ns); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the program outlives its process")
		}
	}
	openIn(t, ns, "eth0", Options{Kind: "xdp"}) // and the queue is free
}

func attached(t *testing.T, ns netiotest.Netns) bool {
	t.Helper()
	out, err := ns.Command("ip", "link", "show", "eth0").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(out), "prog/xdp")
}
