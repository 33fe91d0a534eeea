package main_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
)

// TestKvbladeOnTheWire: which commands of kvblade announce what, sheet §2.2 and
// §6, and what its labels do to IDENTIFY, §3.
func TestKvbladeOnTheWire(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	netiotest.Join(here, "eth1", there, "eth1", 1500)
	client, other := connect(t, there, "eth0"), connect(t, there, "eth1")
	d := serve(t, here)
	first, _ := image(t, mib)
	second, _ := image(t, 2*mib)
	d.echo("0 0 eth0 "+first, "kvblade/add")
	d.echo("0 9 eth1 "+second, "kvblade/add")
	// An interface that was not in use announces three times.
	d.await("the announcements repeat", func() bool { return d.announced("0.0@eth0") == 3 && d.announced("0.9@eth1") == 3 })
	client.awaitAnnouncement("0.0")
	other.awaitAnnouncement("0.9")
	client.announcements(50 * time.Millisecond)
	other.announcements(50 * time.Millisecond)

	for _, step := range []struct {
		line, file string
		eth0, eth1 []string // announced there
		afterwards string   // size of 0.0, in sectors
	}{
		{"0 1 eth0 " + first, "kvblade/add", []string{"0.1"}, nil, "2048"}, // the new one alone
		{"0 1 eth0", "kvblade/del", nil, nil, "2048"},
		{"a model", "kvblade/0.0@eth0/model", nil, nil, "2048"},
		{"a number", "kvblade/0.0@eth0/sn", nil, nil, "2048"},
		{"0 0 eth0 " + second, "kvblade/readd", []string{"0.0"}, nil, "4096"},
		{"x", "kvblade/announce", []string{"0.0"}, []string{"0.9"}, "4096"},
	} {
		before0, before1 := d.announced("0.0@eth0", "0.1@eth0"), d.announced("0.9@eth1")
		d.echo(step.line, step.file)
		for _, addr := range step.eth0 {
			client.awaitAnnouncement(addr)
		}
		for _, addr := range step.eth1 {
			other.awaitAnnouncement(addr)
		}
		if got := client.announcements(100 * time.Millisecond); len(got) > 0 {
			t.Errorf("%s > %s: %v announced besides on eth0", step.line, step.file, got)
		}
		if got := other.announcements(100 * time.Millisecond); len(got) > 0 {
			t.Errorf("%s > %s: %v announced besides on eth1", step.line, step.file, got)
		}
		if step.file != "kvblade/del" && d.announced("0.0@eth0", "0.1@eth0") != before0+len(step.eth0) || d.announced("0.9@eth1") != before1+len(step.eth1) {
			t.Errorf("%s > %s: the counters say otherwise", step.line, step.file)
		}
		wantText(t, d.cat("kvblade/0.0@eth0/scnt"), step.afterwards+"\n")
	}
}

// announced adds the announcements of exports up.
func (d *daemon) announced(exports ...string) (n int) {
	for _, export := range exports {
		for _, line := range lines(d.read("kvblade/" + export + "/stats")) {
			if count, ok := strings.CutPrefix(line, "announces "); ok {
				times, err := strconv.Atoi(count)
				if err != nil {
					d.t.Fatal(err)
				}
				n += times
			}
		}
	}
	return n
}

// TestIdentityOnTheWire: what each tree's exports say of themselves, and model
// and serial number after they are written.
func TestIdentityOnTheWire(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	client := connect(t, there, "eth0")
	d := serve(t, here)
	var paths [3]string
	for i := range paths {
		paths[i], _ = image(t, mib)
	}
	d.echo("0 0 eth0 "+paths[0], "kvblade/add")
	d.echo("add "+paths[1]+" 0 1 eth0", "aoeserver")
	d.echo("add do "+paths[2], "vblade/drives")
	d.echo("add eth0 0 2 32 8", "vblade/do/ports")
	found := client.discovers("0.0", "0.1", "0.2")
	for i, want := range []struct {
		addr, model, serial string
		firmware            uint16
		config              string
		buffers             int
	}{
		{"0.0", "EtherDrive(R) kvblade", "SN HERE", 2, "", 64},
		{"0.1", "EtherDrive(R) aoeserver", paths[1][:20], 0x4000, paths[1], 64},
		{"0.2", "EtherDrive(R) vblade-kernel", "do", 3, "", 32},
	} {
		f, id := found[i], client.open(want.addr).Identity
		if id.Model != want.model || id.Serial != want.serial || f.Firmware != want.firmware || f.Config != want.config || f.Buffers != want.buffers {
			t.Errorf("%s: model %q, serial number %q, firmware %#x, config %q, %d buffers; want %+v",
				want.addr, id.Model, id.Serial, f.Firmware, f.Config, f.Buffers, want)
		}
	}

	for _, change := range []struct{ addr, file, text, model, serial string }{
		{"0.0", "kvblade/0.0@eth0/model", "My disk", "My disk", "SN HERE"},
		{"0.0", "kvblade/0.0@eth0/sn", strings.Repeat("0123456789", 3), "My disk", "01234567890123456789"},
		{"0.1", "kvblade/0.1@eth0/model", strings.Repeat("x", 50), strings.Repeat("x", 40), paths[1][:20]},
		{"0.2", "kvblade/0.2@eth0/sn", "", "EtherDrive(R) vblade-kernel", ""},
		{"0.2", "vblade/do/serial", "7", "EtherDrive(R) vblade-kernel", "7"},
		{"0.2", "vblade/do/model", "New", "New", "7"},
	} {
		x := client.open(change.addr)
		d.echo(change.text, change.file)
		if err := x.Identify(); err != nil || x.Identity.Model != change.model || x.Identity.Serial != change.serial {
			t.Errorf("%s > %s: %v, model %q, serial number %q", change.text, change.file, err, x.Identity.Model, x.Identity.Serial)
		}
	}
}

// TestAoeserverEverywhere: an export without interface is on those that there
// are and on those that come; one with an interface is there alone; one on none
// of a client's interfaces gives it no answer.
func TestAoeserverEverywhere(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	d := serve(t, here)
	path, content := image(t, mib)
	bound, _ := image(t, mib)
	d.echo("add "+path+" 0 1", "aoeserver")
	d.echo("add "+bound+" 0 2 eth0", "aoeserver")
	connect(t, there, "eth0").discovers("0.1", "0.2")
	for _, netif := range []string{"eth1", "lan-7"} {
		netiotest.Join(here, netif, there, netif, 1500)
		client := connect(t, there, netif)
		client.discovers("0.1")
		checkBytes(t, netif, readAll(t, client.open("0.1")), content)
	}
	if n := d.announced("0.1@*", "0.2@eth0"); n != 0 {
		t.Errorf("announced %d times: exports of aoeserver are silent until asked", n)
	}
	wantText(t, d.cat("aoeserver"), "#<device>              <shelf>     <slot>     <interface>\n"+
		exportLine(bound[:30], 0, 2)+strings.TrimSuffix(exportLine(path[:30], 0, 1), "eth0\n")+
		"\n\n# access lists\n#<shelf>     <slot>       <allowed host>  \n")
	d.echo("del whatever 0 1", "aoeserver")
	for _, netif := range []string{"eth1", "lan-7"} {
		connect(t, there, netif).discovers()
	}
	connect(t, there, "eth0").discovers("0.2")
}
