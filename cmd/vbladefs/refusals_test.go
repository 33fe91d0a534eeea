package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"vbladefs/netio/netiotest"
)

// refusal is a line that a command file must refuse: with that errno at the
// shell, a reason in the log that has these words, and nothing changed.
type refusal struct {
	name, line, file string
	errno, reason    string
}

// shop is a daemon that serves something already, with bad goods at hand.
type shop struct {
	*daemon
	disk, spare string // disk is exported as 0.1 and as the drive do at 0.2; spare is free
	mounted     string // a device that is
	bad         []badDevice
}

// badDevice cannot be exported for writing.
type badDevice struct {
	name, path    string
	errno, reason string // at vblade/drives, which passes the device's own on
}

func openShop(t *testing.T) *shop {
	t.Helper()
	here := netiotest.New(t)
	netiotest.Join(here, "eth0", netiotest.New(t), "eth0", 1500)
	here.Run("ip", "tuntap", "add", "tun0", "mode", "tun") // carries no Ethernet frames
	s := &shop{daemon: serve(t, here)}
	s.disk, _ = image(t, mib)
	s.spare, _ = image(t, mib)
	s.echo("add "+s.disk+" 0 1 eth0", "aoeserver")
	s.echo("add do "+s.disk, "vblade/drives")
	s.echo("add eth0 0 2", "vblade/do/ports")
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := unix.Mkfifo(at("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	makeFile(t, at("empty"), 0)
	makeFile(t, at("short"), 511)
	if err := os.Symlink("circle", at("circle")); err != nil {
		t.Fatal(err)
	}
	s.mounted = mountedLoop(t)
	const wantKind = "name a regular file or a block device"
	s.bad = []badDevice{
		{"missing", at("missing"), "ENOENT", "check the path"},
		{"below a file", at("short/x"), "ENOTDIR", "check the path"},
		{"circular link", at("circle"), "ELOOP", "check the symbolic links"},
		{"directory", dir, "ENOTBLK", wantKind},
		{"FIFO", at("fifo"), "ENOTBLK", wantKind},
		{"character device", "/dev/null", "ENOTBLK", wantKind},
		{"empty file", at("empty"), "ENXIO", "at least one sector"},
		{"file below a sector", at("short"), "ENXIO", "at least one sector"},
		{"locked file", lockedFile(t), "EBUSY", "end what uses it"},
		{"mounted loop device", s.mounted, "EBUSY", "unmount it"},
		{"file of the tree", filepath.Join(s.dir, "README"), "EDEADLK", "a file of this daemon itself"},
	}
	return s
}

func makeFile(t *testing.T, path string, size int) {
	t.Helper()
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
}

// lockedFile is a disk image that someone else has claimed.
func lockedFile(t *testing.T) string {
	t.Helper()
	path, _ := image(t, mib)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return path
}

// mountedLoop is a loop device with a mounted file system.
func mountedLoop(t *testing.T) string {
	t.Helper()
	device, _, _ := loopDisk(t, 2*mib)
	tool(t, "mkfs.ext2", "-q", device)
	dir := mountDir(t)
	tool(t, "mount", device, dir)
	t.Cleanup(func() { tool(t, "umount", dir) })
	return device
}

// TestBadInput writes each mistake to each command file.
func TestBadInput(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	before, held := s.tree(), s.count("fd")
	for _, r := range s.refusals() {
		t.Run(strings.ReplaceAll(r.file+"/"+r.name, " ", "-"), func(t *testing.T) {
			if errno := s.tryEcho(r.line, r.file); errno != r.errno {
				t.Errorf("echo %q > %s: errno %q, want %s", r.line, r.file, errno, r.errno)
			}
			written := r.line
			if r.errno == "EACCES" {
				written = "" // it failed when the file was opened
			}
			checkRefusal(t, s.lastEvent(), r.file, written, r.errno, r.reason)
			if after := s.tree(); after != before {
				t.Fatalf("the tree changed from\n%s\nto\n%s", before, after)
			}
		})
	}
	if now := s.count("fd"); now != held {
		t.Errorf("%d descriptors after the refusals, %d before", now, held)
	}
}

func (s *shop) refusals() []refusal {
	var all []refusal
	for _, b := range s.bad {
		all = append(all,
			refusal{b.name, "add " + b.path + " 0 9 eth0", "aoeserver", "EINVAL", b.reason},
			refusal{b.name, "0 9 eth0 " + b.path, "kvblade/add", "ENOENT", b.reason},
			refusal{b.name, "0 1 eth0 " + b.path, "kvblade/readd", "ENOENT", b.reason},
			refusal{b.name, "add x " + b.path, "vblade/drives", b.errno, b.reason})
	}
	for _, bad := range []struct{ addr, errno, reason string }{
		{"65535 0", "ERANGE", "want 0 to 65534"}, {"70000 0", "ERANGE", "want 0 to 65534"},
		{"0 255", "ERANGE", "want 0 to 254"}, {"0 300", "ERANGE", "want 0 to 254"},
		{"99999999999999999999 0", "ERANGE", "want 0 to 65534"},
		{"-1 0", "EINVAL", "is no number"}, {"0 1x", "EINVAL", "is no number"}, {"0x 0", "EINVAL", "is no number"},
	} {
		all = append(all,
			refusal{"address " + bad.addr, "add " + s.spare + " " + bad.addr + " eth0", "aoeserver", "EINVAL", bad.reason},
			refusal{"del " + bad.addr, "del " + s.spare + " " + bad.addr + " eth0", "aoeserver", "EINVAL", bad.reason},
			refusal{"address " + bad.addr, bad.addr + " eth0 " + s.spare, "kvblade/add", "EINVAL", bad.reason},
			refusal{"address " + bad.addr, bad.addr + " eth0", "kvblade/del", "EINVAL", bad.reason},
			refusal{"address " + bad.addr, "add eth0 " + bad.addr, "vblade/do/ports", bad.errno, bad.reason},
			refusal{"del " + bad.addr, "del eth0 " + bad.addr, "vblade/do/ports", bad.errno, bad.reason})
	}
	for _, bad := range []struct{ netif, errno, reason string }{
		{"eth9", "ENODEV", "ip link"}, {"tun0", "EPFNOSUPPORT", "AoE needs an Ethernet interface"},
		{"much-too-long-a-name", "ENODEV", "ip link"}, {"a/b", "ENODEV", "ip link"},
	} {
		all = append(all,
			refusal{"interface " + bad.netif, "add " + s.spare + " 0 9 " + bad.netif, "aoeserver", "EINVAL", bad.reason},
			refusal{"interface " + bad.netif, "0 9 " + bad.netif + " " + s.spare, "kvblade/add", "ENOENT", bad.reason},
			refusal{"interface " + bad.netif, "add " + bad.netif + " 0 9", "vblade/do/ports", bad.errno, bad.reason})
	}
	return append(all, s.mistakes()...)
}

// mistakes are those of one file each.
func (s *shop) mistakes() []refusal {
	long := strings.Repeat("x", 5000)
	return []refusal{
		{"nothing", "", "aoeserver", "EINVAL", "want add DEVICE SHELF SLOT [INTERFACE] [force], del DEVICE"},
		{"unknown command", "list", "aoeserver", "EINVAL", "want add DEVICE SHELF SLOT [INTERFACE] [force], del DEVICE"},
		{"too few words", "add " + s.spare + " 0", "aoeserver", "EINVAL", "want add DEVICE SHELF SLOT [INTERFACE]"},
		{"too many words", "add " + s.spare + " 0 9 eth0 x", "aoeserver", "EINVAL", "want add DEVICE SHELF SLOT [INTERFACE]"},
		{"duplicate address", "add " + s.spare + " 0 1 eth0", "aoeserver", "EINVAL", "0.1 is served already"},
		{"every interface of a duplicate", "add " + s.spare + " 0 1", "aoeserver", "EINVAL", "0.1 is served already"},
		{"relative path", "add nothing-here 0 9 eth0", "aoeserver", "EINVAL", "no such file"},
		{"mask of nothing", "hostmask 9 9 00:01:02:03:04:05", "aoeserver", "EINVAL", "nothing is exported at 9.9"},
		{"bad MAC", "hostmask 0 1 00:01:02", "aoeserver", "EINVAL", "want six hex pairs"},
		{"endless line", "add /" + long + " 0 9", "aoeserver", "EINVAL", "at most"},

		{"nothing", "", "kvblade/add", "EINVAL", "want SHELF SLOT INTERFACE PATH"},
		{"the other order", "eth0 0 9 " + s.spare, "kvblade/add", "EINVAL", "the order is SHELF SLOT INTERFACE PATH"},
		{"duplicate address", "0 1 eth0 " + s.spare, "kvblade/add", "EEXIST", "address in use: 0.1"},
		{"duplicate export", "0 1 eth0 " + s.disk, "kvblade/add", "EEXIST", "0.1 is on interface eth0 already"},
		{"not exported", "9 9 eth0", "kvblade/del", "ENOENT", "no such port"},
		{"exported elsewhere", "0 1 lo", "kvblade/del", "ENOENT", "no such port"},
		{"too few words", "0 1", "kvblade/del", "EINVAL", "want SHELF SLOT INTERFACE"},
		{"not exported", "9 9 eth0 " + s.spare, "kvblade/readd", "ENOENT", "no such port"},

		{"unknown command", "ADD x " + s.spare, "vblade/drives", "EINVAL", "want add NAME PATH"},
		{"relative path", "add x disk.img", "vblade/drives", "EINVAL", "is not absolute"},
		{"name taken", "add do " + s.spare, "vblade/drives", "EEXIST", "a drive is called do already"},
		{"name of a file", "add stats " + s.spare, "vblade/drives", "EINVAL", "drive name"},
		{"name with a slash", "add a/b " + s.spare, "vblade/drives", "EINVAL", "drive name"},
		{"long name", "add " + strings.Repeat("n", 32) + " " + s.spare, "vblade/drives", "EINVAL", "want 1 to 31"},
		{"unknown flag", "add x " + s.spare + " rw", "vblade/drives", "EINVAL", `"rw" is one word too many`},
		{"del of nothing", "del x", "vblade/drives", "ENOENT", "no such drive"},
		{"del of one in use", "del do", "vblade/drives", "EBUSY", "exported at e0.2; delete that first"},
		{"endless line", "add x /" + long, "vblade/drives", "E2BIG", "want at most"},

		{"duplicate address", "add eth0 0 1", "vblade/do/ports", "EEXIST", "0.1 is on interface eth0 already"},
		{"same port again", "add eth0 0 2", "vblade/do/ports", "EEXIST", "0.2 is on interface eth0 already"},
		{"other drive's address", "add lo 0 1", "vblade/do/ports", "EEXIST", "0.1 leads to drive disk.img"},
		{"no buffers", "add eth0 0 9 0", "vblade/do/ports", "ERANGE", "want 1 to 65535"},
		{"too many sectors", "add eth0 0 9 32 256", "vblade/do/ports", "ERANGE", "want 0 to 255"},
		{"del of another's", "del eth0 0 1", "vblade/do/ports", "ENOENT", "no such port"},
		{"unknown command", "move eth0 0 2", "vblade/do/ports", "EINVAL", "want add INTERFACE SHELF SLOT"},
		{"unknown policy", "fast", "vblade/do/cache", "EINVAL", "want writeback (in the page cache), direct"},
		{"unprintable model", "\x01", "vblade/do/model", "EINVAL", "want a line of printable ASCII"},
		{"unprintable serial", "\x7f", "kvblade/0.1@eth0/sn", "EINVAL", "want a line of printable ASCII"},

		{"read-only file", "x", "README", "EACCES", "nothing may be written here"},
		{"read-only file", "x", "log", "EACCES", "nothing may be written here"},
		{"read-only file", "1", "vblade/do/size", "EACCES", "nothing may be written here"},
		{"read-only file", "1", "targets/e0.2/stats", "EACCES", "nothing may be written here"},

		{"no switch", "2", "vblade/do/readonly", "EINVAL", "want 0 or 1"},
		{"no switch", "yes", "vblade/do/pause", "EINVAL", "want 0 or 1"},
		{"no number", "v1", "vblade/do/firmware", "EINVAL", "want 0 to 65535"},
		{"too high a number", "65536", "vblade/do/firmware", "ERANGE", "want 0 to 65535"},
		{"no such drive", "add e0.3 nothing", "targets/blades", "ENOENT", "no such drive"},
		{"no address", "add 0.3 do", "targets/blades", "EINVAL", "want e<shelf>.<slot>"},
		{"no blade", "add e9.9 eth0", "targets/ports", "ENOENT", "nothing is exported at 9.9"},
		{"too few words", "add e0.2", "targets/ports", "EINVAL", "want add ADDRESS INTERFACE"},
		{"unknown command", "remove 00:01:02:03:04:05", "targets/e0.2/accept", "EINVAL", "want add MAC..."},
		{"bad MAC", "add 00:01:02:03:04:05 x", "targets/e0.2/masks", "EINVAL", "want six hex pairs"},
		{"open quote", `"x`, "targets/e0.2/config", "EINVAL", "want a text"},
	}
}

// TestPartOfAWriteIsApplied: the lines before the bad one stay, those after it
// are not looked at.
func TestPartOfAWriteIsApplied(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	_, complaint, _ := s.shell(`printf 'add a %s\nadd b /nothing\nadd c %s\n' "$1" "$1" | cat > "$T/vblade/drives"`, s.spare)
	if !strings.HasSuffix(complaint, "No such file or directory") {
		t.Errorf("cat says %q, want ENOENT", complaint)
	}
	if list := s.read("vblade/drives"); !strings.Contains(list, "\na ") || strings.Contains(list, "\nb ") || strings.Contains(list, "\nc ") {
		t.Errorf("of a, b and c only a should be there:\n%s", list)
	}
}

// TestForceTakesAClaimedDevice: who forces it gets a mounted device all the same.
func TestForceTakesAClaimedDevice(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.echo("add mounted "+s.mounted+" force", "vblade/drives")
	if got := s.read("vblade/mounted/path"); got != s.mounted+"\n" {
		t.Errorf("path %q, want %s", got, s.mounted)
	}
}
