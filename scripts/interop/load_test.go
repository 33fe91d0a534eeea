package interop

import (
	"strings"
	"testing"
)

// load is a process of the client that writes to a mounted file system and reads back, each time through to the target,
// until something is wrong.
type load struct {
	r   *rig
	e   export
	dir string // in the guest: what it says of itself
}

// startLoad makes the file system and waits for the first round.
func startLoad(t *testing.T, r *rig, e export) *load {
	t.Helper()
	l := &load{r, e, "/tmp/load-" + e.name}
	r.run(t, `
		mkfs.ext4 -q -F %s
		mkdir -p %[2]s/mnt
		mount -t ext4 %[1]s %[2]s/mnt
		cd %[2]s
		(
			n=0
			while [ ! -e stop ]; do
				n=$((n + 1))
				dd if=/dev/urandom of=in bs=4k count=64 2>/dev/null
				dd if=in of=mnt/load bs=4k oflag=direct conv=fsync 2>/dev/null || { echo write >failed; break; }
				dd if=mnt/load of=out bs=4k iflag=direct 2>/dev/null || { echo read >failed; break; }
				cmp in out >/dev/null || { echo compare >failed; break; }
				echo $n >rounds.new
				mv rounds.new rounds
			done
			touch ended
		) >/dev/null 2>&1 &
		until_ok test -s rounds`, e.dev(), l.dir)
	return l
}

// goesOn waits until two rounds more have gone well: the second has begun after the call.
func (l *load) goesOn(t *testing.T) {
	t.Helper()
	l.r.run(t, `
		cd %s
		before=$(cat rounds)
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
		umount mnt
		e2fsck -fn %s >fsck 2>&1 || { cat fsck; exit 1; }
		cat rounds`, l.dir, l.e.dev())
	t.Logf("%s: %s rounds", l.e.name, strings.TrimSpace(rounds))
}
