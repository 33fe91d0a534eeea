package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe"
)

// TestNothingLeaksInCycles adds and removes exports through the three trees,
// uses some of them, and counts the daemon's descriptors and threads.
func TestNothingLeaksInCycles(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	client := connect(t, there, "eth0")
	d := serve(t, here)
	device, _, disk := loopDisk(t, mib)
	file, _ := image(t, mib)
	cycle := func(n int) {
		_, complaint, err := d.shell(`set -e
			for i in $(seq "$1"); do
				echo add "$2" 0 1 eth0 > "$T/aoeserver"
				echo add d "$3" > "$T/vblade/drives"
				echo add eth0 0 2 > "$T/vblade/d/ports"
				echo 0 3 eth0 "$3" > "$T/kvblade/add"
				echo add x /nothing > "$T/vblade/drives" 2> /dev/null && exit 9
				echo del x 0 3 eth0 > "$T/aoeserver"
				echo 0 2 eth0 > "$T/kvblade/del"
				echo del d > "$T/vblade/drives"
				cat "$T"/*/* "$T"/aoeserver > /dev/null 2>&1 || :
				echo 0 1 eth0 > "$T/kvblade/del"
			done`, fmt.Sprint(n), device, file)
		if err != nil || complaint != "" {
			t.Fatalf("%v: %s", err, complaint)
		}
	}
	use := func() {
		d.echo("add "+device+" 0 1 eth0", "aoeserver")
		checkBytes(t, "0.1", readAll(t, client.open("0.1")), disk)
		d.echo("del "+device+" 0 1 eth0", "aoeserver")
	}
	for range 3 { // the Go runtime keeps threads and descriptors of its own
		cycle(10)
		use()
	}
	descriptors, threads := d.count("fd"), d.count("task")
	cycle(200)
	use()
	if n := d.count("fd"); n != descriptors {
		t.Errorf("%d descriptors after 200 cycles, %d before", n, descriptors)
	}
	if n := d.count("task"); n > threads+32 { // the runtime starts one when many wait at once; a leak would be hundreds
		t.Errorf("%d threads after 200 cycles, %d before", n, threads)
	}
	wantText(t, d.cat("vblade/drives"), "")
}

// TestThousandExports are added with one write, found with one broadcast and
// removed with one write.
func TestThousandExports(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	client := connect(t, there, "eth0")
	d := serve(t, here)
	device, _, disk := loopDisk(t, mib)
	const exports = 1000
	commands := func(verb string) string {
		var b strings.Builder
		for i := range exports {
			fmt.Fprintf(&b, "%s %s %d %d eth0\n", verb, device, i/100, i%100)
		}
		return b.String()
	}
	d.writeAtOnce("aoeserver", commands("add"))
	if n := len(lines(d.cat("vblade/drives"))); n != exports {
		t.Errorf("%d drives, want %d", n, exports)
	}
	if entries, err := os.ReadDir(filepath.Join(d.dir, "kvblade")); err != nil || len(entries) != exports+4 {
		t.Errorf("%d entries in kvblade, %v; want 4 files and %d exports", len(entries), err, exports)
	}
	found, err := client.Discover(2 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	answered := map[aoe.Addr]bool{}
	for _, f := range found {
		answered[f.Addr] = true
	}
	for i := range exports {
		if addr := (aoe.Addr{Shelf: uint16(i / 100), Slot: uint8(i % 100)}); !answered[addr] {
			t.Errorf("%s did not answer", addr)
		}
	}
	if len(found) != exports {
		t.Errorf("%d answers, want %d", len(found), exports)
	}
	checkBytes(t, "the last one", readAll(t, client.open("9.99")), disk)
	d.writeAtOnce("aoeserver", commands("del"))
	client.discovers()
	wantText(t, d.cat("vblade/drives"), "")
	if n := d.holds(device); n != 0 {
		t.Errorf("the device is still open %d times", n)
	}
}

// writeAtOnce writes text to a file with one write(2).
func (d *daemon) writeAtOnce(file, text string) {
	d.t.Helper()
	f, err := os.OpenFile(filepath.Join(d.dir, file), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	if n, err := f.WriteString(text); n != len(text) || err != nil {
		d.t.Fatalf("%d of %d bytes written: %v: %s", n, len(text), err, d.lastEvent())
	}
}
