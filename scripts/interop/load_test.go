package interop

import (
	"fmt"
	"path"
	"strings"
	"testing"
)

// load is a process of the client that writes and reads back, each time through to the target, until something is wrong.
type load struct {
	r   *rig
	dev string // what it writes to
	dir string // in the guest: what it says of itself
	fs  bool   // it is on a file system
}

// startLoad makes the file system and waits for the first round.
func startLoad(t *testing.T, r *rig, e export) *load {
	t.Helper()
	return startLoadOn(t, r, e.dev())
}

// startLoadOn is startLoad on any device of the guest.
func startLoadOn(t *testing.T, r *rig, dev string) *load {
	t.Helper()
	l := &load{r, dev, "/tmp/load-" + path.Base(dev), true}
	r.run(t, `
		mkfs.ext4 -q -F %s
		mkdir -p %[2]s/mnt
		mount -t ext4 %[1]s %[2]s/mnt`, dev, l.dir)
	l.start(t, `
		dd if=/dev/urandom of=in bs=4k count=64 2>/dev/null
		dd if=in of=mnt/load bs=4k oflag=direct conv=fsync 2>/dev/null || { echo write >failed; break; }
		dd if=mnt/load of=out bs=4k iflag=direct 2>/dev/null || { echo read >failed; break; }
		cmp in out >/dev/null || { echo compare >failed; break; }`)
	return l
}

// startFio has fio write to all of the device and verify what it reads: four jobs, each its own part, blocks of all sizes
// up to 16 KiB. A block is written once a round, and read back before the next.
func startFio(t *testing.T, r *rig, e export) *load {
	t.Helper()
	l := &load{r, e.dev(), "/tmp/load-" + e.name, false}
	r.run(t, "mkdir -p %s", l.dir)
	l.start(t, fmt.Sprintf(`
		fio --name=verify --filename=%s --rw=randwrite --bsrange=512-16k --blockalign=512 --size=%d --numjobs=4 --offset_increment=%[2]d --thread \
			--direct=1 --ioengine=psync --verify=crc32c --verify_fatal=1 --randseed=$n --allrandrepeat=0 >out 2>&1 && grep -q 'READ:.* io=' out || { cat out >failed; break; }`,
		e.dev(), e.disk.sizeBytes/4))
	return l
}

// start does rounds of a script in the guest, which ends with break when something is wrong.
func (l *load) start(t *testing.T, round string) {
	t.Helper()
	l.r.run(t, `
		cd %s
		(
			n=0
			while [ ! -e stop ]; do
				n=$((n + 1))
				%s
				echo $n >rounds.new
				mv rounds.new rounds
			done
			touch ended
		) >/dev/null 2>&1 &
		until_ok sh -c "[ -e failed ] || [ -s rounds ]"
		[ ! -e failed ] || { cat failed; exit 1; }`, l.dir, round)
}

// goesOn waits until two rounds more have gone well: the second has begun after the call.
func (l *load) goesOn(t *testing.T) {
	t.Helper()
	l.r.run(t, `
		cd %s
		before=$(cat rounds)
		tenths=1200
		until_ok sh -c "[ -e failed ] || [ \$(cat rounds) -gt $((before + 1)) ]"
		[ ! -e failed ] || { cat failed; exit 1; }`, l.dir)
}

// stop ends it, and checks that all went well and that the file system is whole.
func (l *load) stop(t *testing.T) {
	t.Helper()
	rounds := l.r.run(t, `
		cd %s
		touch stop
		until_ok test -e ended
		[ ! -e failed ] || { cat failed; exit 1; }
		if %v; then
			umount mnt
			e2fsck -fn %s >fsck 2>&1 || { cat fsck; exit 1; }
		fi
		cat rounds`, l.dir, l.fs, l.dev)
	t.Logf("%s: %s rounds", l.dev, strings.TrimSpace(rounds))
}
