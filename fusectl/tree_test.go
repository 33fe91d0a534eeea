package fusectl

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// need skips, or fails in CI, where a program is missing.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
}

// TestPrograms uses the tree with what administrators use.
func TestPrograms(t *testing.T) {
	need(t, "bash", "dd", "tee", "stat", "tac")
	tests := []struct{ name, script, want string }{
		{"echo", "echo 0 0 eth0 /dev/loop0 > kvblade/add && ls kvblade", "0.0@eth0\nadd\nannounce\ndel\nreadd\n"},
		{"echo, refused", "echo 0 0 eth9 /dev/loop0 > kvblade/add", "bash: line 1: echo: write error: No such file or directory\n(exit status 1)\n"},
		{"echo, malformed", "echo x > aoeserver", "bash: line 1: echo: write error: Invalid argument\n(exit status 1)\n"},
		{"printf without newline", "printf 'add do /dev/loop2' > vblade/drives && cat vblade/drives", "do /dev/loop2 4096 rw 0\n"},
		{"printf without newline, refused", "printf 'add do /dev/none' > vblade/drives", "bash: line 1: printf: write error: No such file or directory\n(exit status 1)\n"},
		{"a byte at a time", "printf 'add a /dev/loop1\\nadd b /dev/loop2' | dd bs=1 of=vblade/drives status=none && ls vblade", "a\nb\ndrives\nstats\n"},
		{"a byte at a time, refused", "printf 'add a\\nadd b /dev/loop2' | dd bs=1 of=vblade/drives status=none; ls vblade", "dd: error writing 'vblade/drives': Invalid argument\ndrives\nstats\n"},
		{"tee", "echo add do /dev/loop2 | tee vblade/drives", "add do /dev/loop2\n"},
		{"tee, refused", "echo add do | tee vblade/drives", "add do\ntee: vblade/drives: Invalid argument\n(exit status 1)\n"},
		{"append", "echo add do /dev/loop2 >> vblade/drives && cat vblade/drives", "do /dev/loop2 4096 rw 0\n"},
		{"second line bad", "printf 'add a /dev/loop1\\nadd a /dev/loop1\\nadd b /dev/loop2\\n' > vblade/drives; ls vblade",
			"bash: line 1: printf: write error: File exists\na\nb\ndrives\nstats\n"}, // bash writes a line at a time and goes on
		{"second line bad, dash", `sh -c 'printf "add a /dev/loop1\nadd a /dev/loop1\nadd b /dev/loop2\n" > vblade/drives'; ls vblade`, "sh: 1: printf: printf: I/O error\na\ndrives\nstats\n"},
		{"second line bad, one write", "printf 'add a /dev/loop1\\nadd a /dev/loop1\\nadd b /dev/loop2\\n' | dd of=vblade/drives status=none; ls vblade",
			"dd: error writing 'vblade/drives': File exists\na\ndrives\nstats\n"},
		{"too large for vblade", "yes '# comment' | head -c 5000 | dd bs=5000 iflag=fullblock of=vblade/drives status=none", "dd: error writing 'vblade/drives': Argument list too long\n(exit status 1)\n"},
		{"head and tail", "head -c 5 aoeserver; echo; tail -c 12 aoeserver; tail -n 1 aoeserver", "#<dev\n<interface>\n#<device>              <shelf>     <slot>     <interface>\n"},
		{"at an offset", "dd if=aoeserver bs=1 skip=1 count=8 status=none; dd if=aoeserver bs=10 skip=9 status=none", "<device>"},
		{"wc, tac, cmp", "wc -c < aoeserver; tac aoeserver | wc -l; cat README | cmp - README; tail -c +10 README | cmp - <(cat README | tail -c +10)", "58\n1\n"},
		{"sizes", "echo 0 0 eth0 /dev/loop0 > kvblade/add; stat -c '%n %s' kvblade/0.0@eth0/* && wc -c kvblade/0.0@eth0/model",
			"kvblade/0.0@eth0/bdev 4\nkvblade/0.0@eth0/bpath 11\nkvblade/0.0@eth0/busy 2\nkvblade/0.0@eth0/model 41\nkvblade/0.0@eth0/mtu 5\n" +
				"kvblade/0.0@eth0/scnt 7\nkvblade/0.0@eth0/scst 7\nkvblade/0.0@eth0/sn 21\nkvblade/0.0@eth0/stats 0\n41 kvblade/0.0@eth0/model\n"},
		{"modes", "echo add do /dev/loop2 > vblade/drives; stat -c '%A %U %n' . kvblade aoeserver README log kvblade/* vblade/* vblade/do/*",
			"drwxr-xr-x root .\ndrwxr-xr-x root kvblade\n-rw-r--r-- root aoeserver\n-r--r--r-- root README\n-r--r--r-- root log\n" +
				"-rw-r--r-- root kvblade/add\n-rw-r--r-- root kvblade/announce\n-rw-r--r-- root kvblade/del\n-rw-r--r-- root kvblade/readd\n" +
				"drwxr-xr-x root vblade/do\n-rw-r--r-- root vblade/drives\n-r--r--r-- root vblade/stats\n" +
				"-rw-r--r-- root vblade/do/cache\n-rw-r--r-- root vblade/do/firmware\n-rw-r--r-- root vblade/do/keep\n-r--r--r-- root vblade/do/length\n-rw-r--r-- root vblade/do/model\n-r--r--r-- root vblade/do/note\n-r--r--r-- root vblade/do/offset\n" +
				"-r--r--r-- root vblade/do/path\n-rw-r--r-- root vblade/do/pause\n-rw-r--r-- root vblade/do/ports\n-rw-r--r-- root vblade/do/readonly\n" +
				"-rw-r--r-- root vblade/do/resize\n-rw-r--r-- root vblade/do/serial\n-r--r--r-- root vblade/do/size\n-r--r--r-- root vblade/do/state\n" +
				"-r--r--r-- root vblade/do/stats\n-rw-r--r-- root vblade/do/thin\n"},
		{"modes of an export", "echo 0 0 eth0 /dev/loop0 > kvblade/add; stat -c '%a %n' kvblade/0.0@eth0 kvblade/0.0@eth0/*",
			"755 kvblade/0.0@eth0\n444 kvblade/0.0@eth0/bdev\n444 kvblade/0.0@eth0/bpath\n444 kvblade/0.0@eth0/busy\n644 kvblade/0.0@eth0/model\n" +
				"444 kvblade/0.0@eth0/mtu\n444 kvblade/0.0@eth0/scnt\n444 kvblade/0.0@eth0/scst\n644 kvblade/0.0@eth0/sn\n444 kvblade/0.0@eth0/stats\n"},
		{"sizes of listings", "echo 0 0 eth0 /dev/loop0 > kvblade/add; stat -c '%s %n' aoeserver vblade/drives vblade/loop0/ports kvblade/add", "0 aoeserver\n0 vblade/drives\n0 vblade/loop0/ports\n0 kvblade/add\n"},
		{"a path is shown to 255 bytes", "p=$(mktemp -d)/$(printf '%0200d/%0200d' 0 0); mkdir -p ${p%/*}; truncate -s 1M $p; echo 0 0 eth0 $p > kvblade/add; wc -c < kvblade/0.0@eth0/bpath; [ $(cat kvblade/0.0@eth0/bpath) = ${p:0:255} ]; rm -r ${p%/*/*}", "256\n"},
		{"inode numbers stay", "a=$(stat -c %i vblade/drives); echo 0 0 eth0 /dev/loop0 > kvblade/add; b=$(stat -c %i kvblade/0.0@eth0/sn); " +
			"echo 0 0 eth0 > kvblade/del; echo 0 0 eth0 /dev/loop1 > kvblade/add; [ $a = $(stat -c %i vblade/drives) ] && [ $b = $(stat -c %i kvblade/0.0@eth0/sn) ] && cat kvblade/0.0@eth0/bpath",
			"/dev/loop1\n"},
		{"nothing is made by hand", "mkdir x; rmdir kvblade; rm aoeserver; mv aoeserver y; ln README z; ln -s README z; touch aoeserver; chmod 666 aoeserver; chown nobody aoeserver; : > new; mkfifo f; rm -r vblade; ls",
			"mkdir: cannot create directory ‘x’: Operation not permitted\nrmdir: failed to remove 'kvblade': Operation not permitted\n" +
				"rm: cannot remove 'aoeserver': Operation not permitted\nmv: cannot move 'aoeserver' to 'y': Operation not permitted\n" +
				"ln: failed to create hard link 'z' => 'README': Operation not permitted\nln: failed to create symbolic link 'z': Operation not permitted\n" +
				"chmod: changing permissions of 'aoeserver': Operation not permitted\nchown: changing ownership of 'aoeserver': Operation not permitted\n" +
				"bash: line 1: new: Operation not permitted\nmkfifo: cannot create fifo 'f': Operation not permitted\n" +
				"rm: cannot remove 'vblade/drives': Operation not permitted\nrm: cannot remove 'vblade/stats': Operation not permitted\nREADME\naoeserver\ninterfaces\nkvblade\nlog\nrestore\nsaved\ntargets\nvblade\n"},
		{"truncation is harmless", "echo add do /dev/loop2 > vblade/drives; : > vblade/drives; truncate -s 100 aoeserver; truncate -s 0 vblade/stats; echo del do | dd conv=fsync of=vblade/drives status=none; cat vblade/drives aoeserver",
			"truncate: cannot open 'vblade/stats' for writing: Permission denied\n#<device>              <shelf>     <slot>     <interface>\n"},
		{"a value a byte at a time", "echo add do /dev/loop2 > vblade/drives; echo my disk | dd bs=1 of=vblade/do/model status=none; cat vblade/do/model; echo -n x > vblade/do/serial; cat vblade/do/serial",
			"my disk\nx\n"},
		{"the log", "echo add do > vblade/drives; echo add do /dev/loop2 > vblade/drives; cut -d' ' -f2- log", "bash: line 1: echo: write error: Invalid argument\n" +
			"warning vblade/drives: refused \"add do\" at column 7: EINVAL: malformed command: a word is missing: want add NAME PATH [ro|auto] [force] [writeback|direct|durable] [offset=SECTORS] [length=SECTORS] [thin] [size=BYTES]\n" +
			"info vblade/drives: \"add do /dev/loop2\"\n"},
		{"working folder removed under its user", "echo 0 0 eth0 /dev/loop0 > kvblade/add; cd kvblade/0.0@eth0; echo 0 0 eth0 > ../del; cat sn; ls; cd ..; ls",
			"cat: sn: No such file or directory\nadd\nannounce\ndel\nreadd\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := mounted(t)
			if got := d.bash(t, tt.script); got != tt.want {
				t.Errorf("%s\ngot\n%s\nwant\n%s", tt.script, got, tt.want)
			}
		})
	}
}

