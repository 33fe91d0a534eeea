#!/bin/bash
# bench.sh: aoebench against us and against Debian's vblade, in turn, on one machine. `make bench` builds and runs it.
#
#   scripts/bench.sh [ROUNDS [SECONDS]]        default 3 rounds of 2 seconds a measurement
#
# Each target serves the same file in the page cache over the same veth pair (MTU 9000), pinned to the first processor;
# aoebench is pinned to the last. 4 KiB random reads. The table has the medians and the ratio of the medians: the machine's
# speed drifts, so only figures of one run may be compared.
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=${1:-3}
seconds=${2:-2}
depths='1 16 64'
die() { echo "bench.sh: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || die "must be root: it makes a network namespace"
[ -x bin/vbladefs ] && [ -x bin/aoebench ] || die "bin/vbladefs and bin/aoebench are missing; run: make build"
vblade=$(PATH=$PATH:/usr/sbin command -v vblade) || die "vblade is missing; run: scripts/setup.sh client"

# In memory, so that no disk is in the way.
work=$(mktemp -d -p /dev/shm vbladefs-bench-XXXXXX)
holder= target=
stop() { if [ -n "$target" ]; then kill "$target" 2>/dev/null || true; wait "$target" 2>/dev/null || true; target=; fi; }
cleanup() {
    set +e
    stop
    mountpoint -q "$work/run" && umount -l "$work/run"
    if [ -n "$holder" ]; then kill "$holder" 2>/dev/null; wait "$holder" 2>/dev/null; fi
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

unshare --net sleep infinity &
holder=$!
netns=/proc/$holder/ns/net
until [ "$(readlink "$netns" 2>/dev/null)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done
nsenter --net="$netns" -- ip -batch - <<'NET'
link add eth0 mtu 9000 type veth peer name eth1 mtu 9000
link set eth0 up
link set eth1 up
NET
truncate -s 256M "$work/disk.img"
dd if=/dev/urandom of="$work/disk.img" bs=1M count=256 conv=notrunc status=none
last=$(($(nproc) - 1))

start_vbladefs() {
    nsenter --net="$netns" -- taskset -c 0 bin/vbladefs serve -cache writeback "$work/run" 2>"$work/vbladefs.log" &
    target=$!
    for _ in $(seq 100); do [ -e "$work/run/README" ] && break; sleep 0.05; done
    echo "add $work/disk.img 0 1 eth0" >"$work/run/aoeserver"
}
start_vblade() {
    nsenter --net="$netns" -- taskset -c 0 "$vblade" -b 64 0 1 eth0 "$work/disk.img" >"$work/vblade.log" 2>&1 &
    target=$!
    sleep 0.3
}
number() { grep -o "\"$1\":[[:space:]]*[0-9.e+-]*" "$2" | head -n 1 | sed "s/.*: *//"; }
measure() { # target, depth, round
    nsenter --net="$netns" -- taskset -c "$last" bin/aoebench -i eth1 -t e0.1 --rw randread --bs 4k --depth "$2" \
        --runtime "${seconds}s" --pid "$target" --json >"$work/out.json" || die "aoebench failed against $1: $(cat "$work/out.json")"
    for key in iops p50 p99 ns_per_io; do
        number $key "$work/out.json" >>"$work/$1.$2.$key"
    done
}
median() { sort -g "$1" | awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)] }'; }

for round in $(seq "$rounds"); do
    for name in vblade vbladefs; do
        echo "round $round of $rounds: $name" >&2
        "start_$name"
        for depth in $depths; do measure "$name" "$depth" "$round"; done
        stop
    done
done

printf '\n4 KiB random reads from the page cache, veth MTU 9000, %s; medians of %d rounds of %d s\n' "$(uname -r)" "$rounds" "$seconds"
printf '%-6s %-16s %12s %12s %10s\n' depth figure vblade vbladefs ratio
for depth in $depths; do
    for key in iops p50 p99 ns_per_io; do
        a=$(median "$work/vblade.$depth.$key") b=$(median "$work/vbladefs.$depth.$key")
        awk -v d="$depth" -v k="$key" -v a="$a" -v b="$b" 'BEGIN { printf "%-6s %-16s %12.2f %12.2f %10.2f\n", d, k, a, b, (a > 0 ? b / a : 0) }'
    done
done
