package interop

import (
	"os/exec"
	"strings"
	"testing"
)

// checkExt4: a file system made by the client keeps its files over a remount, and the host finds the same ones in the
// backing file.
func checkExt4(t *testing.T, r *rig, e export) {
	sums := r.run(t, `
		mkfs.ext4 -q -F %[1]s
		mount -t ext4 %[1]s /mnt
		mkdir -p /mnt/small
		dd if=/dev/urandom of=/mnt/large bs=64k count=64 2>/dev/null
		for i in $(seq 100); do echo "file $i" >/mnt/small/$i; done
		dd if=/dev/urandom of=/mnt/odd bs=777 count=3 2>/dev/null
		rm /mnt/small/50
		sync
		(cd /mnt; find . -type f | sort | xargs sha256sum) >/tmp/before
		umount /mnt
		blockdev --flushbufs %[1]s
		mount -t ext4 %[1]s /mnt
		(cd /mnt; find . -type f | sort | xargs sha256sum) >/tmp/after
		umount /mnt
		cmp /tmp/before /tmp/after
		blockdev --flushbufs %[1]s
		e2fsck -fn %[1]s >/tmp/fsck 2>&1 || { cat /tmp/fsck; exit 1; }
		cat /tmp/after`, e.dev())
	checkContent(t, r, e)
	if out, err := exec.Command("e2fsck", "-fn", e.disk.file).CombinedOutput(); err != nil {
		t.Errorf("%s: the host's e2fsck: %v\n%s", e.name, err, out)
	}
	compareFiles(t, e, sums)
}

// compareFiles looks for files of the client's sha256sum listing in the backing file, past all of AoE.
func compareFiles(t *testing.T, e export, listing string) {
	inGuest := map[string]string{}
	for line := range strings.Lines(listing) {
		if sum, name, ok := strings.Cut(strings.TrimSpace(line), "  ./"); ok {
			inGuest[name] = sum
		}
	}
	if len(inGuest) != 101 {
		t.Errorf("%s: %d files on the file system, not 101", e.name, len(inGuest))
	}
	for _, name := range []string{"large", "odd", "small/7"} {
		content, err := exec.Command("debugfs", "-R", "cat /"+name, e.disk.file).Output()
		if sum := sumOf(content); err != nil || sum != inGuest[name] {
			t.Errorf("%s: /%s has sum %s on the host and %s in the client; %v", e.name, name, sum, inGuest[name], err)
		}
	}
}
