package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/netio/netiotest"
)

// watched is a daemon with one export, and a client of it.
func watched(t *testing.T, flags ...string) (d *daemon, c *client, here netiotest.Netns) {
	t.Helper()
	here, there := netiotest.Pair(t, 9000)
	d = serve(t, here, flags...)
	path, _ := image(t, mib)
	d.echo("add do "+path, "vblade/drives")
	d.echo("add eth0 0 1", "vblade/do/ports")
	return d, connect(t, there, "eth0"), here
}

// subcommand runs a sub-command to its end.
func subcommand(t *testing.T, args ...string) (stdout string, code int) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// TestStatus: what is said of exports, and the exit code, are what a script expects.
func TestStatus(t *testing.T) {
	t.Parallel()
	d, c, here := watched(t)
	c.discovers("0.1")
	want := func(code int, says ...string) {
		t.Helper()
		out, got := subcommand(t, "status", d.dir)
		for _, s := range says {
			if !strings.Contains(out, s) {
				t.Errorf("status says %q without %q", out, s)
			}
		}
		if got != code {
			t.Errorf("exit code %d, want %d:\n%s", got, code, out)
		}
		if out, got := subcommand(t, "status", "-quiet", d.dir); got != code || out != "" {
			t.Errorf("quiet: exit code %d, %q", got, out)
		}
		var s struct {
			Health  string
			Exports []struct{ Address, Health, Drive, Reason string }
		}
		out, got = subcommand(t, "status", "--json", d.dir)
		if err := json.Unmarshal([]byte(out), &s); err != nil || got != code || len(s.Exports) != 1 || s.Exports[0].Address != "e0.1" {
			t.Errorf("exit code %d, %v: %s", got, err, out)
		}
	}
	want(0, "e0.1   ok     do", "1 exports: 1 ok")
	here.Run("ip", "link", "set", "lo", "up")
	d.echo("add lo 0 1", "vblade/do/ports")
	want(0)
	here.Run("ip", "link", "set", "lo", "down")
	d.await("one interface is down", func() bool { return strings.HasPrefix(d.read("interfaces/lo/link"), "down") })
	want(1, "e0.1   degraded do    port on lo: interface lo is down", "1 exports: 0 ok, 1 degraded, 0 down")
	d.echo("1", "vblade/do/pause")
	want(2, "down", "drive do is paused")
	d.echo("0", "vblade/do/pause")
	d.echo("del lo 0 1", "vblade/do/ports")
	here.Run("ip", "link", "set", "eth0", "down")
	d.await("the interface is down", func() bool { return strings.HasPrefix(d.read("interfaces/eth0/link"), "down") })
	want(2, "e0.1   down", "port on eth0: interface eth0 is down")
	if out, code := subcommand(t, "status", t.TempDir()); code != 2 || out != "" {
		t.Errorf("without a daemon: exit code %d, %q", code, out)
	}
}

