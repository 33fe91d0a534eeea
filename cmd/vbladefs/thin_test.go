package main_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
)

// allocated is how many bytes of the medium a file has.
func allocated(t *testing.T, path string) int64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Blocks * 512
}

// trims gives a range up, as ATA's DATA SET MANAGEMENT.
func trims(t *testing.T, x *initiator.Export, lba uint64, sectors int) {
	t.Helper()
	block := make([]byte, aoe.SectorSize)
	binary.LittleEndian.PutUint64(block, lba|uint64(sectors)<<48)
	if _, err := x.Command(aoe.ATA{Flags: aoe.ATAExtended | aoe.ATAWrite, Feature: 1, Count: 1, Command: 0x06}, block); err != nil {
		t.Fatalf("trim: %v", err)
	}
}

// TestThin makes a sparse image by a command, fills a part of it, and has it
// sparse again by zeros and by TRIM; so it is after a restart, too.
func TestThin(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 9000)
	dir, mount := t.TempDir(), mountDir(t)
	path := filepath.Join(dir, "new.img")
	state := filepath.Join(dir, "state")
	d := serveOn(t, there, mount, "-state", state)
	d.echo("add do "+path+" size=64M", "vblade/drives")
	d.echo("add eth0 0 1", "vblade/do/ports")
	if info, err := os.Stat(path); err != nil || info.Size() != 64*mib || info.Mode().Perm() != 0o600 || allocated(t, path) != 0 {
		t.Fatalf("what was made: %v, %v", info, err)
	}
	c := connect(t, here, "eth0")
	x := c.open("0.1")
	full := []byte(strings.Repeat("data", mib/4))
	zeros := make([]byte, mib)
	writes := func(data []byte, at int64) {
		t.Helper()
		if _, err := x.WriteAt(data, at); err != nil {
			t.Fatal(err)
		}
	}
	writes(zeros, 8*mib)
	if n := allocated(t, path); n != 0 {
		t.Errorf("zeros take %d bytes of a sparse file", n)
	}
	writes(full, 0)
	writes(full, mib)
	if n := allocated(t, path); n < 2*mib {
		t.Errorf("2 MiB of data take %d bytes", n)
	}
	writes(zeros, 0)
	trims(t, x, 2048, 1024)
	if n := allocated(t, path); n > mib/2+64<<10 {
		t.Errorf("what is left, 512 KiB of data, takes %d bytes", n)
	}
	got := make([]byte, 2*mib)
	if _, err := x.ReadAt(got, 0); err != nil {
		t.Fatal(err)
	}
	want := string(zeros) + string(zeros[:mib/2]) + string(full[:mib/2])
	if string(got) != want {
		t.Error("the disk reads wrong")
	}
	d.echo("0", "vblade/do/thin")
	writes(zeros, 4*mib)
	if n := allocated(t, path); n < mib+mib/2 {
		t.Errorf("zeros on a drive that is thin no more take nothing: %d bytes in all", n)
	}
	d.echo("1", "vblade/do/thin")
	if saved := d.read("saved"); !strings.Contains(saved, "vblade/drives add do "+path+" thin\n") {
		t.Errorf("saved: %s", saved)
	}
	d.stop(unix.SIGTERM)
	d = serveOn(t, there, mount, "-state", state)
	if got := d.read("vblade/do/thin"); got != "1\n" {
		t.Errorf("after a restart thin is %q", got)
	}
}

// TestSizeOfWhatIsThere gives sizes of files that are there, and makes none for
// commands that fail.
func TestSizeOfWhatIsThere(t *testing.T) {
	t.Parallel()
	d := serve(t, netiotest.New(t))
	dir := t.TempDir()
	path, _ := image(t, mib)
	refused := func(line, want string) {
		t.Helper()
		if errno := d.tryEcho(line, "vblade/drives"); errno != want {
			t.Errorf("%s: %q, want %s", line, errno, want)
		}
	}
	d.echo("add same "+path+" size=1M", "vblade/drives")
	refused("add more "+path+" size=2M", "EEXIST")
	refused("add more "+dir+" size=2M", "EEXIST")
	fresh := filepath.Join(dir, "fresh")
	refused("add same "+fresh+" size=2M", "EEXIST")
	refused("add b/d "+fresh+" size=2M", "EINVAL")
	refused("add part "+fresh+" size=2M offset=9999", "ERANGE")
	refused("add part "+fresh+" size=700", "EINVAL")
	refused("add part "+filepath.Join(dir, "no/folder")+" size=2M", "ENOENT")
	if names, err := os.ReadDir(dir); err != nil || len(names) != 0 {
		t.Errorf("refused commands made %v, %v", names, err)
	}
}
