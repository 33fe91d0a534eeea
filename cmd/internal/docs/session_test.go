package docs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
)

// patience is how long a command may take before it counts as stuck.
const patience = 60 * time.Second

// bin has our programs.
var bin = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "vbladefs-docs-")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", dir, "./cmd/vbladefs", "./cmd/aoebench")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("go build: %w\n%s", err, out)
	}
	if out, err := exec.Command(filepath.Join(dir, "vbladefs"), "install-links", dir).CombinedOutput(); err != nil {
		return dir, fmt.Errorf("install-links: %w\n%s", err, out)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	remove, err := netiotest.OwnTemp()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	remove()
	os.Exit(code)
}

// programs is the folder of our programs.
func programs(t *testing.T) string {
	t.Helper()
	dir, err := bin()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// output runs one of our programs for what it prints.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(filepath.Join(programs(t), name), args...).Output()
	if err != nil {
		t.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return string(out)
}

// A session is the machine of a document: disks behind /dev/loop0 to /dev/loop3, a target host with eth0 and eth1, and
// another host whose eth0 is on the segment of the first one's.
type session struct {
	t            *testing.T
	host, client netiotest.Netns
	tree         string            // for /run/vbladefs
	machine      string            // has folders for /run and /var/lib
	loops        map[string]string // from the documents' devices to ours
	daemon       *exec.Cmd
	stderr       bytes.Buffer
}

func newSession(t *testing.T) *session {
	t.Helper()
	need(t)
	s := &session{t: t, tree: filepath.Join(t.TempDir(), "run"), machine: t.TempDir(), loops: map[string]string{}}
	for _, name := range []string{"run", "lib"} {
		if err := os.Mkdir(filepath.Join(s.machine, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.host, s.client = netiotest.Pair(t, 9000)
	netiotest.Join(s.host, "eth1", s.client, "eth1", 9000)
	for n := range 4 {
		s.loops[fmt.Sprintf("/dev/loop%d", n)] = loop(t)
	}
	t.Cleanup(s.stop)
	return s
}

// need skips, or fails in CI, where exports cannot be made.
func need(t *testing.T) {
	t.Helper()
	netiotest.RequireNetns(t)
	for _, device := range []string{"/dev/fuse", "/dev/loop-control"} {
		if _, err := os.Stat(device); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("running the examples needs %s", device)
			}
			t.Skipf("running the examples needs %s", device)
		}
	}
}

// loop makes a loop device of 32 MiB.
func loop(t *testing.T) string {
	t.Helper()
	image := filepath.Join(t.TempDir(), "disk.img")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 32<<20); err != nil {
		t.Fatal(err)
	}
	unlock, err := netiotest.LoopLock()
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	out, err := exec.Command("losetup", "-f", "--show", image).Output()
	if err != nil {
		t.Fatalf("losetup: %v", err)
	}
	device := strings.TrimSpace(string(out))
	t.Cleanup(func() {
		if out, err := exec.Command("losetup", "-d", device).CombinedOutput(); err != nil {
			t.Errorf("losetup -d %s: %v\n%s", device, err, out)
		}
	})
	return device
}

// run runs the commands of a document; each must succeed, and a cat must show something.
func (s *session) run(commands []command) {
	s.t.Helper()
	if len(commands) == 0 {
		s.t.Fatal("no command found")
	}
	for _, c := range commands {
		text := s.local(c.text)
		if line, ok := strings.CutSuffix(strings.TrimSpace(regexp.MustCompile(`\s#.*`).ReplaceAllString(text, "")), "&"); ok {
			s.start(strings.Fields(line))
			continue
		}
		out, err := s.shell(text)
		if err != nil {
			s.t.Fatalf("%s: %s\n%v\n%s\nthe daemon:\n%s", c.at, text, err, out, s.log())
		}
		s.check(c, out)
	}
}

// columns is a comment that names the columns of what is shown.
var columns = regexp.MustCompile(`# [a-z]+: (.*, .*)$`)

// check holds the output of a command to what the document says of it.
func (s *session) check(c command, out string) {
	s.t.Helper()
	if strings.HasPrefix(c.text, "cat ") && !strings.Contains(c.text, "<<") && strings.TrimSpace(out) == "" {
		s.t.Errorf("%s: %s: shows nothing", c.at, c.text)
	}
	if m := columns.FindStringSubmatch(c.text); m != nil {
		want := len(strings.Split(m[1], ", "))
		for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
			if n := len(strings.Fields(line)); n != want {
				s.t.Errorf("%s: %q has %d columns, and the document names %d", c.at, line, n, want)
			}
		}
	}
}