// TestRelativePath has PATH start at the folder of whoever writes.
func TestRelativePath(t *testing.T) {
	d := mounted(t)
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "disk.img"), make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	got := d.sh(t, fmt.Sprintf("tree=$PWD; cd %s && echo 0 0 eth0 disk.img > $tree/kvblade/add && echo add ./disk.img 0 1 > $tree/aoeserver && cat $tree/kvblade/*/bpath", folder))
	if want := strings.Repeat(folder+"/disk.img\n", 2); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestBulk writes thousands of commands with programs that cut lines where
// their buffers end.
func TestBulk(t *testing.T) {
	need(t, "bash", "dd")
	const n = 7000 // more than a buffer of cat's holds
	var kvblade, aoeserver, drives strings.Builder
	for i := range n {
		fmt.Fprintf(&kvblade, "%d %d eth0 /dev/loop0\n", i/100, i%100)
		fmt.Fprintf(&aoeserver, "add /dev/loop1 %d %d\n", 1000+i/100, i%100)
		fmt.Fprintf(&drives, "add drive-%d /dev/loop2\n", i)
	}
	folder := t.TempDir()
	for name, text := range map[string]string{"k": kvblade.String(), "a": aoeserver.String(), "d": strings.TrimSuffix(drives.String(), "\n")} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, how := range []string{"cat k > $tree/kvblade/add", "dd bs=4k if=k of=$tree/kvblade/add status=none", "cat a > $tree/aoeserver",
		"dd bs=8k if=a of=$tree/aoeserver status=none", `printf '%s\n' "$(cat a)" > $tree/aoeserver`, `sh -c 'printf "%s\n" "$(cat a)" > $tree/aoeserver'`,
		"dd bs=4k if=d of=$tree/vblade/drives status=none", `mapfile -t l < d; printf '%s\n' "${l[@]}" > $tree/vblade/drives`,
		`while read -r l; do echo "$l"; done < k > $tree/kvblade/add`} {
		t.Run(how, func(t *testing.T) {
			d := mounted(t)
			got := d.bash(t, "export tree=$PWD; cd "+folder+" && "+how+" && cd $tree && ls vblade kvblade | grep -cE '^drive-|@'")
			if got != strconv.Itoa(n)+"\n" {
				t.Errorf("got %s, want %d\n%s", got, n, d.sh(t, "tail -n 3 log"))
			}
		})
	}
}

