package main_test

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/cmd/internal/takeover"
	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe/initiator"
)

// A new daemon that has everything and ends before it serves leaves the running
// one to go on, with new links: nothing is lost, and nobody gets an error.
func TestTakeoverByOneThatEnds(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"ring", "raw", "xdp"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			testTakeoverByOneThatEnds(t, kind)
		})
	}
}

func testTakeoverByOneThatEnds(t *testing.T, kind string) {
	here, there := netiotest.Pair(t, 9000)
	folder := t.TempDir()
	d := serve(t, here, "-state="+folder, "-link", kind)
	v := loadOn(t, there, "eth0", 16, d.exports(3)...)
	for round := range 3 {
		v.goesOn(50)
		from, err := takeover.Ask(t.Context(), folder, takeover.Hello{Directory: d.dir})
		if err != nil {
			t.Fatal(err)
		}
		v.goesOn(50) // it answers still
		if round > 0 {
			_, links, err := from.Ready()
			if err != nil || len(links) != 1 {
				t.Fatalf("%d links: %v", len(links), err)
			}
			time.Sleep(20 * time.Millisecond) // frames wait
			for _, l := range links["eth0"] {
				_ = unix.Close(l.FD)
			}
		}
		for _, claim := range from.Claims {
			_ = claim.Close()
		}
		_ = from.Addresses.Close()
		from.Close()
		d.await("it goes on", func() bool {
			return strings.Count(d.stderr.String(), "nobody has taken over; serving goes on here") == round+1
		})
		d.await("it goes on with its own links", func() bool { return strings.HasSuffix(d.servingBy(), "serving by "+kind) })
	}
	v.goesOn(50)
	path, _ := image(t, mib)
	d.echo("add "+path+" 0 1 eth0", "aoeserver") // and takes commands
	d = d.takenOver(here, program, "-state="+folder)
	v.check()
}

// servingBy is what d has said last of how it serves an interface.
func (d *daemon) servingBy() string {
	said := d.stderr.String()
	said = said[:strings.LastIndex(said, "serving by ")+len("serving by ")+4]
	return strings.Trim(said, "\"\n")
}

// A drive that is stuck prevents a take-over, and nobody else notices.
func TestTakeoverWithAStuckDisk(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 9000)
	state := "-state=" + t.TempDir()
	d := serve(t, here, state, "-link", "raw")
	path, _, freeze, thaw := frozenDisk(t)
	v := loadOn(t, there, "eth0", 8, d.exports(2)...)
	d.echo("add "+path+" 0 1 eth0", "aoeserver")
	stuck := connect(t, there, "eth0").open("0.1")
	freeze()
	if err := stuck.Engine().Submit(&initiator.IO{Op: initiator.Write, Data: random(512)}); err != nil {
		t.Fatal(err)
	}
	if err := stuck.Engine().Push(); err != nil {
		t.Fatal(err)
	}
	d.await("the write is with the disk", func() bool { return d.stat("kvblade/0.1@eth0/stats", "in_flight") == "1" })
	next := start(t, here, "serve", "-takeover", state, d.dir)
	if code := next.exitCode(); code != 1 || !strings.Contains(next.stderr.String(), "goes on") {
		t.Errorf("exit code %d; it says\n%s", code, next.stderr)
	}
	d.await("it serves by its own link again", func() bool {
		return strings.Count(d.stderr.String(), "serving by raw") > 1 && strings.HasSuffix(d.servingBy(), "serving by raw")
	})
	v.goesOn(50)
	thaw()
	d.await("the write is done", func() bool { return d.stat("kvblade/0.1@eth0/stats", "in_flight") == "0" })
	d = d.takenOver(here, program, state)
	v.check()
}

// A daemon that is told to end while another prepares to take over ends; the
// other says why it does not serve.
func TestTakeoverOfOneThatEnds(t *testing.T) {
	t.Parallel()
	here, _ := netiotest.Pair(t, 1500)
	folder := t.TempDir()
	d := serve(t, here, "-state="+folder)
	d.exports(1)
	from, err := takeover.Ask(t.Context(), folder, takeover.Hello{Directory: d.dir})
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	for _, claim := range from.Claims {
		defer claim.Close()
	}
	defer from.Addresses.Close()
	if code := d.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d:\n%s", code, d.stderr)
	}
	if _, _, err := from.Ready(); err == nil {
		t.Error("the new daemon was not told")
	}
	if _, err := os.Stat(takeover.SocketPath(folder)); err == nil {
		t.Error("the socket is left")
	}
}
