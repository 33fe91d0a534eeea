package interop

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vbladefs/scripts/vm"
	"vbladefs/target/aoe"
)

var capture = flag.Bool("capture", false, "have the clients talk again, and write what they say into the seed corpora of the fuzz targets")

// corpora are the fuzz targets that take frames, what is behind the frame among their arguments, and which frames they get.
var corpora = []struct {
	folder, rest string
	everyone     bool // has such frames: aoecfg sends no ATA commands
	takes        func(h aoe.Header) bool
}{
	{"target/testdata/fuzz/FuzzFrame", "", true, func(h aoe.Header) bool { return !h.Response }},
	{"target/testdata/fuzz/FuzzReply", "", true, func(h aoe.Header) bool { return h.Response }},
	{"target/aoe/testdata/fuzz/FuzzDecodeHeader", "", true, func(aoe.Header) bool { return true }},
	{"target/aoe/testdata/fuzz/FuzzDecodeATA", "", false, func(h aoe.Header) bool { return h.Command == aoe.CmdATA }},
	{"target/aoe/testdata/fuzz/FuzzDecodeConfig", "", true, func(h aoe.Header) bool { return h.Command == aoe.CmdConfig }},
	{"target/aoe/initiator/testdata/fuzz/FuzzReply", "byte('\\x00')\n", true, func(h aoe.Header) bool { return h.Response }},
	{"scripts/torture/faultnet/testdata/fuzz/FuzzDamage", "uint64(1)\n", true, func(aoe.Header) bool { return true }},
}

// clients are those whose frames are there.
var clients = []string{"linux", "aoeping", "aoecfg", "sancheck", "aoebench", "vblade", "ipxe"}

// TestCaptures: each fuzz target that takes frames has some that real clients sent, or that real targets sent them. With
// -capture they are taken anew: the Linux driver, aoetools, iPXE and aoebench at our daemon, and aoeping at Debian's vblade.
func TestCaptures(t *testing.T) {
	if *capture {
		r := newRig(t, 1500)
		rec := r.startRecorder(t, "p0")
		captureLinux(t, r, rec)
		captureVblade(t, r, rec)
		captureIPXE(t, r, rec)
		rec.mu.Lock()
		defer rec.mu.Unlock()
		for _, name := range rec.order {
			writeSeeds(t, name, rec.frames[name])
		}
	}
	for _, c := range corpora {
		files, err := filepath.Glob("../../" + c.folder + "/*")
		if err != nil {
			t.Fatal(err)
		}
		names, missing := " "+strings.Join(files, " "), []string(nil)
		for _, client := range clients {
			if !strings.Contains(names, "/"+client+"-") {
				missing = append(missing, client)
			}
		}
		if most := len(missing); most > 1 || most == 1 && c.everyone {
			t.Errorf("%s has no frame of %q among %d; go test ./scripts/interop -run Captures -capture takes them", c.folder, missing, len(files))
		}
	}
}

