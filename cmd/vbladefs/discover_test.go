package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
)

// in runs the program in a namespace to its end.
func in(t *testing.T, ns netiotest.Netns, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := ns.Command(program, args...)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	var ended *exec.ExitError
	if err := cmd.Run(); errors.As(err, &ended) {
		code = ended.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return out.String(), complaints.String(), code
}

// segment makes namespaces whose eth0 are joined by a bridge.
func segment(t *testing.T, n int) []netiotest.Netns {
	t.Helper()
	hub := netiotest.New(t)
	hub.Run("ip", "link", "add", "br0", "type", "bridge")
	hub.Run("ip", "link", "set", "br0", "up")
	members := make([]netiotest.Netns, n)
	for i := range members {
		members[i] = netiotest.New(t)
		port := "port" + string(rune('0'+i))
		netiotest.Join(members[i], "eth0", hub, port, 1500)
		hub.Run("ip", "link", "set", port, "master", "br0")
	}
	return members
}

// vbladeOf starts Debian's vblade of a file in ns.
func vbladeOf(t *testing.T, ns netiotest.Netns, shelf, slot, file string) {
	t.Helper()
	need(t, "/usr/sbin/vblade")
	peer := ns.Command("/usr/sbin/vblade", shelf, slot, "eth0", file)
	if err := peer.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = peer.Process.Kill(); _ = peer.Wait() })
}

// TestDiscover looks at a segment with a target of ours and two vblades, one of
// which serves an address of ours.
func TestDiscover(t *testing.T) {
	t.Parallel()
	nodes := segment(t, 3)
	client, ours, theirs := nodes[0], nodes[1], nodes[2]
	d := serve(t, ours)
	path, _ := image(t, 2*mib)
	d.echo("add do "+path, "vblade/drives")
	d.echo("my serial", "vblade/do/serial")
	d.echo("add eth0 0 1", "vblade/do/ports")
	d.echo("a \"config\"", "targets/e0.1/config")
	table := func() []string {
		out, complaints, code := in(t, client, "discover", "-wait", "1s", "eth0")
		if code != 0 || complaints != "" {
			t.Errorf("%d: %s", code, complaints)
		}
		return lines(out)
	}
	got := table()
	if len(got) != 2 || !regexp.MustCompile(`^e0\.1 +eth0 +[0-9a-f:]{17} +2M +2 +64 +EtherDrive\(R\) vblade-kernel +my serial +"a \\"config\\""$`).MatchString(got[1]) {
		t.Errorf("one target: %q", got)
	}
	other, _ := image(t, mib)
	vbladeOf(t, theirs, "1", "7", other)
	d.await("vblade is found", func() bool { got = table(); return len(got) == 3 })
	if !strings.HasPrefix(got[2], "e1.7 ") || !strings.Contains(got[2], " 1M ") {
		t.Errorf("vblade's line: %q", got[2])
	}
	vbladeOf(t, theirs, "0", "1", other)
	d.await("the conflict is told", func() bool {
		out, complaints, code := in(t, client, "discover", "eth0")
		return code == 3 && strings.Count(out, " CONFLICT\n") == 2 && strings.Contains(complaints, "1 address is served by more than one target")
	})
	out, _, code := in(t, client, "discover", "-json", "eth0")
	var seen []map[string]any
	for _, line := range lines(out) {
		var s map[string]any
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatal(err)
		}
		seen = append(seen, s)
	}
	if code != 3 || len(seen) != 3 || seen[0]["conflict"] != true || seen[2]["address"] != "e1.7" || seen[2]["bytes"] != float64(mib) || seen[2]["conflict"] != false {
		t.Errorf("JSON: %d, %v", code, seen)
	}
	out, complaints, code := in(t, client, "ping", "-c", "2", "-i", "200ms", "eth0", "e0.1")
	if code != 0 || strings.Count(out, "e0.1 at ") != 4 || strings.Count(out, " DUP!") != 2 || !strings.Contains(out, "2 queries, 2 answered, +2 duplicates, 0% lost\n") {
		t.Errorf("ping of the conflict: %d, %s%s", code, out, complaints)
	}
}

// TestDiscoverWhatHides lists a target that does not say what it is.
func TestDiscoverWhatHides(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	d := serve(t, there)
	path, _ := image(t, mib)
	d.echo("add do "+path, "vblade/drives")
	d.echo("add eth0 0 1", "vblade/do/ports")
	d.echo("1", "vblade/do/pause")
	out, complaints, code := in(t, here, "discover", "eth0")
	if got := lines(out); code != 0 || len(got) != 2 || !strings.Contains(got[1], " ? ") || !strings.Contains(got[1], "no answer to IDENTIFY") {
		t.Errorf("%d: %s%s", code, out, complaints)
	}
}

func TestPing(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	out, complaints, code := in(t, here, "ping", "-c", "1", "-i", "50ms", "eth0", "0.1")
	if code != 1 || !strings.Contains(out, "1 queries, 0 answered, 100% lost") || !strings.Contains(complaints, "e0.1 does not answer on eth0") {
		t.Errorf("nobody there: %d, %s%s", code, out, complaints)
	}
	d := serve(t, there)
	path, _ := image(t, mib)
	d.echo("add "+path+" 0 1", "aoeserver")
	out, complaints, code = in(t, here, "ping", "-c", "3", "-i", "20ms", "eth0", "0.1")
	if code != 0 || strings.Count(out, "e0.1 at ") != 3 || !strings.Contains(out, "seq=3 buffers=") || !strings.Contains(out, "min/avg/max = ") {
		t.Errorf("ping: %d, %s%s", code, out, complaints)
	}
	out, complaints, code = in(t, here, "ping", "-c", "2", "-i", "50ms", "-read", "eth0", "e0.1")
	if code != 0 || strings.Count(out, "read 512 bytes time=") != 2 {
		t.Errorf("ping -read: %d, %s%s", code, out, complaints)
	}
	endless := start(t, here, "ping", "eth0", "0.1")
	endless.await("an answer", func() bool { return strings.Contains(endless.stderr.String(), "seq=1 ") })
	if code := endless.stop(syscall.SIGINT); code != 0 || !strings.Contains(endless.stderr.String(), " 0% lost\n") {
		t.Errorf("interrupted: %d, %s", code, endless.stderr)
	}
}

func TestSegmentUsage(t *testing.T) {
	t.Parallel()
	here := netiotest.New(t)
	for args, want := range map[string]string{
		"discover":                   "no interface",
		"discover -wait 0s eth0":     "-wait 0s: want more than 0",
		"ping eth0":                  "1 arguments, want two",
		"ping eth0 0.256":            "0.256",
		"ping -c -1 eth0 0.1":        "-c -1: want 0 or more",
		"ping -i 1us eth0 0.1":       "-i 1µs: want 1ms to 1h",
		"discover nosuch0":           "nosuch0",
		"ping nosuch0 0.1":           "nosuch0",
		"discover -wait 10ms -json ": "no interface",
	} {
		began := time.Now()
		_, complaints, code := in(t, here, strings.Fields(args)...)
		if code == 0 || !strings.Contains(complaints, want) {
			t.Errorf("%s: %d, %q, want %q", args, code, complaints, want)
		}
		if took := time.Since(began); took > patience {
			t.Errorf("%s took %s", args, took)
		}
	}
}
