package interop

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/scripts/vm"
)

// TestBootDebian boots a Debian whose disk is an export, as docs/guides/boot.md says: iPXE, extlinux, Debian's kernel with its
// own initial RAM disk, systemd, a login on the serial line. What is written there is on the image after a shutdown.
//
// A Debian is fetched for it and takes minutes to boot on a busy machine, so it runs only when VBLADEFS_DISKLESS is set.
func TestBootDebian(t *testing.T) {
	if os.Getenv("VBLADEFS_DISKLESS") == "" {
		t.Skip("set VBLADEFS_DISKLESS=1 to boot a whole Debian: it is fetched first")
	}
	need(t, "mmdebstrap")
	ctx, cancel := context.WithTimeout(context.Background(), 2*limit)
	t.Cleanup(cancel)
	network, err := vm.NewNetwork(1500)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { network.Close() })
	r := &rig{ctx: ctx, net: network, artifacts: artifactsDir(t)}
	image := filepath.Join(t.TempDir(), "disk.img")
	if out, err := exec.Command("cp", "--sparse=always", debianImage(t), image).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v: %s", err, out)
	}
	d := startDaemon(t, r, build(t))
	d.echo(t, "add "+image+" 0 1 eth0", "aoeserver")
	console := newConsole(t)
	end := bootIPXE(t, r, "aoe:e0.1", "-m", "512", "-cpu", "max", "-serial", "unix:"+console.path)
	defer end()
	defer console.keep(r)
	began := time.Now()
	console.await(t, "diskless login: ")
	t.Logf("a login after %v", time.Since(began).Round(time.Second))
	console.types(t, "root")
	console.await(t, "root@diskless:~# ")
	console.types(t, `echo "root is $(findmnt -no SOURCE,OPTIONS /)"`)
	console.await(t, "root is /dev/etherd/e0.1p1 rw")
	console.types(t, "dd if=/dev/urandom of=/root/kept bs=64k count=64 status=none; sha256sum /root/kept; true")
	said := console.await(t, "/root/kept\r\n")
	console.types(t, "systemctl poweroff")
	console.await(t, "Power down")
	d.stop(t)
	checkDebianImage(t, image, said)
}

// checkDebianImage looks for the file that was written, past AoE and Debian, in an image whose file system is clean.
func checkDebianImage(t *testing.T, image, said string) {
	t.Helper()
	const partition = "?offset=1048576"
	if out, err := exec.Command("e2fsck", "-fn", image+partition).CombinedOutput(); err != nil {
		t.Errorf("e2fsck: %v\n%s", err, out)
	}
	content, err := exec.Command("debugfs", "-R", "cat /root/kept", image+partition).Output()
	sum := sha256.Sum256(content)
	if text := hex.EncodeToString(sum[:]); err != nil || len(content) != 4<<20 || !strings.Contains(said, text) {
		t.Errorf("%d bytes with sum %s are on the image (%v); the machine said\n%s", len(content), text, err, said)
	}
}

// debianImage is made once, of what this machine's apt has, and made anew when the scripts change. Of its kernel's drivers it has few, or
// it would take longer.
func debianImage(t *testing.T) string {
	t.Helper()
	script, err := filepath.Abs("../diskless/debian.sh")
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.New()
	for _, name := range []string{"debian.sh", "initramfs/hooks/aoe", "initramfs/scripts/local-top/aoe"} {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(script), name))
		if err != nil {
			t.Fatal(err)
		}
		hash.Write(text)
	}
	if err := os.MkdirAll(vm.CacheDir(), 0o755); err != nil {
		t.Fatal(err)
	}
	lock, err := os.OpenFile(filepath.Join(vm.CacheDir(), "diskless.lock"), os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(vm.CacheDir(), "diskless-"+hex.EncodeToString(hash.Sum(nil)[:4])+".img")
	if _, err := os.Stat(image); err == nil {
		return image
	}
	older, _ := filepath.Glob(filepath.Join(vm.CacheDir(), "diskless-*.img*"))
	for _, path := range older {
		_ = os.RemoveAll(path)
	}
	cmd := exec.Command(script, image, "e0.1",
		"--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
		"--dpkgopt=path-exclude=/lib/modules/*/kernel/sound/*", "--dpkgopt=path-exclude=/lib/modules/*/kernel/drivers/[ghimrsuv]*/*",
		`--customize-hook=chroot "$1" passwd -q -d root`,
		`--customize-hook=echo diskless > "$1/etc/hostname"`,
		`--customize-hook=echo MODULES=list > "$1/etc/initramfs-tools/conf.d/few"`,
		`--customize-hook=printf "%s\n" e1000 ext4 >> "$1/etc/initramfs-tools/modules"`)
	cmd.Env = append(os.Environ(), "SIZE=1G")
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	t.Logf("the image took %v", time.Since(began).Round(time.Second))
	return image
}