// writeSeeds writes a frame where it belongs.
func writeSeeds(t *testing.T, name string, frame []byte) {
	t.Helper()
	h, _ := aoe.DecodeHeader(frame)
	for _, c := range corpora {
		if !c.takes(h) {
			continue
		}
		text := fmt.Sprintf("go test fuzz v1\n[]byte(%q)\n%s", frame, c.rest)
		path := filepath.Join("../..", c.folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// captureLinux has the Linux driver, aoetools and aoebench talk to our daemon.
func captureLinux(t *testing.T, r *rig, rec *recorder) {
	d := startDaemon(t, r, build(t))
	e := export{"e0.1", emptyDisk(t), framePayload(1500), 0}
	rec.during("linux", func() {
		d.echo(t, "add "+e.disk.loop+" 0 1 eth0", "aoeserver")
		checkDiscovery(t, r, e)
		r.run(t, `
			dd if=/dev/zero of=%[1]s bs=512 count=1 oflag=direct 2>&1
			dd if=/dev/zero of=%[1]s bs=4k count=1 oflag=direct conv=fsync 2>&1
			dd if=%[1]s of=/dev/null bs=512 count=1 iflag=direct 2>&1
			dd if=%[1]s of=/dev/null bs=4k count=1 iflag=direct 2>&1
			aoe-revalidate e0.1`, e.dev())
	})
	rec.during("sancheck", func() { checkSancheck(t, r, e) })
	rec.during("aoeping", func() {
		for _, options := range []string{"-I", "-S read_data", "-S return_status"} {
			talk(t, r, "timeout 5 aoeping -s 3 %s 0 1 %s", options, vm.OtherIf)
		}
	})
	rec.during("aoecfg", func() {
		for _, options := range []string{"-c read", "-c set -s hello", "-c test -s hello", "-c prefix -s he", "-c set -s other", "-c fset -s other"} {
			talk(t, r, "timeout 5 aoecfg -t 1 %s 0 1 %s", options, vm.OtherIf)
		}
	})
	bench := filepath.Join(t.TempDir(), "aoebench")
	if out, err := exec.Command("go", "build", "-o", bench, "vbladefs/cmd/aoebench").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	rec.during("aoebench", func() {
		talk(t, r, "%s -i %s -t e0.1 --rw randrw --verify --bs 1k --runtime 200ms --warmup 0 --link raw --sleep", bench, vm.OtherIf)
	})
	d.stop(t)
}

// captureVblade has aoeping talk to Debian's vblade: what another target answers.
func captureVblade(t *testing.T, r *rig, rec *recorder) {
	e := emptyDisk(t)
	rec.during("vblade", func() {
		stop := startVblade(t, r, "0", "2", "eth0", e.file)
		defer stop()
		time.Sleep(time.Second)
		talk(t, r, "timeout 10 aoeping -s 5 -I 0 2 %s", vm.OtherIf)
		talk(t, r, "timeout 5 aoecfg -t 1 -c read 0 2 %s", vm.OtherIf)
	})
}

// captureIPXE has iPXE, in the option ROM of QEMU's e1000, boot from our daemon. It finds it as DHCP says.
func captureIPXE(t *testing.T, old *rig, rec *recorder) {
	r := &rig{ctx: old.ctx, net: old.net, artifacts: old.artifacts}
	if err := old.guest.Close(); err != nil { // the tap was its own
		t.Fatal(err)
	}
	d := startDaemon(t, r, build(t))
	disk := emptyDisk(t)
	d.echo(t, "add "+disk.loop+" 0 1 eth0", "aoeserver")
	defer bootIPXE(t, r, "aoe:e0.1")()
	rec.during("ipxe", func() {
		for end := time.Now().Add(2 * time.Minute); !rec.has("ipxe-ata-24") && !rec.has("ipxe-ata-20"); time.Sleep(100 * time.Millisecond) {
			if time.Now().After(end) {
				t.Error("iPXE has read nothing")
				return
			}
		}
	})
	d.stop(t)
}

// has reports whether a frame is there whose name begins so.
func (rec *recorder) has(prefix string) bool {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	for name := range rec.frames {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// talk runs a program on the segment, whatever it makes of the answers.
func talk(t *testing.T, r *rig, format string, args ...any) {
	t.Helper()
	words := strings.Fields(fmt.Sprintf(format, args...))
	out, err := r.net.Command(r.ctx, words[0], words[1:]...).CombinedOutput()
	t.Logf("%s: %v\n%.300s", strings.Join(words[1:], " "), err, out)
}

// emptyDisk is small, and all zeros but for a boot sector that does nothing for ever.
func emptyDisk(t *testing.T) disk {
	t.Helper()
	d := newDisk(t, 1<<20)
	content := make([]byte, d.sizeBytes)
	content[0], content[1], content[510], content[511] = 0xeb, 0xfe, 0x55, 0xaa
	if err := os.WriteFile(d.file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := exec.Command("blockdev", "--flushbufs", d.loop).Run(); err != nil {
		t.Fatal(err)
	}
	return d
}
