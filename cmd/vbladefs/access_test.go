package main_test

import (
	"strings"
	"testing"

	"vbladefs/netio/netiotest"
)

// TestHostmask: with an access list only the hosts on it find an export, and
// only they are served.
func TestHostmask(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	client := connect(t, there, "eth0")
	d := serve(t, here)
	device, _, disk := loopDisk(t, mib)
	d.echo("add "+device+" 0 1 eth0", "aoeserver")
	d.echo("add "+device+" 0 2 eth0", "aoeserver")
	d.echo("hostmask 0 1 00:16:3e:00:00:01", "aoeserver")
	client.discovers("0.2")
	d.echo("hostmask 0 1 "+client.mac.String(), "aoeserver")
	client.discovers("0.1", "0.2")
	checkBytes(t, "for a host on the list", readAll(t, client.open("0.1")), disk)
	if list := d.cat("aoeserver"); !strings.Contains(list, strings.ToUpper(client.mac.String())+"\n") {
		t.Errorf("the host is not listed:\n%s", list)
	}
	d.echo("rmmask 0 1 "+client.mac.String(), "aoeserver")
	client.discovers("0.2")
	d.echo("rmmask 0 1 00:16:3e:00:00:01", "aoeserver")
	client.discovers("0.1", "0.2")
}

// TestWhoMayWrite: root always, the group given at start, and nobody else;
// everybody may read.
func TestWhoMayWrite(t *testing.T) {
	t.Parallel()
	need(t, "setpriv")
	const nobody, group = "65534", "31337"
	as := func(d *daemon, gid, script string) (said string) {
		out, complaint, _ := d.shell(`setpriv --reuid="$1" --regid="$2" --clear-groups bash -c "$3"`, nobody, gid, script)
		return out + complaint
	}
	ns := netiotest.New(t)
	netiotest.Join(ns, "eth0", netiotest.New(t), "eth0", 1500)
	d := serve(t, ns, "-group", group)
	device, _, _ := loopDisk(t, mib)
	add := "echo 0 1 eth0 " + device + " > $T/kvblade/add"
	if said := as(d, nobody, add); !strings.HasSuffix(said, "Permission denied") || d.cat("vblade/drives") != "" {
		t.Errorf("nobody writes: %q, drives %q", said, d.cat("vblade/drives"))
	}
	if said := as(d, group, add); said != "" || d.cat("vblade/drives") == "" {
		t.Errorf("the group writes: %q", said)
	}
	if said := as(d, nobody, "cat $T/kvblade/0.1@eth0/bpath"); said != device+"\n" {
		t.Errorf("nobody reads: %q", said)
	}

	d = serve(t, ns)
	if said := as(d, group, add); !strings.HasSuffix(said, "Permission denied") {
		t.Errorf("without -group the group writes: %q", said)
	}
}

// TestLinkKinds: each kind of link carries data, and the log says which it is.
func TestLinkKinds(t *testing.T) {
	t.Parallel()
	for flag, kind := range map[string]string{"ring": "ring", "raw": "raw", "xdp": "xdp", "auto": "ring"} {
		here, there := netiotest.Pair(t, 9000)
		d := serve(t, here, "-link", flag, "-busy-poll", "0")
		path, disk := image(t, mib)
		d.echo("add "+path+" 0 1 eth0", "aoeserver")
		if log := d.read("log"); !strings.Contains(log, "by "+kind) {
			t.Errorf("-link %s: no %q in the log:\n%s", flag, "by "+kind, log)
		}
		x := connect(t, there, "eth0").open("0.1")
		put(t, x, disk, 1000, 200000)
		checkBytes(t, flag, readAll(t, x), disk)
		checkFile(t, path, disk)
	}
}

// TestIOKinds: each kind of disk queue carries data, and only what is to use io_uring does.
func TestIOKinds(t *testing.T) {
	t.Parallel()
	for flag, ring := range map[string]bool{"uring": true, "sync": false, "auto": true} {
		here, there := netiotest.Pair(t, 9000)
		d := serve(t, here, "-io", flag)
		path, disk := image(t, mib)
		d.echo("add "+path+" 0 1 eth0", "aoeserver")
		x := connect(t, there, "eth0").open("0.1")
		put(t, x, disk, 1000, 200000)
		checkBytes(t, flag, readAll(t, x), disk)
		checkFile(t, path, disk)
		if has := d.holds("anon_inode:[io_uring]") > 0; has != ring {
			t.Errorf("-io %s: the daemon has an io_uring: %v", flag, has)
		}
	}
}
