package interop

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"vbladefs/scripts/vm"
)

// export is what the client should find under an address.
type export struct {
	name         string // eSHELF.SLOT
	disk         disk
	payloadBytes int // data in a full frame
	buffers      int // what it advertises as buffer count; 0: not known here
}

func (e export) dev() string   { return "/dev/etherd/" + e.name }
func (e export) sysfs() string { return "/sys/block/etherd!" + e.name }

// checkAnnounced: the client learns of them by itself, from the announcement that their tree sends for a new port.
func checkAnnounced(t *testing.T, r *rig, exports ...export) {
	for _, e := range exports {
		r.run(t, "until_ok test -b %s", e.dev())
	}
}

// checkDiscovery: the client finds them when it asks.
func checkDiscovery(t *testing.T, r *rig, exports ...export) {
	r.run(t, "aoe-interfaces eth0; aoe-discover")
	for _, e := range exports {
		r.run(t, "until_ok test -b %s; until_ok grep -qx up '%s/state'", e.dev(), e.sysfs())
	}
}

func checkSize(t *testing.T, r *rig, exports ...export) {
	for _, e := range exports {
		if got := strings.TrimSpace(r.run(t, "blockdev --getsize64 %s", e.dev())); got != fmt.Sprint(e.disk.sizeBytes) {
			t.Errorf("%s: the client sees %s bytes, the backing file has %d", e.name, got, e.disk.sizeBytes)
		}
	}
}

// checkPayload: the driver says what frame size it settled on, in the kernel log and in sysfs.
func checkPayload(t *testing.T, r *rig, exports ...export) {
	log := r.run(t, "dmesg | grep 'byte data frames' || true")
	for _, e := range exports {
		if got := strings.TrimSpace(r.run(t, "cat '%s/payload'", e.sysfs())); got != fmt.Sprint(e.payloadBytes) {
			t.Errorf("%s: payload %s, expected %d", e.name, got, e.payloadBytes)
		}
		if line := fmt.Sprintf("%s: setting %d byte data frames", e.name, e.payloadBytes); !strings.Contains(log, line) {
			t.Errorf("%s: the kernel log has no %q:\n%s", e.name, line, log)
		}
	}
}

// pathLine is a target's line in /sys/kernel/debug/aoe/eX.Y: MAC:outstanding:window:frames, frames being the smaller one
// of the target's buffer count and aoe_maxout (64).
var pathLine = regexp.MustCompile(`(?m)^([0-9a-f]{12}):\d+:(\d+):(\d+)$`)

// checkBuffers: one path each, the buffer count asked for, and a window that the driver can work with.
func checkBuffers(t *testing.T, r *rig, exports ...export) {
	for _, e := range exports {
		text := r.run(t, "cat /sys/kernel/debug/aoe/%s", e.name)
		paths := pathLine.FindAllStringSubmatch(text, -1)
		if len(paths) != 1 {
			t.Errorf("%s: %d paths, not one:\n%s", e.name, len(paths), text)
			continue
		}
		window, _ := strconv.Atoi(paths[0][2])
		frames, _ := strconv.Atoi(paths[0][3])
		if window < 1 || frames < 2 || e.buffers != 0 && frames != e.buffers {
			t.Errorf("%s: window %d, buffer count %d, expected %d (0: at least 2)", e.name, window, frames, e.buffers)
		}
	}
}

func checkStat(t *testing.T, r *rig, exports ...export) {
	text := r.run(t, "aoe-stat")
	for _, e := range exports {
		line := regexp.MustCompile(fmt.Sprintf(`(?m)^\s*%s\s+\d+\.\d+GB\s+eth0\s+%d\s+up\s*$`, regexp.QuoteMeta(e.name), e.payloadBytes))
		if !line.MatchString(text) {
			t.Errorf("aoe-stat has no good line for %s:\n%s", e.name, text)
		}
	}
}

// checkQuiet: without load the client repeats nothing and gets no reply it did not wait for. The driver's first timeout
// after an IDENTIFY is 16.5 s and still 2 s after 64 replies, so no pause of a busy machine can be taken for a loss.
func checkQuiet(t *testing.T, r *rig, e export) {
	const complaints = `grep -cE 'retransmit|unexpected rsp' /var/log/aoe.err || true`
	before := r.run(t, complaints)
	r.run(t, "aoe-revalidate %s; until_ok grep -qx up '%s/state'", e.name, e.sysfs())
	r.run(t, "dd if=%[1]s of=/tmp/quiet bs=4k count=48 iflag=direct 2>&1; dd if=/tmp/quiet of=%[1]s bs=4k count=16 oflag=direct 2>&1", e.dev())
	if after := r.run(t, complaints); after != before {
		t.Errorf("48 quiet reads, 16 quiet writes; complaints before: %sand after: %s%s", before, after, r.evidence())
	}
	if text := r.run(t, "cat /sys/kernel/debug/aoe/%s", e.name); !regexp.MustCompile(`(?m)^\s*taint:0$`).MatchString(text) {
		t.Errorf("the path is tainted:\n%s", text)
	}
}

// checkContent: the client reads what the host has.
func checkContent(t *testing.T, r *rig, exports ...export) {
	for _, e := range exports {
		got := strings.TrimSpace(r.run(t, "blockdev --flushbufs %s; sha %s", e.dev(), e.dev()))
		if want := e.disk.sum(t); got != want {
			t.Errorf("%s: the client reads %s, the backing file has %s", e.name, got, want)
		}
	}
}