// TestUsers checks who may write.
func TestUsers(t *testing.T) {
	need(t, "setpriv")
	d := mounted(t, groupEnv+"=54321")
	if err := os.Chmod(filepath.Dir(filepath.Dir(d.dir)), 0o755); err != nil { // of this test's own folders
		t.Fatal(err)
	}
	as := "setpriv --reuid=65534 --regid=65534 "
	member, stranger := as+"--groups=54321 sh -c ", as+"--clear-groups sh -c "
	tests := []struct{ name, script, want string }{
		{"stranger writes", stranger + "'echo add do /dev/loop2 > vblade/drives'", "sh: 1: cannot create vblade/drives: Permission denied\n(exit status 2)\n"},
		{"stranger reads", stranger + "'cat vblade/drives; ls kvblade'", "add\nannounce\ndel\nreadd\n"},
		{"member writes", member + "'echo add do /dev/loop2 > vblade/drives && echo durable > vblade/do/cache && cat vblade/do/cache'", "durable\n"},
		{"member writes what nobody may", member + "'echo 1 > vblade/stats'", "sh: 1: cannot create vblade/stats: Permission denied\n(exit status 2)\n"},
		{"member makes a folder", member + "'mkdir x'", "mkdir: cannot create directory ‘x’: Permission denied\n(exit status 1)\n"},
		{"modes", "stat -c '%A %g' aoeserver README", "-rw-rw-r-- 54321\n-r--r--r-- 0\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := d.sh(t, tt.script); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestSnapshot reads a file in pieces while it changes.
func TestSnapshot(t *testing.T) {
	d := mounted(t)
	d.sh(t, "echo add a /dev/loop1 > vblade/drives")
	f, err := os.OpenFile(filepath.Join(d.dir, "vblade/drives"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	read := func(at int64, n int) string {
		b := make([]byte, n)
		got, err := f.ReadAt(b, at)
		if err != nil && err != io.EOF {
			t.Fatal(err)
		}
		return string(b[:got])
	}
	first := read(0, 5)
	if _, err := f.WriteString("del a\nadd b /dev/loop2\n"); err != nil {
		t.Fatal(err)
	}
	if got, want := first+read(5, 100), "a /dev/loop1 2048 rw 0\n"; got != want {
		t.Errorf("the snapshot: got %q, want %q", got, want)
	}
	if got, want := read(0, 100), "b /dev/loop2 4096 rw 0\n"; got != want {
		t.Errorf("from the start again: got %q, want %q", got, want)
	}
	if got := read(1<<40, 10); got != "" {
		t.Errorf("far behind the end: got %q", got)
	}
}

// TestSlowOperation holds an operation up: everything else goes on.
func TestSlowOperation(t *testing.T) {
	gate := filepath.Join(t.TempDir(), "gate")
	if err := unix.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	d := mounted(t, gateEnv+"="+gate)
	slow := make(chan string)
	go func() { slow <- d.sh(t, "echo add /dev/slow 0 1 > aoeserver") }()
	hold, err := os.OpenFile(gate, os.O_WRONLY, 0) // returns when the operation waits
	if err != nil {
		t.Fatal(err)
	}
	got := d.sh(t, "cat aoeserver; echo add do /dev/loop2 > vblade/drives; cat vblade/drives; ls kvblade")
	want := "#<device>              <shelf>     <slot>     <interface>\ndo /dev/loop2 4096 rw 0\nadd\nannounce\ndel\nreadd\n"
	if got != want {
		t.Errorf("meanwhile: got %q, want %q", got, want)
	}
	hold.Close()
	if got := <-slow; got != "" {
		t.Errorf("the slow one: %s", got)
	}
	if got := d.sh(t, "cat kvblade/*/bpath"); got != "/dev/slow\n" {
		t.Errorf("afterwards: got %q", got)
	}
}

// TestFollowLog reads the log as tail -f does.
func TestFollowLog(t *testing.T) {
	need(t, "tail")
	d := mounted(t)
	cmd := exec.Command("tail", "-n", "+1", "-f", filepath.Join(d.dir, "log"))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	lines := bufio.NewScanner(out)
	for i := range 3 {
		line := fmt.Sprintf("add d%d /dev/loop2", i)
		d.sh(t, "echo "+line+" > vblade/drives")
		if !lines.Scan() || !strings.HasSuffix(lines.Text(), fmt.Sprintf("%q", line)) {
			t.Fatalf("got %q, want the event of %q", lines.Text(), line)
		}
	}
}

// TestAnnounceCounts waits until an announcement, which the engine sends by
// itself, shows in the counters.
func TestAnnounceCounts(t *testing.T) {
	d := mounted(t)
	d.sh(t, "echo 0 0 eth0 /dev/loop0 > kvblade/add; echo 1 > kvblade/announce")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		got := d.sh(t, "grep announces kvblade/0.0@eth0/stats vblade/stats vblade/loop0/stats | cut -d' ' -f2")
		if words := strings.Fields(got); len(words) == 3 && words[0] >= "2" && words[1] >= "2" && words[2] >= "2" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("two announcements do not show: %q", got)
		}
	}
}

// TestReadme checks that the README names every file that there is, by a tree
// with one object of each kind.
func TestReadme(t *testing.T) {
	d := mounted(t)
	d.sh(t, "echo add do /dev/loop2 > vblade/drives; echo add eth0 0 2 32 8 > vblade/do/ports")
	readme := d.sh(t, "cat README")
	if readme != Help() {
		t.Errorf("README is not Help")
	}
	kinds := strings.NewReplacer("interfaces/eth0/", "interfaces/<INTERFACE>/", "targets/e0.2/ports/eth0/", "targets/e<SHELF>.<SLOT>/ports/<INTERFACE>/", "targets/e0.2/", "targets/e<SHELF>.<SLOT>/", "0.2@eth0", "<SHELF>.<SLOT>@<INTERFACE>", "vblade/do/", "vblade/<NAME>/")
	for _, path := range strings.Fields(d.sh(t, "find . -type f -printf '%P\\n'")) {
		if !strings.Contains(readme, "\n"+kinds.Replace(path)+"\n") {
			t.Errorf("README does not name %s", path)
		}
	}
	if long := strings.Split(readme, "\n"); len(long) < 50 {
		t.Errorf("README has %d lines", len(long))
	}
}
