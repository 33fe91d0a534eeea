#!/bin/busybox sh
# The guest's first process: prepares the machine, then runs the scripts that package vm sends over a virtio serial port.
# It says on the console what it does; the host keeps that log.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin HOME=/ TERM=dumb
say() { echo "guest: $*" >/dev/console; }
die() { say "FAILED: $*"; poweroff -f; }

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t debugfs debugfs /sys/kernel/debug
mount -t tmpfs tmpfs /tmp

mtu=1500
for word in $(cat /proc/cmdline); do
    case $word in guest.mtu=*) mtu=${word#guest.mtu=} ;; esac
done

# wait_for WHAT COMMAND...: until the command succeeds, ten seconds at most.
wait_for() {
    what=$1 tries=0
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 200 ] || die "no $what"
        sleep 0.05
    done
}

load() { insmod "$1" || die "cannot load $1"; }
for file in /modules/*.ko; do
    case $file in *-aoe.ko) aoe=$file ;; *) load "$file" ;; esac
done

# The aoe module queries every interface once, as it is loaded: eth0 must be able to send by then.
ip link set lo up
wait_for "eth0" test -e /sys/class/net/eth0
ip link set eth0 mtu "$mtu" || die "eth0 does not take MTU $mtu"
ip link set eth0 up || die "eth0 does not come up"
wait_for "a carrier on eth0" grep -q up /sys/class/net/eth0/operstate
load "$aoe"
[ -e /dev/etherd/err ] || die "the aoe module made no /dev/etherd"
cat /dev/etherd/err >/var/log/aoe.err & # its ring is short; nobody would see the beginning later

wait_for "a virtio serial port" ls /dev/vport*p1
port=$(ls /dev/vport*p1)
exec 3<>"$port" || die "cannot open $port"
say "ready, $(uname -r), eth0 mtu $(cat /sys/class/net/eth0/mtu) mac $(cat /sys/class/net/eth0/address)"
echo ready >&3

# One request: "run MARK BYTES", then the script. One answer: MARK, the output, an added newline, "MARK STATUS".
number=0
while true; do
    while read -r verb mark size <&3; do
        [ "$verb" = run ] || { say "what is '$verb'?"; continue; }
        number=$((number + 1))
        dd bs="$size" count=1 iflag=fullblock of=/tmp/.script <&3 2>/dev/null
        say "script $number starts"
        echo "$mark" >&3
        sh /tmp/.script </dev/null >&3 2>&1 3<&-
        status=$?
        printf '\n%s %d\n' "$mark" $status >&3
        say "script $number exits with $status"
    done
    sleep 0.1 # nobody at the other end
done