// TestTop: top shows what a client does, as text and as JSON.
func TestTop(t *testing.T) {
	t.Parallel()
	d, c, _ := watched(t)
	stop := load(t, c)
	defer stop()
	out, code := subcommand(t, "top", "--once", "--json", "-interval", "300ms", d.dir)
	var report struct {
		Exports, Initiators, Interfaces []map[string]any
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || code != 0 {
		t.Fatalf("%v, exit code %d: %s", err, code, out)
	}
	if len(report.Exports) != 1 || report.Exports[0]["reads_per_s"].(float64) <= 0 || report.Exports[0]["read_latency_ns"].(float64) <= 0 ||
		len(report.Initiators) != 1 || report.Initiators[0]["read_bytes_per_s"].(float64) <= 0 || report.Initiators[0]["mac"] != c.mac.String() ||
		len(report.Interfaces) != 1 || report.Interfaces[0]["sent_frames_per_s"].(float64) <= 0 {
		t.Errorf("a load does not show: %s", out)
	}
	out, code = subcommand(t, "top", "-once", "-interval", "100ms", "-view", "initiators", "-sort", "r/s", d.dir)
	if code != 0 || !strings.Contains(out, "INITIATOR") || !strings.Contains(out, c.mac.String()) || strings.Contains(out, "DRIVE") {
		t.Errorf("exit code %d: %s", code, out)
	}
	for _, wrong := range [][]string{{"-view", "disks"}, {"-sort", "speed"}, {"-interval", "1ms"}, {"a", "b"}} {
		if _, code := subcommand(t, append([]string{"top"}, wrong...)...); code != 2 {
			t.Errorf("top %q: exit code %d, want 2", wrong, code)
		}
	}
	if _, code := subcommand(t, "top", "-once", t.TempDir()); code != 1 {
		t.Errorf("without a daemon: exit code %d, want 1", code)
	}
}

// load has a client read until stop.
func load(t *testing.T, c *client) (stop func()) {
	t.Helper()
	x := c.open("0.1")
	b := make([]byte, 64<<10)
	if _, err := x.ReadAt(b, 0); err != nil { // an initiator is listed once data was transferred for it
		t.Fatal(err)
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			default:
			}
			if _, err := x.ReadAt(b, 0); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	return func() { close(end); <-ended }
}

// TestTopOnATerminal uses top as somebody at a terminal does, and finds the terminal as it
// was afterwards.
func TestTopOnATerminal(t *testing.T) {
	t.Parallel()
	d, c, _ := watched(t)
	stop := load(t, c)
	defer stop()
	keyboard, tty := terminal(t)
	defer tty.Close()
	if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 100}); err != nil {
		t.Fatal(err)
	}
	before, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "top", "-interval", "100ms", d.dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	said := saidOn(keyboard)
	for _, step := range []struct{ keys, answer string }{
		{"", "e0.1"}, {"h", "most first again"}, {"x", "EXPORT"}, {"n", "INITIATOR"}, {"", c.mac.String()}, {"i", "RXMB/S"}, {"e", "FLAT"},
		{">", "W/S*"}, {"/nothing", "filter: nothing"}, {"\r", "filter: nothing  h: help"}, {"\x1b", "e0.1"}, {" ", "paused"},
	} {
		from := len(said.String())
		if _, err := keyboard.WriteString(step.keys); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(patience); !strings.Contains(said.String()[from:], step.answer); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("after %q no %q:\n%q", step.keys, step.answer, said.String()[from:])
			}
		}
	}
	if _, err := keyboard.WriteString("q"); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	after, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil || *after != *before {
		t.Errorf("the terminal was %+v, is %+v, %v", before, after, err)
	}
	for end := time.Now().Add(patience); !strings.HasSuffix(said.String(), "\x1b[?25h\x1b[?1049l"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the screen is not given back: %q", said.String())
		}
	}
}

// TestTraceOfAnExport: once it is asked for, cat shows the last requests of a client, and
// ends; tail -f shows each as it comes, also when the next recording begins.
func TestTraceOfAnExport(t *testing.T) {
	t.Parallel()
	d, c, _ := watched(t)
	x, trace := c.open("0.1"), "targets/e0.1/trace"
	reads := func(lbas ...int) {
		t.Helper()
		for _, lba := range lbas {
			if _, err := x.ReadAt(make([]byte, 512), 512*int64(lba)); err != nil {
				t.Fatal(err)
			}
		}
	}
	reads(1)
	if got := d.read(trace); got != "" {
		t.Errorf("before it is asked for: %q", got)
	}
	d.echo("1 3", trace)
	reads(2)
	if got, want := d.read(trace), " "+c.mac.String()+" eth0 read 2 1 ok "; strings.Count(got, "\n") != 1 || !strings.Contains(got, want) {
		t.Errorf("got %q, want a line with %q", got, want)
	}
	tail := exec.Command("tail", "-f", "-s", "0.1", d.dir+"/"+trace)
	said := &output{}
	tail.Stdout, tail.Stderr = said, said
	if err := tail.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tail.Process.Kill(); _ = tail.Wait() }()
	shows := func(want string) {
		t.Helper()
		d.await("tail shows "+want, func() bool { return strings.Contains(said.String(), want) })
	}
	shows(" read 2 1 ok ")
	for lba := range 5 {
		reads(10 + lba)
		shows(fmt.Sprintf(" read %d 1 ok ", 10+lba))
	}
	if _, err := x.WriteAt(make([]byte, 512), 0); err != nil {
		t.Fatal(err)
	}
	shows(" write 0 1 ok ")
	if got := said.String(); strings.Count(got, "\n") != 7 || strings.Contains(got, "truncated") {
		t.Errorf("tail says %q", got)
	}
	lines := strings.SplitAfter(d.read(trace), "\n")
	if len(lines) != 5 || lines[0] != "# 4 requests are not kept\n" || !strings.Contains(lines[1], " read 13 1 ok ") || !strings.Contains(lines[3], " write 0 1 ok ") {
		t.Errorf("the last three: %q", lines)
	}
	d.echo("0", trace)
	reads(20)
	if got := d.read(trace); strings.Contains(got, "read 20 ") || !strings.Contains(got, " write 0 1 ok ") {
		t.Errorf("after the end: %q", got)
	}
	d.echo("1", trace)
	reads(21)
	shows(" read 21 1 ok ")
	if got := d.read(trace); strings.Count(got, "\n") != 1 {
		t.Errorf("the next recording: %q", got)
	}
	if latency := d.read("targets/e0.1/latency"); !strings.Contains(latency, "write count 1\n") || !strings.Contains(latency, "read count 9\n") {
		t.Errorf("latency says\n%s", latency)
	}
}
