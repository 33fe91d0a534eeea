package main_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe/initiator"
)

// TestKilledWithAStuckDisk: a daemon that is killed, or told to end, while a disk hangs stays a process until the disk
// answers, with its tree, its lock and its claims. Another one is not kept from starting by that, nor
// does it keep who looks at the tree waiting. The disks come back by themselves.
func TestKilledWithAStuckDisk(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) { killedWithAStuckDisk(t, sig) })
	}
}

func killedWithAStuckDisk(t *testing.T, sig syscall.Signal) {
	here, there := netiotest.Pair(t, 1500)
	folder := "-state=" + t.TempDir()
	d := serve(t, here, folder)
	path, content, freeze, thaw := frozenDisk(t)
	healthy, disk := image(t, mib)
	d.echo("add "+path+" 0 1 eth0", "aoeserver")
	d.echo("add "+healthy+" 0 2 eth0", "aoeserver")
	stuck := connect(t, there, "eth0").open("0.1")
	put(t, connect(t, there, "eth0").open("0.2"), disk, 0, 100000)
	freeze()
	frozen := true
	defer func() {
		if frozen {
			thaw()
		}
	}()
	write := &initiator.IO{Op: initiator.Write, LBA: 8, Data: random(512)}
	copy(content[8*512:], write.Data)
	submitted := stuck.Engine().Submit(write)
	if err := stuck.Engine().Push(); submitted != nil || err != nil {
		t.Fatal(submitted, err)
	}
	d.await("the write is with the disk", func() bool { return d.stat("kvblade/0.1@eth0/stats", "in_flight") == "1" })
	if err := d.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	d.await("it ends as far as it can", func() bool { return zombie(d.cmd.Process.Pid) })
	looks := make(chan error, 1)
	if sig == syscall.SIGKILL { // its tree is there still, and who looks at it waits
		go func() {
			_, err := os.ReadFile(filepath.Join(d.dir, "log"))
			looks <- err
		}()
	} else {
		d.checkUnmounted()
		looks <- os.ErrNotExist
	}

	next := serveOn(t, here, d.dir, folder)
	select {
	case err := <-looks:
		if err == nil {
			t.Error("a dead daemon has answered")
		}
	case <-time.After(patience):
		t.Fatal("who looked at the tree of the dead daemon waits still")
	}
	next.readsAll("beside a dying daemon")
	state := func(address string) string { return next.cat("targets/e" + address + "/ports/eth0/state") }
	down := []string{"0.1"} // an old write may still come: nobody else is to serve it
	if sig == syscall.SIGKILL {
		down = append(down, "0.2")
	} else {
		next.await("the other disk is back", func() bool { return strings.Contains(state("0.2"), "up") })
		checkBytes(t, "the other disk, beside the dying daemon", readAll(t, connect(t, there, "eth0").open("0.2")), disk)
	}
	for _, address := range down {
		if state := state(address); !strings.Contains(state, "down") {
			t.Errorf("%s, whose disk the dying daemon has, is %q", address, state)
		}
	}
	second := start(t, here, "serve", folder, mountDir(t))
	if code, said := second.exitCode(), second.stderr.String(); code != 1 || !strings.Contains(said, "another daemon keeps its state") {
		t.Errorf("a second one: exit code %d, %s", code, said)
	}
	elsewhere := serve(t, here) // has addresses of its own; nobody answers for those of the dead
	other, content2 := image(t, mib)
	elsewhere.echo("add "+other+" 0 1 eth0", "aoeserver")
	checkBytes(t, "another disk at the address", readAll(t, connect(t, there, "eth0").open("0.1")), content2)
	elsewhere.stop(syscall.SIGTERM)
	thaw()
	frozen = false
	next.await("the disks come back", func() bool {
		return strings.Contains(state("0.1"), "up") && strings.Contains(state("0.2"), "up")
	})
	d.exitCode()
	checkBytes(t, "the stuck disk", readAll(t, connect(t, there, "eth0").open("0.1")), content)
	checkBytes(t, "the other disk", readAll(t, connect(t, there, "eth0").open("0.2")), disk)
	next.check()
}

// zombie reports whether the first thread of a process has ended.
func zombie(pid int) bool {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	return err == nil && strings.Contains(string(status), "State:\tZ")
}
