package interop

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"vbladefs/scripts/vm"
)

const vbladeUsage = "usage: vblade [-b bufcnt] [-o offset] [-l length] [-d ] [-s] [-r] [ -m mac[,mac...] ] shelf slot netif filename\n"

// asDebian are command lines to which ours must say what Debian's says.
var asDebian = []string{
	// It serves.
	"0 1 eth0 disk", "0 1 lo disk", "-r 0 1 eth0 disk", "-d 0 1 eth0 disk", "-s 0 1 eth0 disk", "-rds 0 1 eth0 disk",
	"0 1 eth0 disk -r", "0 -r 1 eth0 disk -b 20", "-r -- 0 1 eth0 disk", "0 1 eth0 ./disk", "0 1 eth0 loop",
	"-b 32 0 1 eth0 disk", "-b1 0 1 eth0 disk", "-b 16k 0 1 eth0 disk", "-b 70000 0 1 eth0 disk", "-b 0 -b 5 0 1 eth0 disk",
	"-o 8 0 1 eth0 disk", "-o 0x10 0 1 eth0 disk", "-o 010 0 1 eth0 disk", "-o 4k 0 1 eth0 disk", "-o 2047 0 1 eth0 disk",
	"-l 1 0 1 eth0 disk", "-l 010 0 1 eth0 disk", "-o 2000 -l 48 0 1 eth0 disk", "-l 2048 0 1 eth0 disk", "0 1 eth0 odd",
	"-m 02:00:00:00:00:09 0 1 eth0 disk", "-m 020000000009,0200:0000:0008 -m 02:00:00:00:00:0A 0 1 eth0 disk",
	"65534 254 eth0 disk", "012 0x3 eth0 disk", "junk word eth0 disk",
	// The usage.
	"", "0", "0 1 eth0", "0 1 eth0 disk more", "-x 0 1 eth0 disk", "-h", "--help", "-V", "-1 1 eth0 disk", "-r: 0 1 eth0 disk",
	"0 1 eth0 disk -b", "-rdm", "-b 0 0 1 eth0 disk", "-b -1 0 1 eth0 disk", "-b junk 0 1 eth0 disk", "-b 0x20 0 1 eth0 disk",
	"-o -1 0 1 eth0 disk", "-o x 0 1 eth0 disk", "-l 0 0 1 eth0 disk", "-l -5 0 1 eth0 disk", "-l junk 0 1 eth0 disk",
	"POSIXLY_CORRECT=1 0 1 eth0 disk -r", "POSIXLY_CORRECT=1 -r 0 1 eth0 disk",
	// What is not there, and what is too small.
	"0 1 eth0 nothing", "0 1 eth0 disk/in", "0 1 eth0 .", "0 1 eth0 ''", "0 1 eth0 /dev/null", "0 1 eth0 small", "0 1 eth0 empty",
	"0 1 eth7 disk", "0 1 a-name-that-no-interface-has disk", "0 1 '' disk", "0 1 * disk", "0 1 eth0,eth1 disk",
	"-o 2048 0 1 eth0 disk", "-o 5000 -l 1 0 1 eth0 disk",
	// Of several mistakes the first in its order: options, file, size, interface.
	"-b 0 0 1 eth7 nothing", "0 1 eth7 nothing", "0 1 eth7 small", "-o 2048 0 1 eth7 disk",
}

// deviations are command lines to which ours has another answer, on purpose; docs/compatibility.md has the reasons.
var deviations = []struct {
	args string
	want answer
}{
	{"70000 1 eth0 disk", answer{exit: "1", stderr: `vblade: shelf "70000": want 0 to 65534` + "\n" + vbladeUsage}},
	{"65535 1 eth0 disk", answer{exit: "1", stderr: `vblade: shelf "65535": want 0 to 65534` + "\n" + vbladeUsage}},
	{"0 255 eth0 disk", answer{exit: "1", stderr: `vblade: slot "255": want 0 to 254` + "\n" + vbladeUsage}},
	{"-- -1 1 eth0 disk", answer{exit: "1", stderr: `vblade: shelf "-1": want 0 to 65534` + "\n" + vbladeUsage}},
	{"-m 02 0 1 eth0 disk", answer{exit: "1", stderr: `vblade: -m "02": want six pairs of hex digits, such as 02:00:00:00:00:09` + "\n"}},
	{"-l 5000 0 1 eth0 disk", answer{exit: "1", stderr: "Length 5000 too big - exceeds size of file!\n"}},
	{"-o 4 -l 2045 0 1 eth0 disk", answer{exit: "1", stderr: "Length 2045 too big - exceeds size of file!\n"}},
	{endsByItself, answer{exit: "terminated", stdout: "pid PID: e0.1, 2048 sectors O_RDWR\n"}}, // ours waits for it to come up
}

