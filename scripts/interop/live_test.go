package interop

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestLinuxClientFollows has exports change under the client: sizes and pauses.
func TestLinuxClientFollows(t *testing.T) {
	binary := build(t)
	r := newRig(t, 9000)
	d := startDaemon(t, r, binary)
	e := export{"e0.1", newDisk(t, 8<<20), framePayload(9000), 0}
	d.echo(t, "add disk "+e.disk.loop, "vblade/drives")
	d.echo(t, "add eth0 0 1", "vblade/disk/ports")
	if !t.Run("discovery", func(t *testing.T) { checkDiscovery(t, r, e) }) {
		t.FailNow()
	}
	const shownSize = "grep -qx %d '%s/size'" // sectors
	t.Run("a closed disk grows", func(t *testing.T) {
		e.disk.resize(t, 12<<20)
		r.run(t, "until_ok "+shownSize, 12<<11, e.sysfs())
	})
	t.Run("an open disk grows when it is asked about", func(t *testing.T) {
		r.run(t, `sleep 100000 <%[1]s >/dev/null 2>&1 & echo $! >/tmp/holder
			until_ok sh -c "readlink /proc/$!/fd/0 | grep -qx %[1]s"`, e.dev())
		e.disk.resize(t, 16<<20)
		d.echo(t, "1", "vblade/disk/resize")
		if size := strings.TrimSpace(d.cat(t, "vblade/disk/size")); size != fmt.Sprint(16<<11) {
			t.Errorf("the daemon serves %s sectors", size)
		}
		r.run(t, shownSize+" || { echo 'the driver has changed: it follows an open disk'; exit 1; }", 12<<11, e.sysfs())
		r.run(t, "aoe-revalidate %s; until_ok "+shownSize, e.name, 16<<11, e.sysfs())
		r.run(t, "dd if=/dev/urandom of=%s bs=4k count=8 seek=%d oflag=direct 2>&1; kill $(cat /tmp/holder)", e.dev(), 16<<8-8)
	})
	t.Run("a pause is ridden out", func(t *testing.T) {
		d.echo(t, "1", "vblade/disk/pause")
		before := e.disk.sum(t)
		r.run(t, "(dd if=/dev/urandom of=%s bs=64k count=16 oflag=direct >/tmp/dd.log 2>&1; echo $? >/tmp/dd.exit) >/dev/null 2>&1 &", e.dev())
		r.run(t, "until_ok grep -q retransmit /var/log/aoe.err")
		if e.disk.sum(t) != before {
			t.Error("the disk has changed during the pause")
		}
		d.echo(t, "0", "vblade/disk/pause")
		r.run(t, "until_ok test -s /tmp/dd.exit; grep -qx 0 /tmp/dd.exit || { cat /tmp/dd.log; exit 1; }")
		checkContent(t, r, e)
	})
	t.Run("stops", func(t *testing.T) { d.stop(t) })
}

// resize gives the file and its loop device another size.
func (d *disk) resize(t *testing.T, sizeBytes int64) {
	t.Helper()
	if err := os.Truncate(d.file, sizeBytes); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("losetup", "-c", d.loop).CombinedOutput(); err != nil {
		t.Fatalf("losetup -c: %v: %s", err, out)
	}
	d.sizeBytes = sizeBytes
}
