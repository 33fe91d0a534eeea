#!/bin/sh
# setup.sh: install the Debian packages that the tests and the demo need and that this machine lacks.
#
#   scripts/setup.sh GROUP|PACKAGE...
#
# A word that is no group is taken for a package name. Says what it installs and why; says nothing when all is there.
# The kernel of the interoperability machine is not in any group: it is fetched and unpacked, never installed. Of prometheus
# only promtool is taken, and of mdadm only the program: the packages would start a server and a monitor.
set -eu

GROUPS_USAGE='groups:
  net     iproute2 util-linux procps     network namespaces, loop devices, processes
  fs      e2fsprogs                      mkfs.ext4 and e2fsck, here and in the guest
  client  aoetools vblade                the field'"'"'s own tools, to check ours against
  vm      qemu-system-x86 busybox-static xz-utils
                                         the machine that runs the Linux AoE client
  raid    mdadm                          makes mirrors of exports, in that machine
  race    gcc libc6-dev                  go test -race
  docs    groff-base                     renders the manual pages
  shells  bash zsh fish                  complete command lines with what the program gives them
  packaging mmdebstrap                   a fresh Debian, to try our packages on
  unit    systemd                        systemd-analyze, to check the unit of the service
  metrics promtool                       checks the metrics and the alert rules
  bench   gnuplot-nox                    the plots of make bench
  bench-disk fio                         what make bench-disk and bench-nbd compare with
  nbd     nbdkit nbd-server qemu-utils   NBD servers, of three kinds, to export from
  ceph    ceph-mon ceph-osd ceph-common qemu-utils qemu-block-extra
                                         a Ceph cluster, for make interop-ceph alone
  all     net, fs, client, vm, raid, docs, shells, packaging, unit, metrics, bench, bench-disk and nbd'

die() { echo "setup.sh: $*" >&2; exit 1; }

packages_of() {
    case $1 in
    net) echo iproute2 util-linux procps ;;
    fs) echo e2fsprogs ;;
    client) echo aoetools vblade ;;
    vm) echo qemu-system-x86 busybox-static xz-utils ;;
    raid) echo mdadm ;;
    race) echo gcc libc6-dev ;;
    docs) echo groff-base ;;
    shells) echo bash zsh fish ;;
    packaging) echo mmdebstrap ;;
    unit) echo systemd ;;
    metrics) echo promtool ;;
    bench) echo gnuplot-nox ;;
    bench-disk) echo fio ;;
    nbd) echo nbdkit nbd-server qemu-utils ;;
    ceph) echo ceph-mon ceph-osd ceph-common qemu-utils qemu-block-extra ;;
    all) for g in net fs client vm raid docs shells packaging unit metrics bench bench-disk nbd; do packages_of $g; done ;;
    *) echo "$1" ;;
    esac
}

why() {
    case $1 in
    iproute2) echo 'ip: network namespaces, bridges, veth pairs' ;;
    procps) echo 'ps, top, pgrep, sysctl: what must work under vbladefs run' ;;
    util-linux) echo 'losetup, nsenter, mount' ;;
    e2fsprogs) echo 'mkfs.ext4, e2fsck' ;;
    aoetools) echo 'aoeping, aoe-discover, aoe-stat: AoE client tools' ;;
    vblade) echo 'another AoE target, the yardstick of the test rig' ;;
    qemu-system-x86) echo 'runs the Linux AoE client in a virtual machine' ;;
    busybox-static) echo 'the user space of that virtual machine' ;;
    gcc | libc6-dev) echo 'C compiler: the race detector is linked with it' ;;
    systemd) echo 'systemd-analyze: how exposed the unit of the service is' ;;
    groff-base) echo 'renders the manual pages, to check them' ;;
    bash | zsh | fish) echo 'a shell, to try its completion' ;;
    mmdebstrap) echo 'makes a fresh Debian in a folder, to try our packages on' ;;
    mdadm) echo 'of the package only the program: makes mirrors of exports' ;;
    promtool) echo 'of the package prometheus: checks the metrics and the alert rules' ;;
    gnuplot-nox) echo 'draws the plots of the benchmark' ;;
    nbdkit | nbd-server) echo 'an NBD server, to export from' ;;
    qemu-utils) echo 'qemu-nbd, another, and qemu-img' ;;
    ceph-mon | ceph-osd | ceph-common) echo 'a Ceph cluster in a folder, whose image two hosts export in turn' ;;
    qemu-block-extra) echo 'has qemu-nbd serve RBD images' ;;
    fio) echo 'reads a disk without a network: what a target could reach' ;;
    xz-utils) echo 'unpacks its kernel' ;;
    *) echo 'asked for' ;;
    esac
}

installed() {
    case $1 in promtool | mdadm) command -v "$1" >/dev/null; return ;; esac
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

[ $# -gt 0 ] || die "name at least one group or package
$GROUPS_USAGE"

missing=
for word; do
    case $word in
    -h | --help) echo "usage: scripts/setup.sh GROUP|PACKAGE..."; echo "$GROUPS_USAGE"; exit 0 ;;
    -*) die "unknown option $word; see scripts/setup.sh --help" ;;
    esac
    command -v dpkg-query >/dev/null || die "this is no Debian system (no dpkg): install the equivalent of: $(echo $(for w; do packages_of "$w"; done))"
    for package in $(packages_of "$word"); do
        case " $missing " in *" $package "*) continue ;; esac
        installed "$package" || missing="$missing $package"
    done
done
[ -n "$missing" ] || exit 0

echo "setup.sh: missing Debian packages:"
for package in $missing; do
    printf '  %-16s %s\n' "$package" "$(why "$package")"
done
[ "$(id -u)" = 0 ] || die "must be root to install them; run as root: apt-get install --no-install-recommends$missing"
command -v apt-get >/dev/null || die "no apt-get here to install them with; install them by hand"

export DEBIAN_FRONTEND=noninteractive
echo "setup.sh: apt-get update"
apt-get update -qq || die "apt-get update failed; check the network and /etc/apt/sources.list"
# unpack PROGRAM PACKAGE FOLDER: into /usr/local/bin, if it is missing, from a folder of the package or of its usr.
unpack() {
    case " $missing " in *" $1 "*) ;; *) return 0 ;; esac
    unpacked=$(mktemp -d)
    trap 'rm -rf "$unpacked"' EXIT
    echo "setup.sh: $1, unpacked from the package $2, into /usr/local/bin"
    (cd "$unpacked" && apt-get download -qq -o APT::Sandbox::User=root "$2" >/dev/null && dpkg -x ./*.deb .) ||
        die "apt-get could not fetch $2"
    program=$unpacked/usr/$3/$1
    [ -e "$program" ] || program=$unpacked/$3/$1
    install -m 755 "$program" /usr/local/bin/
    rm -rf "$unpacked"
    missing=$(echo " $missing " | sed "s/ $1 / /")
}
unpack promtool prometheus bin
unpack mdadm mdadm sbin
[ -n "$(echo $missing)" ] || exit 0
echo "setup.sh: apt-get install$missing"
# shellcheck disable=SC2086 # a list of words
apt-get install -qq -y --no-install-recommends $missing >/dev/null </dev/null ||
    die "apt-get could not install:$missing"
for package in $missing; do
    installed "$package" || die "$package is still missing after its installation"
done