// endsByItself is what ends Debian's after its start line: an interface that is down.
const endsByItself = "0 1 down0 disk"

// answer is what a command line comes to. A process that serves is sent SIGTERM.
type answer struct{ exit, stdout, stderr string }

// TestVbladeSaysWhatDebiansSays runs ours and Debian's, one after the other, in one folder and one network.
func TestVbladeSaysWhatDebiansSays(t *testing.T) {
	d := newDebian(t, build(t))
	for _, args := range asDebian {
		if debians, ours := d.run(t, d.debians, args), d.run(t, d.ours, args); ours != debians {
			t.Errorf("vblade %s\n%+q, Debian's\n%+q", args, ours, debians)
		}
	}
	for _, row := range deviations {
		debians, ours := d.run(t, d.debians, row.args), d.run(t, d.ours, row.args)
		if ours != row.want {
			t.Errorf("vblade %s\n%+q, want\n%+q", row.args, ours, row.want)
		}
		if debians == row.want {
			t.Errorf("vblade %s: Debian's does the same: it is no deviation", row.args)
		}
	}
}

// debian has both programs under one name, and files for them.
type debian struct {
	net           *vm.Network
	dir           string
	ours, debians string // folders with a vblade each
}

func newDebian(t *testing.T, binary string) *debian {
	t.Helper()
	network, err := vm.NewNetwork(1500)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { network.Close() })
	if err := network.IP("link add down0 type veth peer name down1"); err != nil {
		t.Fatal(err)
	}
	d := &debian{net: network, dir: t.TempDir()}
	d.ours, d.debians = filepath.Join(d.dir, "ours"), filepath.Join(d.dir, "debian")
	debians, err := exec.LookPath("vblade")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{d.ours, d.debians} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command(binary, "install-links", d.ours).CombinedOutput(); err != nil {
		t.Fatalf("install-links: %v\n%s", err, out)
	}
	loop := newDisk(t, 1<<20).loop
	for link, to := range map[string]string{filepath.Join(d.debians, "vblade"): debians, filepath.Join(d.dir, "loop"): loop} {
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
	}
	for name, sizeBytes := range map[string]int{"disk": 1 << 20, "odd": 1<<20 + 511, "small": 511, "empty": 0} {
		if err := os.WriteFile(filepath.Join(d.dir, name), make([]byte, sizeBytes), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

var pid = regexp.MustCompile(`(?m)^pid \d+:`)

// run runs the vblade of a folder; args may begin with a variable for its environment, and ” is an empty word.
func (d *debian) run(t *testing.T, folder, args string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	words := strings.Fields(args)
	for i := range words {
		words[i] = strings.TrimPrefix(words[i], "''")
	}
	env := append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"), "LC_ALL=C")
	if len(words) > 0 && strings.HasPrefix(words[0], "POSIX") {
		env, words = append(env, words[0]), words[1:]
	}
	cmd := d.net.Command(ctx, "vblade", words...)
	cmd.Dir, cmd.Env = d.dir, env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stdout := bufio.NewReader(pipe)
	said, err := stdout.ReadString('\n')
	if err == nil && (args != endsByItself || folder == d.ours) { // it serves
		_ = cmd.Process.Signal(syscall.SIGTERM)
	}
	rest, _ := io.ReadAll(stdout)
	_ = cmd.Wait()
	if ctx.Err() != nil {
		t.Fatalf("vblade %s neither serves nor ends within a minute: %s%s", args, said, &stderr)
	}
	a := answer{exit: fmt.Sprint(cmd.ProcessState.ExitCode()), stdout: said + string(rest), stderr: stderr.String()}
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
		a.exit = status.Signal().String()
	}
	if number := fmt.Sprintf("pid %d:", cmd.Process.Pid); a.stdout != "" && !strings.HasPrefix(a.stdout, number) {
		t.Errorf("vblade %s, process %d, says %q", args, cmd.Process.Pid, a.stdout)
	}
	a.stdout = pid.ReplaceAllString(a.stdout, "pid PID:")
	return a
}
