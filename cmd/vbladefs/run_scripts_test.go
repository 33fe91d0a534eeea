package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vbladefs/netio/netiotest"
)

// script is the path of one that was written for a kernel target.
func script(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata/scripts", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRunScripts: scripts that name files in /sys and /proc work unedited, and what they export is served.
func TestRunScripts(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 9000)
	d := serve(t, here)
	loop0, file0, disk0 := loopDisk(t, mib)
	loop1, _, disk1 := loopDisk(t, mib)
	loop2, _, disk2 := loopDisk(t, 2*mib)
	_, file3, disk3 := loopDisk(t, 2*mib)
	name := filepath.Base(loop1)

	wantText(t, d.inGuest(`"$1" "$2" "$3" "$4"`, script(t, "article"), loop0, loop1, loop2),
		"#<device>              <shelf>     <slot>     <interface>\n"+
			exportLine(loop2, 0, 2)+exportLine(loop1, 0, 1)+exportLine(loop0, 0, 0)+
			"\n# access lists\n#<shelf>     <slot>       <allowed host>  \n"+
			fmt.Sprintf("%s %s 2048 rw 1\n%s %s 2048 rw 1\ndo %s 4096 rw 1\n", filepath.Base(loop0), loop0, name, loop1, loop2)+
			"eth0 0 2 32 8 8\n")

	// A relative path, from a working folder.
	if got := d.inGuest(`cd "$1" && "$2" 0 3 eth0 disk.img`, filepath.Dir(file3), script(t, "export")); got != "" {
		t.Errorf("export says %q", got)
	}
	at := func(slot, text string) string { return "0." + slot + "@eth0" + text }
	wantText(t, d.inGuest(`"$1"`, script(t, "list")),
		at("0", " "+loop0+" 2048\n")+at("1", " "+loop1+" 2048\n")+at("2", " "+loop2+" 4096\n")+at("3", " "+file3+" 4096\n")+
			at("0", " 2048\n")+at("1", " 2048\n")+at("2", " 4096\n")+at("3", " 4096\n")+
			"/sys/kvblade/"+at("0", "/bpath\n")+"/sys/kvblade/"+at("1", "/bpath\n")+
			"/sys/kvblade/"+at("2", "/bpath\n")+"/sys/kvblade/"+at("3", "/bpath\n")+
			"kvblade\nvblade\n4\n")

	client := connect(t, there, netiotest.Netif)
	for addr, want := range map[string][]byte{"0.0": disk0, "0.1": disk1, "0.2": disk2, "0.3": disk3} {
		checkBytes(t, addr, readAll(t, client.open(addr)), want)
	}
	put(t, client.open("0.0"), disk0, 5000, 5000)
	checkFile(t, file0, disk0)

	// What is refused is refused there too, and the log says why.
	got := d.inGuest(`"$1" 0 0 eth0 "$2" 2>&1`, script(t, "export"), loop0)
	if !strings.Contains(got, "File exists") && !strings.Contains(got, "I/O error") || !strings.HasSuffix(got, "unsuccessful\n") {
		t.Errorf("a second export of the address says %q", got)
	}
	if event := d.lastEvent(); !strings.Contains(event, "EEXIST") {
		t.Errorf("the log ends in %q", event)
	}
	d.inGuest(`echo del x 0 1 eth0 > /proc/aoeserver; echo 0 0 eth0 > /sys/kvblade/del; echo del do > /sys/vblade/drives 2>/dev/null; true`)
	if _, err := os.Stat(filepath.Join(d.dir, "kvblade", at("0", ""))); !os.IsNotExist(err) {
		t.Errorf("0.0 after its removal: %v", err)
	}
	d.awaitNoView()
}
