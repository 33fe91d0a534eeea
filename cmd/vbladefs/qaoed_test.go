package main_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
	"vbladefs/target/ata"
)

// qaoed is a running qaoed in the foreground, with an API socket.
type qaoed struct {
	*foreground
	path, config, socket string
}

// startQaoed starts qaoed in ns on a configuration, in which $S is the path of an
// API socket, and waits until it answers there.
func startQaoed(t *testing.T, ns netiotest.Netns, config string, options ...string) *qaoed {
	t.Helper()
	dir := t.TempDir()
	q := &qaoed{path: called(t, "qaoed"), config: filepath.Join(dir, "qaoed.conf"), socket: filepath.Join(dir, "socket")}
	q.write(t, config)
	q.foreground = run(t, ns, "", q.path, append([]string{"-f", "-c", q.config}, options...)...)
	q.awaitAPI()
	return q
}

func (q *qaoed) awaitAPI() {
	q.t.Helper()
	q.await("the API answers", func() bool { return strings.HasPrefix(q.qdctl("show", "status"), "Qaoed status") })
}

// write replaces the configuration.
func (q *qaoed) write(t *testing.T, config string) {
	t.Helper()
	if err := os.WriteFile(q.config, []byte(strings.ReplaceAll(config, "$S", q.socket)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// reload replaces the configuration, has it read and waits until said is on
// stderr or in what qdctl shows of targets.
func (q *qaoed) reload(config string, done func() bool) {
	q.t.Helper()
	q.write(q.t, config)
	_ = q.cmd.Process.Signal(syscall.SIGHUP)
	q.await("the file is read again", done)
}

// qdctl runs qdctl against q and returns what it says.
func (q *qaoed) qdctl(words ...string) string {
	q.t.Helper()
	out, err := exec.Command(filepath.Join(filepath.Dir(q.path), "qdctl"), append([]string{"--socket", q.socket}, words...)...).CombinedOutput()
	if exit := (&exec.ExitError{}); err != nil && !errors.As(err, &exit) {
		q.t.Fatal(err)
	}
	return string(out)
}

// TestQaoedArticle is the article's file, as printed and with the braces it lost,
// and its `./qaoed -c qaoed.conf`; only paths differ.
func TestQaoedArticle(t *testing.T) {
	t.Parallel()
	for form, text := range map[string]string{
		"printed": "apisocket = $S;   default\nshelf = 0; /* Shelf */\nslot = 6; /* Autoincremented slot numbers */\ninterface = eth0;\ntarget = $D;\n",
		"braces":  "apisocket = $S;\ndefault\n{\n\tshelf = 0; /* Shelf */\n\tslot = 6; /* Autoincremented slot numbers */\n\tinterface = eth0;\n}\n\ndevice\n{\n\ttarget = $D;\n}\n",
	} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			here, there := netiotest.Pair(t, 4200)
			device, file, content := loopDisk(t, mib)
			dir := t.TempDir()
			config, socket := filepath.Join(dir, "qaoed.conf"), filepath.Join(dir, "socket")
			text = strings.NewReplacer("$S", socket, "$D", device).Replace(text)
			if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			path := called(t, "qaoed")
			out, err := here.Command(path, "-c", config).CombinedOutput()
			if err != nil || strings.Contains(string(out), "warning: ") != (form == "printed") {
				t.Fatalf("qaoed: %v, it says %q", err, out)
			}
			pid := processOf(t, path)
			c := connect(t, there, "eth0")
			found := c.discovers("0.6")[0]
			if found.Buffers != 20 || found.Firmware != 0x400a || found.Sectors != 8 {
				t.Errorf("config reply %+v, want 20 buffers, firmware 0x400a, 8 sectors", found)
			}
			x := c.open("0.6")
			if id := x.Identity; id.Model != "123456789" || id.Serial != device {
				t.Errorf("model %q, serial number %q", id.Model, id.Serial)
			}
			checkBytes(t, "the export", readAll(t, x), content)
			put(t, x, content, 4096, 65536)
			if err := x.Flush(); err != nil {
				t.Error(err)
			}
			checkFile(t, file, content)
			if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			for end := time.Now().Add(patience); syscall.Kill(pid, 0) == nil; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("process %d does not end", pid)
				}
			}
			if _, err := os.Lstat(socket); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the socket is left: %v", err)
			}
		})
	}
}

