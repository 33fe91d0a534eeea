package main_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
)

// fillUp leaves no room on the file system of dir until the caller makes some.
func fillUp(t *testing.T, dir string) (makeRoom func()) {
	t.Helper()
	filler := filepath.Join(dir, "filler")
	out, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = out.Write(make([]byte, 4096))
	}
	_ = out.Close()
	return func() {
		if err := os.Remove(filler); err != nil {
			t.Error(err)
		}
	}
}

// TestUnsavedChangesAreUnseen: what an initiator asks for while the state cannot be saved is not answered, not shown to
// anybody, and not in force; repeated once there is room it is all of that, and after a kill, too.
func TestUnsavedChangesAreUnseen(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	dir, mount := smallDisk(t, 128<<10), mountDir(t)
	path, _ := image(t, mib)
	d := serveOn(t, here, mount, "-state", dir)
	d.echo("add "+path+" 0 1 eth0", "aoeserver")
	c := connect(t, there, "eth0")
	x, err := c.Open(aoe.Addr{Slot: 1}, initiator.Options{Timeout: 400 * time.Millisecond, FindTimeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.Config(aoe.ConfigForceSet, "first"); err != nil { // there was a string already
		t.Fatal(err)
	}
	saved := d.read("saved")
	other := aoe.MAC{2, 0, 0, 0, 0, 9}
	changes := map[string]func() error{
		"config": func() error { _, err := x.Config(aoe.ConfigForceSet, "second"); return err },
		"masks": func() error {
			_, err := x.MaskList(initiator.MaskEdit{Do: aoe.MaskAdd, MAC: c.mac}, initiator.MaskEdit{Do: aoe.MaskAdd, MAC: other})
			return err
		},
		"reserve": func() error { _, err := x.Reserve(aoe.ReserveForceSet, c.mac, other); return err },
	}
	shows := func(when, config string, hosts ...aoe.MAC) {
		t.Helper()
		got, err := x.Config(aoe.ConfigRead, "")
		masks, masksErr := x.MaskList()
		reserve, reserveErr := x.Reserve(aoe.ReserveRead)
		if err := errors.Join(err, masksErr, reserveErr); err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		if string(got.String) != config || !slices.Equal(masks, hosts) || !slices.Equal(reserve, hosts) {
			t.Errorf("%s: config %q, masks %v, reserve %v; want %q and twice %v", when, got.String, masks, reserve, config, hosts)
		}
	}
	makeRoom := fillUp(t, dir)
	for what, change := range changes {
		if err := change(); !errors.Is(err, initiator.ErrTimeout) {
			t.Errorf("%s on a full disk: %v", what, err)
		}
		shows(what+" on a full disk", "first")
		if now := d.read("saved"); now != saved {
			t.Errorf("%s on a full disk: the tree shows\n%s\nwant\n%s", what, now, saved)
		}
	}
	makeRoom()
	x = c.open("0.1")
	for what, change := range changes {
		if err := change(); err != nil {
			t.Errorf("%s with room: %v", what, err)
		}
	}
	shows("with room", "second", c.mac, other)
	saved = d.read("saved")
	d.stop(syscall.SIGKILL)
	d = serveOn(t, here, mount, "-state", dir)
	x = connect(t, there, "eth0").open("0.1")
	shows("after a kill", "second", c.mac, other)
	if now := d.read("saved"); now != saved || !strings.Contains(now, "second") {
		t.Errorf("after a kill the tree shows\n%s\nwant\n%s", now, saved)
	}
}