// checkWrite: what the client writes to the device, in full frames with a remainder, in small pieces and up to the last
// sector, the host has.
func checkWrite(t *testing.T, r *rig, exports ...export) {
	for _, e := range exports {
		before := e.disk.sum(t)
		sectors := e.disk.sizeBytes / 512
		r.run(t, `
			dd if=/dev/urandom of=/tmp/data bs=64k count=33 2>/dev/null
			dd if=/tmp/data of=%[1]s bs=264k seek=3 oflag=direct 2>&1
			dd if=/tmp/data of=%[1]s bs=512 count=40 seek=1 oflag=direct 2>&1
			dd if=/tmp/data of=%[1]s bs=512 count=5 seek=%[2]d oflag=direct 2>&1
			dd if=%[1]s of=/tmp/back bs=264k skip=3 count=8 iflag=direct 2>&1
			cmp /tmp/data /tmp/back
			rm /tmp/data /tmp/back`, e.dev(), sectors-5)
		if e.disk.sum(t) == before {
			t.Errorf("%s: the backing file did not change", e.name)
		}
		checkContent(t, r, e)
	}
}

// checkReadOnly: writes fail at once, for good, and change nothing.
func checkReadOnly(t *testing.T, r *rig, e export) {
	before := e.disk.sum(t)
	text := r.run(t, `
		dmesg -c >/dev/null
		if dd if=/dev/zero of=%[1]s bs=4k count=1 oflag=direct 2>&1; then echo 'it was written'; exit 1; fi
		if dd if=/dev/zero of=%[1]s bs=512 count=1 seek=100 conv=fsync 2>&1; then echo 'it was written'; exit 1; fi
		dmesg`, e.dev())
	if !strings.Contains(text, "ata error cmd=34h stat=41h from "+e.name) {
		t.Errorf("%s: the driver does not report an ATA abort:\n%s", e.name, text)
	}
	if state := strings.TrimSpace(r.run(t, "cat '%s/state'", e.sysfs())); state != "up" {
		t.Errorf("%s is %s after a refused write", e.name, state)
	}
	if e.disk.sum(t) != before {
		t.Errorf("%s: the backing file changed", e.name)
	}
	checkContent(t, r, e)
}

// checkPing: aoetools' aoeping, on the host's second leg, gets an answer for each export and the identity of its disk.
func checkPing(t *testing.T, r *rig, exports ...export) {
	for _, e := range exports {
		shelf, slot, _ := strings.Cut(strings.TrimPrefix(e.name, "e"), ".")
		out, err := r.net.Command(r.ctx, "aoeping", "-s", "10", "-I", shelf, slot, vm.OtherIf).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "serial") {
			t.Errorf("aoeping -I %s %s: %v\n%s", shelf, slot, err, out)
		}
	}
}

// checkSancheck: aoetools' aoe-sancheck, in the guest, finds each export on one path that carries its whole payload. It
// sends IDENTIFY requests of every length up to the MTU.
func checkSancheck(t *testing.T, r *rig, exports ...export) {
	text := r.run(t, "aoe-sancheck 2>&1")
	for _, e := range exports {
		line := regexp.MustCompile(fmt.Sprintf(`(?m)^%s\s+1\s+%d\s+eth0\b`, regexp.QuoteMeta(e.name), e.payloadBytes))
		if !line.MatchString(text) {
			t.Errorf("aoe-sancheck has no good line for %s:\n%s", e.name, text)
		}
	}
}

// checkComeback: a client whose export is removed gets I/O errors after aoe_deadsecs (shortened here) and a dead device;
// when something else is exported under the address, it finds that.
func checkComeback(t *testing.T, r *rig, old, next export, remove, add func()) {
	// The device is kept open and warmed up: the driver looks for dead targets only when a request times out, first after
	// 16.5 s, after 512 replies in 0.4 s, and each close starts that again.
	r.run(t, `
		sleep 100000 <%[1]s >/dev/null 2>&1 &
		echo $! >/tmp/holder
		dd if=%[1]s of=/dev/null bs=512 count=600 iflag=direct 2>&1
		echo 3 >/sys/module/aoe/parameters/aoe_deadsecs`, old.dev())
	remove()
	r.run(t, `
		if dd if=%s of=/dev/null bs=4k count=1 iflag=direct 2>&1; then echo 'it is still served'; exit 1; fi
		until_ok grep -q down '%s/state'
		echo 180 >/sys/module/aoe/parameters/aoe_deadsecs
		kill $(cat /tmp/holder)`, old.dev(), old.sysfs())
	add()
	r.run(t, "aoe-discover; until_ok grep -qx up '%s/state'", next.sysfs())
	checkSize(t, r, next)
	checkContent(t, r, next)
}

// reportRetransmits tells the reader how often the driver gave up waiting so far. It does not judge: its patience shrinks
// below a millisecond under load, and any pause of a busy machine is longer.
func reportRetransmits(t *testing.T, r *rig) {
	t.Logf("retransmits, unexpected replies: %s", strings.TrimSpace(r.run(t, `
		echo $(grep -c retransmit /var/log/aoe.err), $(grep -c 'unexpected rsp' /var/log/aoe.err)`)))
}

// checkComplaints: nothing in the client's kernel log that no load and no pause explains. Error replies, for one, are
// dropped by the driver, so a target must never send it any.
func checkComplaints(t *testing.T, r *rig) {
	if text := r.run(t, "dmesg | grep -E '[Ee]rror packet|runt|BUG:|Oops|hung' || true"); text != "" {
		t.Errorf("the client complains:\n%s", text)
	}
}
