package main_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vbladefs/netio/netiotest"
)

// runTools says the same under run as outside of it. $LOOP is a loop device, $PLACE a folder of the test's own.
var runTools = []string{
	"ps -o pid=,ppid=,comm=,user= -p 1",
	"ps -e -o pid= | grep -cx ' *1'",
	"top -bn1 -p 1 | awk '$1 == 1 { print $2, $NF }'",
	"sleep 1000 & until pgrep -P $$ -x sleep; do :; done | wc -l; kill $!; wait",
	"kill -0 1 && [ -d /proc/1 ] && cat /proc/1/comm && ls /proc/1/task",
	"lsblk -rno NAME,SIZE,TYPE $LOOP",
	"losetup -nO NAME,BACK-FILE $LOOP; losetup -a | grep -c ^$LOOP:",
	"cat /sys/class/block/${LOOP##*/}/size; cat /sys/block/${LOOP##*/}/queue/logical_block_size",
	"ip -o link; ip -br addr; ls /sys/class/net; cat /proc/net/dev | cut -d: -f1",
	"cat /sys/class/net/lo/mtu; cat /proc/sys/net/ipv4/ip_forward",
	"df --output=source,target /; df -P 2>/dev/null | grep -c ' /sys'; stat -f -c %b:%T /",
	"findmnt -no SOURCE,TARGET,FSTYPE -M /; mount | grep -c ' on / '; grep -c ' / ' /proc/mounts",
	"mount | grep -c '^sysfs on /sys type sysfs'; mount | grep -c '^proc on /proc type proc'",
	"cat <(echo one) <(echo two); diff <(echo a) <(echo a) && echo same; echo x > >(cat); wait",
	"echo in | cat /dev/stdin; echo out > /dev/stdout; echo err 2>/dev/null >/dev/fd/1",
	"exec 7< /etc/hostname; cat /dev/fd/7 /proc/self/fd/7 > /dev/null && echo read",
	`[ "$(readlink /proc/self)" -gt 1 ] && [ "$(readlink /proc/$$/exe)" = "$BASH" ] && echo self`,
	`exec bash -c 'a=$$; exec bash -c "[ \$(exec readlink /proc/self | cat) != $a ] && [ -e /proc/$a/stat ] && echo $a | tr -d 0-9"'`,
	"cat /proc/thread-self/comm; basename $(readlink /proc/thread-self/exe)",
	"grep -c ^Pid: /proc/self/status; tr '\\0' ' ' < /proc/$$/cmdline | wc -w; ls /proc/$$/ns; cat /proc/$$/cgroup",
	"sysctl -n kernel.ostype; cat /proc/sys/kernel/ostype; find /proc/sys/kernel -name ostype",
	"v=$(cat /proc/sys/vm/swappiness); echo $v > /proc/sys/vm/swappiness && sysctl -qw vm.swappiness=$v && echo written",
	"cat /proc/version /proc/filesystems; wc -l < /proc/cpuinfo; grep -c MemTotal /proc/meminfo; nproc",
	"stat -f -c %T /proc/1/ /proc/sys /proc/meminfo /sys/class /sys/block /sys/fs/cgroup",
	"stat -c '%F %A %U' /proc/sys /proc/bus /sys /sys/class /sys/devices; stat -Lc '%F %A %U' /proc/1 /proc/self /proc/meminfo",
	"find /sys -maxdepth 1 | grep -v vblade | sort; find /proc -maxdepth 1 2>/dev/null | grep -v '/[0-9]*$' | grep -v aoeserver | sort",
	"realpath /sys/class/net/lo /sys/block/${LOOP##*/}; cd -P /sys/class/net/lo && pwd",
	"cd /sys/block && cd .. && pwd -P; cd /proc/sys && pwd -P",
	"readlink /proc/mounts /proc/net",
	"mkdir /sys/x 2>/dev/null || echo refused; touch /proc/x 2>/dev/null || echo refused",
	"unshare -pf --mount-proc ps -e -o comm= | sort -u; unshare -m true && echo unshared",
	"[ -e /proc/999999999 ] || echo no; ls /proc/999999999/ 2>/dev/null || echo no; cat /proc/nothing 2>/dev/null || echo no",
	"bash -c 'sleep 1000 & p=$!; [ -d /proc/$p ] && kill $p; wait $p; [ -e /proc/$p ] || echo gone'",
	"setpriv --reuid=65534 --clear-groups bash -c 'cat <(echo mine); ps -o user= -p 1; cat /proc/1/comm; ls /proc/1/fd 2>/dev/null || echo private'",
	"pwd; id -u; echo $PLACE; umask; ulimit -n; exec grep '^Sig[BIC]' /proc/self/status",
}

