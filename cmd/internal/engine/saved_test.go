package engine

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"

	"vbladefs/fusectl"
	"vbladefs/netio"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// TestSavedComesBack has what one engine saves make the same state of another,
// with real disks and links: first with all that was there, and then without a
// disk and an interface.
func TestSavedComesBack(t *testing.T) {
	r := newRig(t, "ring", 1)
	r.Interface("eth0", 1500)
	r.Interface("eth1", 9000)
	disks := strings.NewReplacer("$a", r.Disk("a", 64, false), "$b", r.Disk("b", 8, false), "$c", r.Disk("c", 8, false), "$d", r.Disk("d", 16, true))
	replay(t, r.target, false, disks.Replace(`kvblade/add 1 0 eth0 $a
kvblade/add 1 0 eth1 $a
aoeserver add $b 1 1
aoeserver hostmask 1 1 00:01:02:03:04:05
aoeserver hostmask 1 1 00:01:02:03:04:06
vblade/drives add do $c durable
vblade/do/ports add eth1 1 2 32 8
vblade/do/model my disk
vblade/do/firmware 77
vblade/drives add cd $d ro
targets/blades add e2.0 cd
targets/e2.0/config "\x00\n"
targets/e2.0/masks set 00:01:02:03:04:06 00:01:02:03:04:05
targets/blades add e2.1 cd
targets/ports add e2.1 eth0 quiet force
vblade/drives add part $a offset=8 length=16
targets/blades add e2.2 part
targets/e2.2/read set reject accept 00:01:02:03:04:05 name="two\x20words" log
targets/e2.2/cfgread set accept
targets/e2.2/loud 1
targets/limits set eth0 1400
targets/limits set nosuch1 9000
targets/ports add e2.2 eth*,lan? 16
`))
	saved := string(fusectl.Saved(r.target.State()))
	if err := r.target.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	again := restored(t, saved)
	if d, _ := again.Drive("a"); d.Sectors != 64 || d.Down != "" {
		t.Errorf("drive a: got %+v", d)
	}
	if d, _ := again.Drive("part"); d.Sectors != 16 || d.Down != "" {
		t.Errorf("drive part: got %+v", d)
	}
	if p, _ := again.Port(aoe.Addr{Shelf: 2, Slot: 2}, "eth*,lan?"); !p.Up || p.EffectiveSectors != 2 {
		t.Errorf("port of part: got %+v", p)
	}
	if p, _ := again.Port(aoe.Addr{Shelf: 1}, "eth1"); !p.Up || p.EffectiveSectors != 16 {
		t.Errorf("port of a on eth1: got %+v", p)
	}
	if err := again.Close(context.Background()); err != nil {
		t.Fatal(err)
	}

	if err := os.Remove(disks.Replace("$a")); err != nil {
		t.Fatal(err)
	}
	commands, end, _ := strings.Cut(saved, "# end ")
	n, err := strconv.Atoi(strings.TrimSpace(end))
	if err != nil {
		t.Fatal(err)
	}
	again = restored(t, commands+"targets/ports add e2.1 nosuch0\n"+fmt.Sprintf("# end %d\n", n+1))
	if d, _ := again.Drive("a"); d.Down == "" {
		t.Errorf("drive a has no disk: got %+v", d)
	}
	for _, netif := range []string{"eth0", "nosuch0"} {
		addr := aoe.Addr{Shelf: 1}
		if netif == "nosuch0" {
			addr = aoe.Addr{Shelf: 2, Slot: 1}
		}
		if p, ok := again.Port(addr, netif); !ok || p.Up || p.Down == "" {
			t.Errorf("port on %s: got %+v", netif, p)
		}
	}
	if p, _ := again.Port(aoe.Addr{Shelf: 1, Slot: 2}, "eth1"); !p.Up {
		t.Errorf("what is there waits for what is not: got %+v", p)
	}
}

