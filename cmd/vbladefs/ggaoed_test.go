package main_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
	"vbladefs/target/ata"
)

// gg is a ggaoed with its files in a folder of its own.
type gg struct {
	*foreground
	dir, ctl, config string
	ns               netiotest.Netns
}

// ggaoed starts one, in the foreground, with the paths that config lacks.
func ggaoed(t *testing.T, ns netiotest.Netns, config string, options ...string) *gg {
	t.Helper()
	g := &gg{dir: t.TempDir(), ns: ns}
	g.config = filepath.Join(g.dir, "ggaoed.conf")
	if err := os.Mkdir(filepath.Join(g.dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	g.write(config)
	path := called(t, "ggaoed")
	g.ctl = filepath.Join(filepath.Dir(path), "ggaoectl")
	g.foreground = run(t, ns, "serving", path, append([]string{"-c", g.config, "-d"}, options...)...)
	return g
}

func (g *gg) path(name string) string { return filepath.Join(g.dir, name) }

// write replaces the configuration file.
func (g *gg) write(config string) {
	head := fmt.Sprintf("[defaults]\npid-file = %s\ncontrol-socket = %s\nstate-directory = %s\n", g.path("pid"), g.path("sock"), g.path("state"))
	if err := os.WriteFile(g.config, []byte(head+config), 0o600); err != nil {
		panic(err)
	}
}

// ask runs ggaoectl.
func (g *gg) ask(args ...string) string {
	g.t.Helper()
	out, err := g.ns.Command(g.ctl, append([]string{"-c", g.config}, args...)...).CombinedOutput()
	if err != nil {
		g.t.Fatalf("ggaoectl %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// reloads has the daemon read its file again, and waits until it has.
func (g *gg) reloads(how func(), want string) {
	g.t.Helper()
	before := strings.Count(g.stdout.String(), want)
	how()
	g.await("it says "+want, func() bool { return strings.Count(g.stdout.String(), want) > before })
}

func TestGgaoed(t *testing.T) {
	here, there := netiotest.Pair(t, 4200)
	disk, content := image(t, 1<<20)
	other, otherContent := image(t, 2<<20)
	g := ggaoed(t, here, fmt.Sprintf("[disk]\npath = %s\nshelf = 1\nslot = 2\nqueue-length = 20\n[locked]\npath = %s\nshelf = 1\nslot = 3\nread-only = true\ndirect-io = false\n", disk, other))
	c := connect(t, there, netiotest.Netif)
	found := c.discovers("1.2", "1.3")[0]
	if found.Buffers != 20 || found.Firmware != 0x0100 || found.Sectors != 8 {
		t.Errorf("config reply %+v, want 20 buffers, firmware 0x0100, 8 sectors", found)
	}
	x, locked := c.open("1.2"), c.open("1.3")
	if x.Identity.Model != "GGs AoE target" || x.Identity.Serial != "disk" {
		t.Errorf("identity %q %q", x.Identity.Model, x.Identity.Serial)
	}
	checkBytes(t, "1.2", readAll(t, x), content)
	checkBytes(t, "1.3", readAll(t, locked), otherContent)
	put(t, x, content, 8192, 65536)
	_, err := locked.WriteAt(random(512), 0)
	wantATAError(t, "a write to a read-only device", err, ata.ABRT)

	pid, _ := os.ReadFile(g.path("pid"))
	if want := fmt.Sprintln(g.cmd.Process.Pid); string(pid) != want {
		t.Errorf("pid file %q, want %q", pid, want)
	}
	stats := g.ask("stats", "disk")
	for _, want := range []string{"# Statistics for device disk\n", "\nread_bytes: 1048576\n", "\nwrite_bytes: 65536\n", "\nata_err: 0\n"} {
		if !strings.Contains(stats, want) {
			t.Errorf("stats lack %q:\n%s", want, stats)
		}
	}
	if strings.Contains(stats, "locked") || !strings.Contains(g.ask("stats"), "# Statistics for interface eth0\nrx_cnt: ") {
		t.Errorf("stats:\n%s", stats)
	}
	g.ask("clear-stats", "d*")
	if got := g.ask("stats", "disk", "locked"); !strings.Contains(got, "\nread_bytes: 0\n") || !strings.Contains(got, "\nread_bytes: 2097152\n") || !strings.Contains(got, "\nata_err: 1\n") {
		t.Errorf("stats after clear-stats:\n%s", got)
	}
	monitor := g.ns.Command("timeout", "-s", "INT", "1", g.ctl, "-c", g.config, "monitor", "0.1")
	if out, _ := monitor.Output(); bytes.Count(out, []byte("\nlocked ")) < 3 || !bytes.HasPrefix(out, []byte("dev      rrqm/s      rkB/s")) {
		t.Errorf("monitor:\n%s", out)
	}
	if out, err := g.ns.Command("bash", "-c", fmt.Sprintf("timeout 20 %s -c %s monitor 0.01 2>&1 | head -n 1", g.ctl, g.config)).Output(); err != nil || bytes.Count(out, []byte("\n")) != 1 {
		t.Errorf("monitor for one that leaves: %q, %v", out, err)
	}
	if left, _ := filepath.Glob(g.path("sock.*")); len(left) > 0 {
		t.Errorf("ggaoectl left %v", left)
	}
	if code := g.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, name := range []string{"pid", "sock"} {
		if _, err := os.Lstat(g.path(name)); err == nil {
			t.Errorf("%s is there still", name)
		}
	}
}

// TestGgaoedState has what initiators set survive in files of the original's
// format, an existing directory taken over, and ggaoectl show and clear it.
func TestGgaoedState(t *testing.T) {
	here, there := netiotest.Pair(t, 1500)
	disk, _ := image(t, 1<<20)
	config := fmt.Sprintf("[a b]\npath = %s\nshelf = 0\nslot = 0\n", disk)
	g := ggaoed(t, here, config)
	c := connect(t, there, netiotest.Netif)
	x := c.open("0.0")
	if _, err := x.Config(aoe.ConfigSet, "hello"); err != nil {
		t.Fatal(err)
	}
	others := aoe.MAC{2, 0, 0, 0, 0, 9}
	if _, err := x.MaskList(initiator.MaskEdit{Do: aoe.MaskAdd, MAC: others}, initiator.MaskEdit{Do: aoe.MaskAdd, MAC: c.mac}); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Reserve(aoe.ReserveForceSet, c.mac); err != nil {
		t.Fatal(err)
	}
	if got, want := g.ask("show-config"), "Device a b:\n68 65 6c 6c 6f                                   hello\n\n"; got != want {
		t.Errorf("show-config:\n%q, want\n%q", got, want)
	}
	if got := g.ask("show-macmask", "a*"); !strings.Contains(got, others.String()+" ") || !strings.Contains(got, c.mac.String()+" ") {
		t.Errorf("show-macmask:\n%s", got)
	}
	reserve := fmt.Sprintf("Device a b:\n%s \n\n", c.mac)
	if got := g.ask("show-reserve"); got != reserve {
		t.Errorf("show-reserve:\n%q, want\n%q", got, reserve)
	}
	g.stop(syscall.SIGKILL)

	file, err := os.ReadFile(g.path("state/a b.config"))
	if err != nil || len(file) != 1032 || binary.LittleEndian.Uint32(file) != 0x38a0bfae || string(file[8:13]) != "hello" {
		t.Fatalf("config file: %v, % x …", err, file[:min(len(file), 16)])
	}
	copy(file[8:], "HELLO") // as another daemon would have left it
	if err := os.WriteFile(g.path("state/a b.config"), file, 0o600); err != nil {
		t.Fatal(err)
	}
	again := run(t, here, "serving", filepath.Join(filepath.Dir(g.ctl), "ggaoed"), "-c", g.config, "-d")
	if !strings.Contains(again.stdout.String(), "Overriding stale lock file") {
		t.Error("nothing is said of the pid file that was left")
	}
	if found := c.discovers("0.0"); found[0].Config != "HELLO" {
		t.Errorf("config string %q", found[0].Config)
	}
	if got := g.ask("show-reserve"); got != reserve {
		t.Errorf("show-reserve after a restart:\n%q", got)
	}
	g.ask("clear-config", "a b")
	g.ask("clear-macmask", "*")
	g.ask("clear-reserve", "*")
	if got := g.ask("show-config") + g.ask("show-macmask") + g.ask("show-reserve"); got != strings.Repeat("Device a b:\n\n", 3) {
		t.Errorf("after clear-…:\n%q", got)
	}
	again.stop(syscall.SIGTERM)
	if file, err := os.ReadFile(g.path("state/a b.config")); err != nil || binary.LittleEndian.Uint32(file[4:]) != 0 {
		t.Errorf("config file: %v", err)
	}
}

// TestGgaoedReloads changes everything under load: a client that reads and
// writes all the time notices nothing.
func TestGgaoedReloads(t *testing.T) {
	here, there := netiotest.Pair(t, 4200)
	disk, content := image(t, 4<<20)
	other, _ := image(t, 1<<20)
	device := func(more string) string {
		return fmt.Sprintf("[disk]\npath = %s\nshelf = 1\nslot = 2\n%s\n", disk, more)
	}
	g := ggaoed(t, here, device(""))
	c := connect(t, there, netiotest.Netif)
	c.discovers("1.2")
	ends, done := make(chan struct{}), make(chan error, 1)
	loader := connect(t, there, netiotest.Netif).open("1.2")
	go func() {
		for at := 0; ; at = (at + 65536) % len(content) {
			select {
			case <-ends:
				done <- nil
				return
			default:
			}
			copy(content[at:], random(4096))
			_, err := loader.WriteAt(content[at:at+4096], int64(at))
			got := make([]byte, 4096)
			if err == nil {
				_, err = loader.ReadAt(got, int64(at))
			}
			if err == nil && !bytes.Equal(got, content[at:at+4096]) {
				err = fmt.Errorf("what was written at %d is not what is read", at)
			}
			if err != nil {
				done <- err
				return
			}
		}
	}()
	ctl := func() { g.ask("reload") }
	hup := func() { _ = g.cmd.Process.Signal(syscall.SIGHUP) }
	more := fmt.Sprintf("[more]\npath = %s\nshelf = 1\nslot = 9\n", other)
	g.write(device("queue-length = 7\n") + more)
	g.reloads(ctl, "reloaded")
	if found := c.discovers("1.2", "1.9"); found[0].Buffers != 7 {
		t.Errorf("queue-length 7: %d buffers", found[0].Buffers)
	}
	g.write(device("direct-io = false\naccept = " + c.mac.String() + "\n[eth0]\nmtu = 1500\n"))
	g.reloads(hup, "reloaded")
	if found := c.discovers("1.2"); found[0].Sectors != 2 {
		t.Errorf("mtu 1500: %d sectors", found[0].Sectors)
	}
	g.write(device("queue-length = 0\n"))
	g.reloads(ctl, "The config file contains errors, not reloading")
	if !strings.Contains(g.stdout.String(), "ggaoed.conf:9: [disk] queue-length: ") {
		t.Error("the mistake is not told with its line")
	}
	g.write("pid-file = " + g.path("another") + "\n" + device("queue-length = 7\n") + "[nowhere]\npath = " + g.path("nothing") + "\nshelf = 1\nslot = 7\n")
	g.reloads(ctl, "serving 1 devices; 1 more wait for their disks")
	if !strings.Contains(g.stdout.String(), "pid-file is another than at the start: restart") {
		t.Error("nothing is said of a pid file that does not count")
	}
	g.write("[disk]\npath = " + other + "\nshelf = 1\nslot = 9\n[moved]\npath = " + disk + "\nshelf = 1\nslot = 2\n")
	g.reloads(hup, "reloaded")
	c.discovers("1.2", "1.9")
	close(ends)
	if err := <-done; err != nil {
		t.Errorf("the client noticed: %v", err)
	}
	checkBytes(t, "1.2", readAll(t, c.open("1.2")), content)
}

// TestGgaoedSocket speaks to the socket as a program of the sheet would, and as
// none should.
func TestGgaoedSocket(t *testing.T) {
	here, _ := netiotest.Pair(t, 1500)
	disk, _ := image(t, 1<<20)
	g := ggaoed(t, here, fmt.Sprintf("[d]\npath = %s\nshelf = 0\nslot = 0\n", disk))
	if info, err := os.Stat(g.path("sock")); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the socket: %v, %v", info.Mode(), err)
	}
	own := &net.UnixAddr{Name: g.path("mine"), Net: "unixgram"}
	conn, err := net.DialUnix("unixgram", own, &net.UnixAddr{Name: g.path("sock"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	exchange := func(request string, sizes ...int) (last []byte) {
		t.Helper()
		if _, err := conn.Write([]byte(request)); err != nil {
			t.Fatal(err)
		}
		for _, size := range sizes {
			b := make([]byte, 8192)
			_ = conn.SetReadDeadline(time.Now().Add(patience))
			n, err := conn.Read(b)
			if err != nil || n != size {
				t.Fatalf("request %q: %d bytes, %v; want %d", request, n, err, size)
			}
			last = b[:n]
		}
		return last
	}
	if got := exchange("\x00\x00\x00\x00", 8); !bytes.Equal(got, []byte{0, 0, 0, 0, 1, 0, 0, 0}) {
		t.Errorf("hello: % x", got)
	}
	exchange("\x01\x00\x00\x00", 24, 137+1, 81+4, 4)
	exchange("\x01\x00\x00\x00d\x00", 24, 137+1, 4)
	exchange("\x03\x00\x00\x00", 1037+1, 4)
	exchange("\x04\x00\x00\x00d\x00", 2057+1, 4)
	exchange("\x05\x00\x00\x00nothing\x00", 4)
	exchange("\x63\x00\x00\x00", 4)                                // unknown: OK
	exchange("\x01\x00")                                           // too short: nothing
	exchange("\x07\x00\x00\x00")                                   // without a name: nothing
	exchange(strings.Repeat("\xff", 4096), 4)                      // garbage
	exchange("\x01\x00\x00\x00"+strings.Repeat("*?", 2000), 24, 4) // a pattern that is hard to match
	silent, err := net.Dial("unixgram", g.path("sock"))            // has no address for answers
	if err != nil {
		t.Fatal(err)
	}
	_, _ = silent.Write([]byte("\x01\x00\x00\x00"))
	_ = silent.Close()
	deaf, err := net.DialUnix("unixgram", &net.UnixAddr{Name: g.path("deaf"), Net: "unixgram"}, &net.UnixAddr{Name: g.path("sock"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	for range 20 { // more answers than fit, of which it takes none
		_ = deaf.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		_, _ = deaf.Write([]byte("\x01\x00\x00\x00"))
	}
	if got := exchange("\x00\x00\x00\x00", 8); got[4] != 1 {
		t.Errorf("hello after all that: % x", got)
	}
	if err := os.Remove(g.path("sock")); err != nil {
		t.Fatal(err)
	}
	for range 2 { // SIGHUP makes it again, once
		g.reloads(func() { _ = g.cmd.Process.Signal(syscall.SIGHUP) }, "reloaded ")
		if out := g.ask("stats"); !strings.Contains(out, "d") {
			t.Errorf("through the socket that was made again: %s", out)
		}
	}
	second := g.ns.Command(filepath.Join(filepath.Dir(g.ctl), "ggaoed"), "-c", g.config, "-d")
	if out, err := second.CombinedOutput(); err == nil || !strings.Contains(string(out), "Another instance of the daemon seems to be already running") {
		t.Errorf("a second daemon: %v\n%s", err, out)
	}
}

// TestGgaoedArticle runs the files that the article prints, group lines lost and
// all, as it does: ./ggaoed -c ggaoed.conf -d, and in the background.
func TestGgaoedArticle(t *testing.T) {
	for _, name := range []string{"article-base", "article-updated", "article-grouped"} {
		t.Run(name, func(t *testing.T) {
			here, there := netiotest.Pair(t, 1500)
			device, _, content := loopDisk(t, 1<<20)
			text, err := os.ReadFile("../../compat/ggaoed/testdata/" + name + ".conf")
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			config := strings.NewReplacer("/dev/sda2", device, "/dev/loop0", device, "/var/run/", dir+"/", "/usr/local/var/ggaoed", dir).Replace(string(text))
			for key, path := range map[string]string{"pid-file": dir + "/pid", "control-socket": dir + "/sock", "state-directory": dir} {
				switch {
				case strings.Contains(config, key):
				case strings.Contains(config, "[defaults]\n"):
					config = strings.Replace(config, "[defaults]\n", "[defaults]\n"+key+" = "+path+"\n", 1)
				default:
					config = strings.Replace(config, "path = ", key+" = "+path+"\npath = ", 1)
				}
			}
			path := called(t, "ggaoed")
			file := filepath.Join(dir, "ggaoed.conf")
			if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
				t.Fatal(err)
			}
			start := here.Command(path, "-c", "ggaoed.conf")
			start.Dir = dir
			out, err := start.CombinedOutput()
			if err != nil {
				t.Fatalf("ggaoed: %v\n%s", err, out)
			}
			pid := processOf(t, path)
			checkBytes(t, "0.0", readAll(t, connect(t, there, netiotest.Netif).open("0.0")), content)
			if cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); err != nil || cwd != "/" {
				t.Errorf("it stands in %s, %v; want /", cwd, err)
			}
			_ = syscall.Kill(pid, syscall.SIGTERM)
			for end := time.Now().Add(patience); syscall.Kill(pid, 0) == nil; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("process %d does not end", pid)
				}
			}
			t.Logf("it said:\n%s", out)
		})
	}
}