func TestRunTools(t *testing.T) {
	t.Parallel()
	need(t, "bash", "ps", "top", "pgrep", "lsblk", "losetup", "ip", "df", "findmnt", "mount", "sysctl", "unshare", "setpriv", "awk")
	ns := netiotest.New(t)
	d := serve(t, ns)
	path, _ := image(t, mib)
	device := loop(t, path)
	for _, script := range runTools {
		t.Run(strings.Fields(script)[0], func(t *testing.T) {
			var said [2]string
			for i, prefix := range [][]string{nil, {program, "run", "-mount", d.dir, "--"}} {
				args := append(prefix, "bash", "-c", script)
				cmd := ns.Command(args[0], args[1:]...)
				cmd.Dir = filepath.Dir(path)
				cmd.Env = append(cmd.Environ(), "LC_ALL=C", "LOOP="+device, "PLACE="+filepath.Dir(path), "TERM=dumb")
				var out bytes.Buffer
				cmd.Stdout, cmd.Stderr = &out, &out
				err := cmd.Run()
				said[i] = fmt.Sprintf("%sexit %d", &out, cmd.ProcessState.ExitCode())
				if err != nil && !isExit(err) {
					t.Fatal(err)
				}
			}
			if said[0] != said[1] {
				t.Errorf("%s\nsays outside\n%s\nunder run\n%s", script, said[0], said[1])
			}
			if !strings.Contains(said[0], "\n") {
				t.Errorf("%s\nsays nothing outside: %s", script, said[0])
			}
		})
	}
	d.awaitNoView()
}

func isExit(err error) bool {
	_, ok := err.(*exec.ExitError)
	return ok
}

// TestRunInRun: the inner one takes the outer's place, with the same tree or another, and goes before it.
func TestRunInRun(t *testing.T) {
	t.Parallel()
	ns := netiotest.New(t)
	one, two := serve(t, ns), serve(t, ns)
	for name, d := range map[string]*daemon{"one": one, "two": two} {
		disk, _ := image(t, mib)
		d.echo("add "+name+" "+disk, "vblade/drives")
	}
	const look = `ls -d /sys/vblade/???; grep -c vbladefs-proc /proc/mounts; ls -d /proc/.real/.real; cat <(echo subst); echo out; test -e /proc/$$/stat`
	inner := func(d *daemon) string {
		return fmt.Sprintf("%s run -mount %s -- bash -c '%s' 2>/dev/null; ls -d /sys/vblade/???", program, d.dir, look)
	}
	if got, want := one.inGuest(inner(two)), "/sys/vblade/two\n1\nsubst\nout\n/sys/vblade/one\n"; got != want {
		t.Errorf("a run in a run says\n%s\nwant\n%s", got, want)
	}
	if got, want := one.inGuest(inner(one)), "/sys/vblade/one\n1\nsubst\nout\n/sys/vblade/one\n"; got != want {
		t.Errorf("a run in a run of the same says\n%s\nwant\n%s", got, want)
	}
	one.awaitNoView()
	two.awaitNoView()
}

// sharedMounts plays a machine whose mounts are shared, as systemd makes them: $1 the program, $2 the tree, $3 a folder.
const sharedMounts = `
mount --make-rshared /
folder=$3
# Those of other tests end here, too, when they remove what is mounted on.
mounts() { grep -v -e nsfs -e fuse.vbladefs -e ' /tmp/' /proc/self/mountinfo; grep " $folder/" /proc/self/mountinfo; }
before=$(mounts)
coproc "$1" run -mount "$2" -- bash -c 'echo ready; read -r; grep -c " $0/outer " /proc/mounts; mount -t tmpfs x "$0/inner" && echo inside; read -r' "$3"
inside=$COPROC_PID # bash forgets it when it ends
read -r -u "${COPROC[0]}"; echo "$REPLY"
[ "$(mounts)" = "$before" ] && echo untouched
mount -t tmpfs x "$3/outer"
echo >&"${COPROC[1]}"
for i in 1 2; do read -r -u "${COPROC[0]}"; echo "$REPLY"; done
umount "$3/outer"
[ "$(mounts)" = "$before" ] && echo untouched
echo >&"${COPROC[1]}"
wait "$inside"
[ "$(mounts)" = "$before" ] && echo untouched`

// TestRunOnSharedMounts: what the machine mounts comes in, and nothing goes out.
func TestRunOnSharedMounts(t *testing.T) {
	t.Parallel()
	need(t, "bash", "unshare", "mount")
	d := serve(t, netiotest.New(t))
	folder := t.TempDir()
	for _, name := range []string{"inner", "outer"} {
		if err := os.Mkdir(filepath.Join(folder, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("unshare", "-m", "--propagation", "private", "bash", "-c", sharedMounts, "bash", program, d.dir, folder).CombinedOutput()
	if want := "ready\nuntouched\n1\ninside\nuntouched\nuntouched\n"; err != nil || string(out) != want {
		t.Errorf("%v: says\n%s\nwant\n%s", err, out, want)
	}
	d.awaitNoView()
}