// TestSavedOnAReadOnlyMedium has a drive that takes no writes because its medium
// does not, take them when that does, after a restart.
func TestSavedOnAReadOnlyMedium(t *testing.T) {
	r := newRig(t, "ring", 1)
	r.Interface("eth0", 1500)
	r.Interface("eth1", 1500)
	path := r.Disk("d", 16, true)
	disks := strings.NewReplacer("$d", path)
	replay(t, r.target, false, disks.Replace("aoeserver add $d 1 1\nvblade/drives add not $d ro\n"))
	for name, unwritable := range map[string]bool{"d": true, "not": false} {
		if d, _ := r.target.Drive(name); !d.ReadOnly || d.Unwritable != unwritable {
			t.Errorf("%+v", d)
		}
	}
	saved := string(fusectl.Saved(r.target.State()))
	if err := r.target.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(r.images[path], path); err != nil {
		t.Fatal(err)
	}
	again := restored(t, saved)
	for name, readOnly := range map[string]bool{"d": false, "not": true} {
		if d, _ := again.Drive(name); d.ReadOnly != readOnly || d.Down != "" {
			t.Errorf("%+v, want read-only %v", d, readOnly)
		}
	}
}

// TestSavedAuto: what a drive may be open for comes back while it is up, down, or asked to take no writes; once that is taken
// back it is what it was.
func TestSavedAuto(t *testing.T) {
	r := newRig(t, "ring", 1)
	r.Interface("eth0", 1500)
	r.Interface("eth1", 1500)
	locked := r.Disk("locked", 8, true)
	disks := strings.NewReplacer("$up", r.Disk("up", 8, false), "$asked", r.Disk("asked", 8, false), "$locked", locked)
	replay(t, r.target, true, disks.Replace(`# vbladefs state 2
vblade/drives add up $up auto
vblade/drives add asked $asked auto
vblade/asked/readonly 1
vblade/drives add locked $locked auto
vblade/locked/readonly 1
vblade/drives add down /nonexistent/disk auto
vblade/drives add wants /nonexistent/disk ro
# end 7
`))
	saved := string(fusectl.Saved(r.target.State()))
	if n := strings.Count(saved, " auto\nvblade/asked/readonly 1\n") + strings.Count(saved, " auto\nvblade/locked/readonly 1\n") + strings.Count(saved, "disk auto\n"); n != 3 {
		t.Errorf("%d of 3 drives are auto:\n%s", n, saved)
	}
	if err := r.target.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	again := restored(t, saved)
	for _, name := range []string{"asked", "locked", "down", "wants"} {
		do(t, again, target.SetReadOnly{Drive: name}) // with auto, that the medium takes none is no error
	}
	for name, want := range map[string]target.DriveInfo{"up": {Auto: true}, "asked": {Auto: true}, "locked": {Auto: true, ReadOnly: true, Unwritable: true}, "down": {Auto: true}, "wants": {}} {
		if d, _ := again.Drive(name); d.Auto != want.Auto || d.ReadOnly != want.ReadOnly || d.Unwritable != want.Unwritable {
			t.Errorf("%+v, want it like %+v", d, want)
		}
	}
}

// restored is an engine that a saved state made, and that saves the same.
func restored(t *testing.T, saved string) *target.Target {
	t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	tgt := New(Options{Link: "ring", Log: log, Spin: target.DefaultSpin})
	t.Cleanup(func() {
		if err := tgt.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	for _, name := range []string{"eth0", "eth1"} {
		info, err := netio.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		tgt.InterfaceChanged(target.Interface(info))
	}
	replay(t, tgt, true, saved)
	if got := string(fusectl.Saved(tgt.State())); got != saved {
		t.Errorf("saved\n%s\ncomes back as\n%s", saved, got)
	}
	return tgt
}

func replay(t *testing.T, tgt *target.Target, restoring bool, text string) {
	t.Helper()
	for _, m := range fusectl.Check([]byte(text)) {
		t.Errorf("Check: %v", m)
	}
	fusectl.Replay([]byte(text), tgt, restoring, func(m fusectl.Mistake) { t.Errorf("%v, of %s %s", m, m.File, m.Text) })
}
