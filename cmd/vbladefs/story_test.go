package main_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
)

// TestStory is what a user does on the first day: exports through three trees,
// looked at from each of them and used from the other end, and all taken away
// through a tree that they were not added through.
func TestStory(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 9000)
	client := connect(t, there, netiotest.Netif)
	d := serve(t, here)
	loop1, file1, disk1 := loopDisk(t, 2*mib)
	loop2, file2, disk2 := loopDisk(t, 4*mib)
	loop0, file0, disk0 := loopDisk(t, mib)
	name0, name1 := filepath.Base(loop0), filepath.Base(loop1)

	d.echo("add "+loop1+" 0 1 eth0", "aoeserver")
	if got := client.announcements(200 * time.Millisecond); len(got) > 0 || d.stat("kvblade/0.1@eth0/stats", "announces") != "0" {
		t.Errorf("aoeserver announced %v", got)
	}
	d.echo("add do "+loop2, "vblade/drives")
	d.echo("add eth0 0 2 32 8", "vblade/do/ports")
	client.awaitAnnouncement("0.2")
	d.echo("0 0 eth0 "+loop0, "kvblade/add")
	client.awaitAnnouncement("0.0")

	wantText(t, d.cat("aoeserver"), "#<device>              <shelf>     <slot>     <interface>\n"+
		exportLine(loop0, 0, 0)+exportLine(loop2, 0, 2)+exportLine(loop1, 0, 1)+
		"\n# access lists\n#<shelf>     <slot>       <allowed host>  \n")
	wantText(t, d.cat("vblade/drives"), fmt.Sprintf("%s %s 4096 rw 1\ndo %s 8192 rw 1\n%s %s 2048 rw 1\n",
		name1, loop1, loop2, name0, loop0))
	wantText(t, d.cat("vblade/do/ports", "vblade/"+name1+"/ports"), "eth0 0 2 32 8 8\neth0 0 1 64 0 16\n")
	wantText(t, d.cat("kvblade/0.1@eth0/bpath", "kvblade/0.2@eth0/scnt", "kvblade/0.0@eth0/mtu"), loop1+"\n8192\n8192\n")

	found := client.discovers("0.0", "0.1", "0.2")
	if f := found[1]; f.Buffers != 64 || f.Sectors != 16 || f.Config != loop1 {
		t.Errorf("e0.1 advertises %d buffers, %d sectors, %q", f.Buffers, f.Sectors, f.Config)
	}
	if f := found[2]; f.Buffers != 32 || f.Sectors != 8 {
		t.Errorf("e0.2 advertises %d buffers, %d sectors; 32 and 8 were asked for", f.Buffers, f.Sectors)
	}
	for addr, disk := range map[string]struct {
		file    string
		content []byte
	}{"0.0": {file0, disk0}, "0.1": {file1, disk1}, "0.2": {file2, disk2}} {
		x := client.open(addr)
		checkBytes(t, addr, readAll(t, x), disk.content)
		put(t, x, disk.content, 12345, 300000)
		put(t, x, disk.content, len(disk.content)-512, 512)
		checkBytes(t, addr, readAll(t, x), disk.content)
		checkFile(t, disk.file, disk.content)
	}
	if reads := d.stat("vblade/do/stats", "reads"); reads == "0" || d.stat("vblade/do/stats", "errors") != "0" {
		t.Errorf("statistics of a used drive:\n%s", d.cat("vblade/do/stats"))
	}

	d.echo("0 1 eth0", "kvblade/del")                               // came through aoeserver
	d.echo("del "+loop2+" 0 2 eth0", "aoeserver")                   // came through vblade
	d.echo("del eth0 0 0", "vblade/"+name0+"/ports")                // came through kvblade
	wantText(t, d.cat("vblade/drives"), "do "+loop2+" 8192 rw 0\n") // the user's own drive stays
	client.discovers()
	d.echo("del do", "vblade/drives")
	wantText(t, d.cat("vblade/drives"), "")
	for _, device := range []string{loop0, loop1, loop2} {
		if n := d.holds(device); n != 0 {
			t.Errorf("%s is still held by %d descriptors", device, n)
		}
	}
}

// TestAoetools asks with Debian's own client.
func TestAoetools(t *testing.T) {
	t.Parallel()
	need(t, "aoeping")
	here, there := netiotest.Pair(t, 1500)
	d := serve(t, here)
	device, _, _ := loopDisk(t, mib)
	d.echo("add "+device+" 7 3 eth0", "aoeserver")
	for _, ask := range []struct{ option, want string }{
		{"-v", "found e7.3"},
		{"-I", "EtherDrive(R) aoeserver"},
		{"-S=return_status", "LBA High: 0xc2"},
	} {
		args := append([]string{"-s", "10"}, append(strings.Split(ask.option, "="), "7", "3", netiotest.Netif)...)
		out, err := there.Command("aoeping", args...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), ask.want) {
			t.Errorf("aoeping %v: %v, no %q in:\n%s", args, err, ask.want, out)
		}
	}
}

// TestAnnounce asks for announcements by hand.
func TestAnnounce(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	client := connect(t, there, netiotest.Netif)
	d := serve(t, here)
	path, _ := image(t, mib)
	d.echo("add "+path+" 3 4 eth0", "aoeserver")
	d.echo("all", "kvblade/announce")
	client.awaitAnnouncement("3.4")
}

// exportLine is a line of aoeserver's listing.
func exportLine(device string, shelf, slot int) string {
	return fmt.Sprintf("%-25s %-10d %-10deth0\n", device, shelf, slot)
}

func wantText(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
