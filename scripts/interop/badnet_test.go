package interop

import (
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/netio"
	"vbladefs/scripts/torture/faultnet"
)

// TestBadNetwork has the Linux client use ext4, and fio verify a device, over a network that loses, repeats and reorders
// frames: it sees no error, its file system stays whole, and the disks hold what it reads.
//
// The wire holds frames for 5 ms at most: an old copy of a write that the network delivers after a newer one is beyond any
// target, and the client does not write the same sector twice within that.
func TestBadNetwork(t *testing.T) {
	binary := build(t)
	r := newRig(t, 9000, "fio")
	wire := r.badWire(t, 9000)
	d := startDaemon(t, r, binary, "-workers", "2")
	e := export{"e0.1", newDisk(t, 64<<20), framePayload(9000), 0}
	d.echo(t, "add disk "+e.disk.loop, "vblade/drives")
	d.echo(t, "add eth0 0 1", "vblade/disk/ports")
	raw := export{"e0.2", newDisk(t, 128<<10), framePayload(9000), 0}
	d.echo(t, "0 2 eth0 "+raw.disk.loop, "kvblade/add")
	if !t.Run("discovery", func(t *testing.T) { checkDiscovery(t, r, e, raw) }) {
		t.FailNow()
	}
	l, verifier := startLoad(t, r, e), startFio(t, r, raw)
	for range 8 { // without faults, until the driver's timeout is no longer that of its start, 16.5 s
		l.goesOn(t)
	}
	const hold = 5 * time.Millisecond
	for _, f := range []faultnet.Faults{{Lose: 0.03}, {Repeat: 0.05, Reorder: 0.2, Hold: hold}, {Lose: 0.1, Repeat: 0.05, Reorder: 0.2, Hold: hold}} {
		if err := wire.SetFaults(f, f); err != nil {
			t.Fatal(err)
		}
		l.goesOn(t)
		verifier.goesOn(t)
	}
	if err := wire.SetFaults(faultnet.Faults{}, faultnet.Faults{}); err != nil {
		t.Fatal(err)
	}
	l.stop(t)
	verifier.stop(t)
	checkContent(t, r, e, raw)
	reportRetransmits(t, r)
	toward, back := wire.Counts()
	t.Logf("to the client: %+v", toward)
	t.Logf("to the target: %+v", back)
	if toward.Lost == 0 || back.Lost == 0 || toward.Repeated == 0 || back.Reordered == 0 {
		t.Error("the network was not bad")
	}
	t.Run("stops", func(t *testing.T) { d.stop(t) })
}

// badWire puts a wire between the target and the bridge:
//
//	target ─ eth0 ─ p0 ─ wire ─ w0 ─ w1 ─ br0
//
// Each end has the MAC of the station on the other side, so that its frames are for it as for that.
func (r *rig) badWire(t *testing.T, mtu int) *faultnet.Wire {
	t.Helper()
	guest := strings.TrimSpace(r.run(t, "cat /sys/class/net/eth0/address"))
	runtime.LockOSThread() // for good: the thread goes to the segment's namespace, and ends with the test
	fd, err := unix.Open(r.net.Netns(), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		err = unix.Setns(fd, unix.CLONE_NEWNET)
		unix.Close(fd)
	}
	if err != nil {
		t.Fatal(err)
	}
	target, err := netio.Lookup("eth0")
	if err != nil {
		t.Fatal(err)
	}
	err = r.net.IP("link set p0 nomaster", "link set p0 address "+guest, "link add w0 mtu 9000 type veth peer name w1 mtu 9000",
		"link set w0 address "+net.HardwareAddr(target.MAC[:]).String(), "link set w1 master br0",
		"link set w0 addrgenmode none", "link set w1 addrgenmode none", "link set w0 up", "link set w1 up")
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]netio.Link
	for i, name := range []string{"p0", "w0"} {
		if ends[i], err = netio.Open(name, netio.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	w := faultnet.New(ends[0], ends[1], mtu, 1)
	ran := make(chan error, 1)
	go func() { ran <- w.Run() }()
	t.Cleanup(func() {
		w.Close()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		for _, end := range ends {
			_ = end.Close()
		}
	})
	return w
}