// local makes a document's command one for this machine: our devices, tree and programs, and measurements of moments.
func (s *session) local(text string) string {
	text = s.devices(text)
	text = strings.ReplaceAll(text, "/run/vbladefs", s.tree)
	text = regexp.MustCompile(`\bvbladefs (save|restore)\b`).ReplaceAllString(text, "$0 -mount "+s.tree)
	text = regexp.MustCompile(`\bvbladefs run\b`).ReplaceAllString(text, "$0 -mount "+s.tree)
	text = regexp.MustCompile(`\bvbladefs (status|top)( -\S+)*`).ReplaceAllString(text, "$0 "+s.tree)
	text = regexp.MustCompile(`\bbin/(vbladefs|aoebench)\b`).ReplaceAllString(text, "$1")
	if s.daemon != nil {
		text = strings.ReplaceAll(text, "$(pidof vbladefs)", fmt.Sprint(s.daemon.Process.Pid))
	}
	if strings.HasPrefix(text, "aoebench ") && !strings.Contains(text, "--discover") {
		text += " --warmup 0s --runtime 200ms" // the last one counts
	}
	return text
}

// remote are the commands that ask the segment, and so belong on the other host.
var remote = regexp.MustCompile(`^(aoebench|vbladefs (discover|ping)) `)

// shell runs a command on the host, or on the other one if it asks the segment.
func (s *session) shell(text string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	where := s.host
	if remote.MatchString(text) {
		where = s.client
	}
	prepared := where.Command("unshare", "--mount", "sh", "-c", ownFolders, s.machine, text)
	cmd := exec.CommandContext(ctx, prepared.Path, prepared.Args[1:]...)
	cmd.Env, cmd.Dir = s.env(), filepath.Dir(s.tree)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// ownFolders runs a command where the daemons' usual folders are the session's.
const ownFolders = `mount --bind "$0/run" /run && mount --bind "$0/lib" /var/lib && exec sh -ec "$1"`

func (s *session) env() []string {
	scripts, err := filepath.Abs(root + "scripts") // which are installed beside the programs
	if err != nil {
		s.t.Fatal(err)
	}
	return append(os.Environ(), "PATH="+programs(s.t)+":"+scripts+":"+os.Getenv("PATH"))
}

// serve starts the daemon as most documents do.
func (s *session) serve() { s.start([]string{"vbladefs", "serve", s.tree}) }

// start starts the daemon and waits until it serves.
func (s *session) start(words []string) {
	s.t.Helper()
	if words[0] != "vbladefs" || s.daemon != nil {
		s.t.Fatalf("%q: want one daemon a document, and nothing else in the background", words)
	}
	if !slices.Contains(words, "-state") { // the documents' daemons keep theirs in the usual folder
		words = slices.Insert(words, 2, "-state", s.t.TempDir())
	}
	words[0] = filepath.Join(programs(s.t), words[0])
	s.daemon = s.host.Command(words[0], words[1:]...)
	s.daemon.Stderr = &s.stderr
	if err := s.daemon.Start(); err != nil {
		s.daemon = nil
		s.t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(s.tree, "README")); err == nil {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%q does not serve %s", words, s.tree)
		}
	}
}

// stop ends the daemon, which must take its tree away and exit with 0.
func (s *session) stop() {
	s.endOthers()
	if s.daemon == nil {
		return
	}
	stuck := time.AfterFunc(patience, func() { _ = s.daemon.Process.Kill() })
	defer stuck.Stop()
	_ = s.daemon.Process.Signal(syscall.SIGTERM)
	if err := s.daemon.Wait(); err != nil {
		s.t.Errorf("the daemon: %v\n%s", err, s.stderr.String())
	}
	if _, err := os.Stat(filepath.Join(s.tree, "README")); err == nil {
		s.t.Errorf("%s is still mounted", s.tree)
	}
	_ = syscall.Unmount(s.tree, syscall.MNT_DETACH) // only if it is
}

// log is the control tree's log.
func (s *session) log() string {
	text, _ := os.ReadFile(filepath.Join(s.tree, "log"))
	return string(text)
}
