package interop

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestArticleDaemons types the article's lines for vblade, ggaoed in both releases, qaoed and sqaoed, with the files that
// it prints, to the letter: in the house the disks are at the paths named there. The Linux client sees the export of each and
// mounts it. Three of them are at e0.0, one after the other.
func TestArticleDaemons(t *testing.T) {
	const mtu = 9000
	binary := build(t)
	r := newRig(t, mtu)
	vblade, qaoed, sqaoed := newDisk(t, 16<<20), newDisk(t, 17<<20), newDisk(t, 18<<20)
	base, updated := newDisk(t, 19<<20), newDisk(t, 20<<20)
	vblade.cached, qaoed.cached, sqaoed.cached = true, true, true // as in the originals
	h := newHouse(t, r, binary, map[string]disk{
		"/dev/loop3": vblade, "/dev/sda2": base, "/dev/loop0": updated, "/dev/loop6": qaoed, "/dev/loop7": sqaoed})
	full := framePayload(mtu)
	viaVblade := export{"e0.3", vblade, full, 16}

	var pid string
	ok := t.Run("vbladed", func(t *testing.T) {
		h.types(t, "./vbladed 0 3 eth0 /dev/loop3")
		pid = h.processOf(t, "./vbladed 0 3 eth0 /dev/loop3")
		if line := regexp.MustCompile(`(?m)^<\d+>.* vbladed(\[\d+\])?: pid ` + pid +
			`: e0\.3, 32768 sectors O_RDWR$`); !line.MatchString(h.syslog.String()) {
			t.Errorf("syslog has no line %s:\n%s", line, h.syslog)
		}
		checkWritable(t, r, viaVblade)
	})
	if !ok {
		t.FailNow()
	}
	t.Run("ggaoed 0.9", func(t *testing.T) {
		files := fillFiles(t, base)
		h.file(t, "ggaoed.conf", printed(t, "ggaoed/testdata/article-base.conf"))
		s := h.stays(t, "ggaoed09.log", "./ggaoed -c ggaoed.conf -d", "serving")
		checkWarned(t, s.says(), "the file has no [GROUP] lines: lines 1-5 are taken as the device [e0.0]")
		checkMountedReadOnly(t, r, export{"e0.0", base, full, 16}, files)
		leaves(t, s, nil, "e0.0")
	})
	t.Run("ggaoed updated", func(t *testing.T) {
		files := fillFiles(t, updated)
		h.types(t, "mkdir -p /usr/local/var/ggaoed")
		h.file(t, "ggaoed.conf", printed(t, "ggaoed/testdata/article-updated.conf"))
		s := h.stays(t, "ggaoed11.log", "./ggaoed -c ggaoed.conf -d", "serving")
		checkWarned(t, s.says(), "lines 2-3 are taken as [defaults]", "lines 4-10 are taken as the device [e0.0]")
		checkMountedReadOnly(t, r, export{"e0.0", updated, framePayload(1500), 16}, files)
		leaves(t, s, nil, "e0.0")
	})
	for _, form := range []string{"article", "article-braces"} {
		t.Run("qaoed "+form, func(t *testing.T) {
			h.file(t, "qaoed.conf", printed(t, "qaoed/testdata/"+form+".conf"))
			out := h.types(t, "./qaoed -c qaoed.conf")
			if form == "article" {
				checkWarned(t, out, "default without { }", "target in no device { }")
			} else if out != "" {
				t.Errorf("it says %q", out)
			}
			if shown := h.types(t, "./qdctl show targets"); !strings.Contains(shown, "/dev/loop6") {
				t.Errorf("qdctl shows\n%s", shown)
			}
			checkWritable(t, r, export{"e0.6", qaoed, full, 20})
			h.end(t, h.processOf(t, "./qaoed -c qaoed.conf"))
			r.run(t, "aoe-flush e0.6")
		})
	}
	t.Run("sqaoed", func(t *testing.T) {
		s := h.stays(t, "sqaoed.log", "./sqaoed eth0 /dev/loop7 0 0", "/dev/loop7")
		checkWritable(t, r, export{"e0.0", sqaoed, full, 20})
		leaves(t, s, errTerminated, "e0.0")
	})
	t.Run("vbladed kept working", func(t *testing.T) {
		checkContent(t, r, viaVblade)
		h.end(t, pid)
	})
	t.Run("retransmits", func(t *testing.T) { reportRetransmits(t, r) })
	t.Run("complaints", func(t *testing.T) { checkComplaints(t, r) })
}

// printed is a file of a corpus.
func printed(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../compat", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// errTerminated is how a process ends that has no handler for SIGTERM, as nsenter passes it on.
var errTerminated = fmt.Errorf("signal: terminated")

// leaves ends a daemon and has the client forget the export.
func leaves(t *testing.T, s *shell, want error, name string) {
	t.Helper()
	if err := s.stop(t); fmt.Sprint(err) != fmt.Sprint(want) {
		t.Errorf("%s: after SIGTERM it ends with %v, want %v\n%s", s.line, err, want, s.says())
	}
	s.h.r.run(t, "aoe-flush %[1]s; until_ok test ! -e '/sys/block/etherd!%[1]s'", name)
}

func checkWarned(t *testing.T, said string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(said, w) {
			t.Errorf("it does not warn %q:\n%s", w, said)
		}
	}
}

// checkFound: the client learns of an export by itself and finds it as it should be.
func checkFound(t *testing.T, r *rig, e export) {
	t.Helper()
	checkAnnounced(t, r, e)
	checkDiscovery(t, r, e)
	checkSize(t, r, e)
	checkPayload(t, r, e)
	checkBuffers(t, r, e)
	checkStat(t, r, e)
}

// checkWritable: the client finds the export, and a file system that it makes there keeps its files.
func checkWritable(t *testing.T, r *rig, e export) {
	t.Helper()
	checkFound(t, r, e)
	checkContent(t, r, e)
	checkExt4(t, r, e)
}

// checkMountedReadOnly: the client mounts a file system that the host has made, reads its files, and can write nothing.
func checkMountedReadOnly(t *testing.T, r *rig, e export, files string) {
	t.Helper()
	checkFound(t, r, e)
	got := r.run(t, `
		mount -t ext4 -o ro %s /mnt
		(cd /mnt; find . -type f | sort | xargs sha256sum) >/tmp/files
		umount /mnt
		cat /tmp/files`, e.dev())
	if got = strings.TrimSpace(got); got != strings.TrimSpace(files) {
		t.Errorf("%s: the client sees the files\n%s\nthe host has\n%s", e.name, got, files)
	}
	checkReadOnly(t, r, e)
}

// fillFiles makes a file system on a disk that nobody uses yet, with files in it, and returns their sums as sha256sum does.
func fillFiles(t *testing.T, d disk) string {
	t.Helper()
	dir := t.TempDir()
	random := rand.NewChaCha8([32]byte{byte(d.sizeBytes >> 20)})
	var sums []string
	for name, sizeBytes := range map[string]int{"large": 5 << 20, "odd": 12345, "none": 0, "sub/one": 4096} {
		content := make([]byte, sizeBytes)
		_, _ = random.Read(content)
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(content)
		sums = append(sums, hex.EncodeToString(sum[:])+"  ./"+name+"\n")
	}
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", "-d", dir, d.file).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.ext4: %v\n%s", err, out)
	}
	slices.SortFunc(sums, func(a, b string) int { return strings.Compare(a[64:], b[64:]) })
	return strings.Join(sums, "")
}