// TestQaoedEnds: what it says and returns when it does not serve.
func TestQaoedEnds(t *testing.T) {
	t.Parallel()
	here, _ := netiotest.Pair(t, 1500)
	dir := t.TempDir()
	path := called(t, "qaoed")
	disk, _ := image(t, mib)
	file := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(strings.ReplaceAll(text, "$D", disk)), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	const failed = "Errors while loading configuration... \n"
	good := "device { target = $D; interface = eth0; }"
	wrong := file("wrong", "device { target = $D;\n interface = eth7; }")
	occupied := file("occupied", "apisocket = "+disk+";"+good)
	unlogged := file("unlogged", `logging { name = default; type = file; filename = "`+dir+`"; }`+good)
	usage := "usage: " + path + " [-f -V -h] [-c <file>]\n"
	for _, c := range []struct {
		args           string
		code           int
		stdout, stderr string // a pattern
	}{
		{"-h", 0, "^" + regexp.QuoteMeta(usage) + ".*--mount", "^$"},
		{"-V", 0, "^qaoed version ", "^$"},
		{"-fx", 255, "^Unknown argument [?]\n" + regexp.QuoteMeta(usage) + "$", "^$"},
		{"-c", 255, "^Unknown argument [?]\n", "^$"},
		{"-c" + dir + "/missing", 255, "^" + failed + "$", "/missing: no such file.*-c"},
		{"-f -c " + dir, 255, "^" + failed + "$", "no regular file"},
		{"-c " + wrong, 255, "^" + failed + "$", regexp.QuoteMeta(wrong) + `:2: \[device\] interface: "eth7": want`},
		{"-fc " + occupied, 255, "^" + failed + "$", "apisocket: .*something else"},
		{"-c " + occupied, 255, "^" + failed + "$", "apisocket: .*something else"},
		{"-c " + unlogged, 255, "^" + failed + "$", `log "default": .*is a directory`},
	} {
		cmd := here.Command(path, strings.Fields(c.args)...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		_ = cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != c.code ||
			!regexp.MustCompile("(?s)"+c.stdout).MatchString(stdout.String()) || !regexp.MustCompile("(?s)"+c.stderr).MatchString(stderr.String()) {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q; want %d, %q, %q", c.args, code, &stdout, &stderr, c.code, c.stdout, c.stderr)
		}
	}
	if content, err := os.ReadFile(disk); err != nil || len(content) != mib {
		t.Errorf("the file in the socket's place has %d bytes, %v", len(content), err)
	}
}

// TestQaoedAccess: what each of the four access points lets through.
func TestQaoedAccess(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	client := connect(t, there, "eth0")
	log := filepath.Join(t.TempDir(), "acl.log")
	config := `apisocket = $S;
logging { name = acl; type = file; filename = LOG; }
access-list { name = nobody; policy = reject; log = acl; }
access-list { name = us; policy = reject; allow = CLIENT; }
default { shelf = 1; slot = 1; interface = eth0; acl { cfgread = us; } }
device { target = DISK; }
device { target = DISK; slot = 11; acl { read = nobody; } }
device { target = DISK; slot = 12; acl { write = nobody; } }
device { target = DISK; slot = 13; acl { cfgset = nobody; } }
device { target = DISK; slot = 14; acl { cfgread = nobody; } }
device { target = DISK; slot = 15; broadcast = off; }
`
	disk, content := image(t, mib)
	config = strings.NewReplacer("LOG", log, "CLIENT", client.mac.String(), "DISK", disk).Replace(config)
	q := startQaoed(t, here, config)
	announced := map[string]bool{}
	for len(announced) < 4 {
		for _, addr := range client.announcedTo(client.mac) {
			announced[addr] = true
		}
		if !q.running() {
			t.Fatal("it ended")
		}
	}
	if announced["1.14"] || announced["1.15"] {
		t.Errorf("announced: %v, without those that nobody may see or that are silent", announced)
	}
	client.discovers("1.1", "1.11", "1.12", "1.13", "1.15")

	x := client.open("1.1")
	checkBytes(t, "1.1", readAll(t, x), content)
	put(t, x, content, 0, 4096)
	if _, err := x.Config(aoe.ConfigForceSet, "ours"); err != nil {
		t.Errorf("a config string where all are allowed: %v", err)
	}
	_, err := client.Open(aoe.Addr{Shelf: 1, Slot: 11}, initiator.Options{Timeout: patience, FindTimeout: patience})
	wantATAError(t, "IDENTIFY without the right to read", err, ata.ABRT)
	x = client.open("1.12")
	checkBytes(t, "1.12", readAll(t, x), content)
	_, err = x.WriteAt(random(512), 0)
	wantATAError(t, "a write without the right", err, ata.ABRT)
	x, err = client.Open(aoe.Addr{Shelf: 1, Slot: 13}, initiator.Options{Timeout: 300 * time.Millisecond, FindTimeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.Config(aoe.ConfigForceSet, "ours"); !errors.Is(err, initiator.ErrTimeout) {
		t.Errorf("a config string without the right: %v, want silence", err)
	}
	checkFile(t, disk, content)
	q.await("the decisions are logged", func() bool {
		text, _ := os.ReadFile(log)
		return strings.HasPrefix(string(text), "Log starting for target acl\n") &&
			strings.Contains(string(text), " ACL default-reject "+client.mac.String()+" by nobody\n")
	})
	q.endsBy(syscall.SIGTERM)
}

// announcedTo is what is announced to one address within a moment.
func (c *client) announcedTo(to aoe.MAC) (addrs []string) {
	c.t.Helper()
	frames, err := c.Exchange(nil, 0, 50*time.Millisecond)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, frame := range frames {
		if h, ok := aoe.DecodeHeader(frame); ok && h.Dst == to && h.Command == aoe.CmdConfig && h.Tag == 0 {
			addrs = append(addrs, h.Addr.String())
		}
	}
	return addrs
}
