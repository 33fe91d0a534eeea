package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"vbladefs/fusectl/conversation"
	"vbladefs/netio/netiotest"
)

// TestCorpora holds the conversations of the three kernel targets with the
// daemon itself, real disks and real interfaces. fusectl holds them with disks
// in memory, which can be broken in ways that these cannot.
func TestCorpora(t *testing.T) {
	t.Parallel()
	need(t, "unshare", "mount", "mknod", "losetup", "sh")
	files, err := filepath.Glob("../../compat/*/testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	disks := corpusDisks(t)
	held := 0
	for _, file := range files {
		of := filepath.Base(filepath.Dir(filepath.Dir(file)))
		if of != "kvblade" && of != "aoeserver" && of != "vbladekernel" {
			continue
		}
		held++
		t.Run(of+"/"+filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			real := filepath.Join(t.TempDir(), filepath.Base(file))
			if err := os.WriteFile(real, []byte(disks.real(string(text))), 0o600); err != nil {
				t.Fatal(err)
			}
			conversation.Run(t, serveCorpus(t, disks).dir, real, false)
		})
	}
	if held < 10 {
		t.Errorf("only %d conversations: %v", held, files)
	}
}

// corpusDisk is a device that the conversations name.
type corpusDisk struct {
	name  string // in /dev
	minor int    // of the loop device that plays it
}

type corpusDevices []corpusDisk

// corpusDisks makes the devices of fusectl's machine in memory, each of its size.
func corpusDisks(t *testing.T) corpusDevices {
	t.Helper()
	var all corpusDevices
	for _, d := range []struct {
		name    string
		sectors int64
		options []string
	}{{"loop0", 819200, nil}, {"loop1", 2048, nil}, {"loop2", 4096, nil}, {"ro", 16, []string{"-r"}}, {"busy", 32, nil}} {
		path := filepath.Join(t.TempDir(), d.name)
		makeFile(t, path, 0)
		if err := os.Truncate(path, d.sectors*512); err != nil {
			t.Fatal(err)
		}
		device := loop(t, path, d.options...)
		var minor int
		if _, err := fmt.Sscanf(device, "/dev/loop%d", &minor); err != nil {
			t.Fatalf("%s: %v", device, err)
		}
		if d.name == "busy" {
			fd, err := unix.Open(device, unix.O_RDWR|unix.O_EXCL|unix.O_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { unix.Close(fd) })
		}
		all = append(all, corpusDisk{d.name, minor})
	}
	return all
}

// Steps that only disks in memory can take: a device without permission for root,
// one whose opening is not implemented, one that takes its time, requests that
// do not end at the address 9.9.
var notReal = regexp.MustCompile(`(?m)^>+ .*(?:/dev/(?:secret|broken|slow)\b| 9 9\b).*\n(?:!.*\n)?`)

// real is a conversation as it goes with these devices. It has its lines but
// for those that are not real, which are left blank.
func (disks corpusDevices) real(text string) string {
	text = notReal.ReplaceAllStringFunc(text, func(s string) string {
		if strings.Contains(s, "hostmask") || strings.Contains(s, "rmmask") {
			return s // of an address that nothing is exported at
		}
		return strings.Repeat("\n", strings.Count(s, "\n"))
	})
	text = strings.ReplaceAll(text, " 9.9@eth0", "")
	return bdev.ReplaceAllStringFunc(text, func(s string) string {
		return fmt.Sprintf("bdev 7:%d\n", disks[s[len(s)-2]-'0'].minor)
	})
}

// bdev is what the attribute bdev of one of the first three devices reads as.
var bdev = regexp.MustCompile(`bdev 7:[0-2]\n`)

// serveCorpus starts a daemon whose /dev has the devices, with the interfaces of
// fusectl's machine. Its tree is in a mount namespace of its own, like its /dev,
// and is reached through /proc.
func serveCorpus(t *testing.T, disks corpusDevices) *daemon {
	t.Helper()
	here, there := netiotest.Pair(t, 1500)
	netiotest.Join(here, "eth1", there, "eth1", 9000)
	here.Run("ip", "tuntap", "add", "tun0", "mode", "tun")
	dev, tree := mountDir(t), mountDir(t)
	script := `set -e; mount -t tmpfs none "$1"
for f in fuse null zero urandom; do : > "$1/$f"; mount --bind "/dev/$f" "$1/$f"; done
: > "$1/empty"
`
	for _, d := range disks {
		script += fmt.Sprintf("mknod \"$1/%s\" b 7 %d\n", d.name, d.minor)
	}
	script += `mount --rbind "$1" /dev; exec "$2" serve -state= "$3"`
	d := startProgram(t, here, "unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", dev, program, tree)
	d.dir = fmt.Sprintf("/proc/%d/root%s", d.cmd.Process.Pid, tree)
	d.await("the tree is mounted", func() bool {
		_, err := os.Stat(filepath.Join(d.dir, "log"))
		return err == nil
	})
	return d
}
