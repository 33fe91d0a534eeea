#!/bin/bash
# demo.sh: the main job, end to end, in about half a minute. `make demo` builds and runs it.
#
# On one machine: a network namespace with one Ethernet segment, the daemon on eth0, an initiator program on eth1, and a
# virtual machine with the Linux kernel's aoe driver on tap0. Everything is temporary and goes when this ends.
set -euo pipefail
cd "$(dirname "$0")/.."

begun=$SECONDS
bold= cyan= plain=
if [ -t 1 ]; then bold=$'\e[1m' cyan=$'\e[36m' plain=$'\e[0m'; fi
step() { printf '\n%s[%2ds] %s%s\n' "$bold" $((SECONDS - begun)) "$*" "$plain"; }
# Shows a command as the user would type it, then runs it.
show() { printf '  %s$ %s%s\n' "$cyan" "$1" "$plain"; (eval "$1") 2>&1 | sed -u -e 's/^.*demo.sh: line [0-9]*: //' -e 's/^/    /'; }
die() { echo "demo.sh: $*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || die "must be root: it makes network namespaces, loop devices and a mount"
[ -x bin/vbladefs ] && [ -x bin/aoebench ] || die "bin/vbladefs and bin/aoebench are missing; run: make demo"

work=$(mktemp -d -t vbladefs-demo-XXXXXX)
tree=$work/run
holder= daemon=
loops=()
cleanup() {
    set +e
    if [ -n "$daemon" ]; then kill "$daemon" 2>/dev/null; wait "$daemon" 2>/dev/null; fi
    mountpoint -q "$tree" && umount -l "$tree"
    for loop in "${loops[@]}"; do losetup -d "$loop"; done
    if [ -n "$holder" ]; then kill "$holder" 2>/dev/null; wait "$holder" 2>/dev/null; fi
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

step "a network segment of our own: eth0 for the target, eth1 for a client, tap0 for a virtual machine"
unshare --net sleep infinity &
holder=$!
netns=/proc/$holder/ns/net
until [ "$(readlink "$netns" 2>/dev/null)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done
inside() { nsenter --net="$netns" -- "$@"; }
inside ip -batch - <<'NET'
link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
link add eth0 mtu 9000 type veth peer name p0 mtu 9000
link add eth1 mtu 9000 type veth peer name p1 mtu 9000
tuntap add dev tap0 mode tap
link set tap0 mtu 9000
link set p0 master br0
link set p1 master br0
link set tap0 master br0
link set lo up
link set br0 up
link set p0 up
link set p1 up
link set tap0 up
link set eth0 up
link set eth1 up
NET

step "three disk images behind loop devices, as in the legacy how-tos"
for n in 0 1 2; do
    truncate -s 200M "$work/file$n.img"
    loops[n]=$(losetup -f --show "$work/file$n.img")
    echo "    ${loops[n]}  200 MiB"
done

step "the daemon"
echo "  \$ vbladefs serve -state= $tree &"
nsenter --net="$netns" -- bin/vbladefs serve -state= "$tree" 2>"$work/daemon.log" &
daemon=$!
for _ in $(seq 100); do [ -e "$tree/README" ] && break; sleep 0.05; done
[ -e "$tree/README" ] || { cat "$work/daemon.log"; die "the daemon does not serve; its log is above"; }

step "exports, added in the three languages of the kernel targets"
show "echo add ${loops[1]} 0 1 eth0      > $tree/aoeserver"
show "echo add do ${loops[2]}            > $tree/vblade/drives"
show "echo add eth0 0 2 32 8            > $tree/vblade/do/ports"
show "echo 0 0 eth0 ${loops[0]}          > $tree/kvblade/add"

step "each tree shows all of them"
show "cat $tree/aoeserver"
show "cat $tree/vblade/drives"
show "cat $tree/vblade/do/ports"
show "ls $tree/kvblade"

step "a mistake gets its errno, and its reason in words"
show "echo add /dev/nosuch 0 9 eth0 > $tree/aoeserver || tail -n 1 $tree/log"

step "verified reads and writes from eth1, 3 seconds"
echo "  \$ aoebench -i eth1 -t e0.2 --rw randrw --bs 4k --depth 16 --runtime 3s --verify"
inside bin/aoebench -i eth1 -t e0.2 --rw randrw --bs 4k --depth 16 --runtime 3s --verify --pid "$daemon" | sed 's/^/    /'
show "cat $tree/vblade/do/stats"

step "the real Linux client: its aoe driver, in a virtual machine (it boots in some seconds)"
if ! command -v qemu-system-x86_64 >/dev/null; then
    echo "    left out: there is no qemu-system-x86_64; scripts/setup.sh vm installs it"
else
    go build -o "$work/vmrun" ./scripts/vmrun
    "$work/vmrun" -prepare
    cat >"$work/guest.sh" <<'GUEST'
exec 2>&1
PS4='(guest) $ '
set -ex
aoe-discover; sleep 1; aoe-stat
mkfs.ext4 -q /dev/etherd/e0.1
mkdir -p /mnt && mount /dev/etherd/e0.1 /mnt
echo 'written by Linux over AoE' > /mnt/hello
dd if=/dev/urandom of=/mnt/data bs=1M count=8 2>/dev/null
df -h /mnt
umount /mnt && mount /dev/etherd/e0.1 /mnt
cat /mnt/hello; ls -l /mnt
umount /mnt
sha256sum /dev/etherd/e0.1
GUEST
    "$work/vmrun" -netns "$netns" -tap tap0 -mtu 9000 -log "$work/console.log" "$work/guest.sh" | sed 's/^/    /'
    step "and here, the same bytes"
    show "sha256sum $work/file1.img"
    show "dumpe2fs -h ${loops[1]} 2>/dev/null | grep -e 'Block count' -e 'Last write'"
fi

step "removed as it was added"
show "echo del ${loops[1]} 0 1 eth0 > $tree/aoeserver"
show "cat $tree/vblade/drives"

step "done; everything is being removed"
