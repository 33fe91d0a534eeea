#!/bin/sh
# debian.sh: make a disk image with a Debian that a BIOS boots over AoE: iPXE, extlinux, initial RAM disk, root at /dev/etherd.
#
#   scripts/diskless/debian.sh IMAGE ADDRESS [OPTION OF MMDEBSTRAP...]
#
#   scripts/diskless/debian.sh disk.img e0.1 --include=openssh-server,ifupdown
#
# ADDRESS is that of the export. The release is that of this machine, or $SUITE, the size 4G, or $SIZE. root has no password and cannot
# log in unless an option sees to it. Needs root, mmdebstrap and mkfs.ext4; nothing of this machine is changed but IMAGE.
set -eu

die() { echo "debian.sh: $*" >&2; exit 1; }

case ${2-} in
e*[0-9].[0-9]*) ;;
*) echo "usage: debian.sh IMAGE eSHELF.SLOT [OPTION OF MMDEBSTRAP...]" >&2; exit 2 ;;
esac
image=$1 disk=/dev/etherd/$2
shift 2
[ ! -e "$image" ] || die "$image is there already"
[ "$(id -u)" = 0 ] || die "must be root, to make and mount the image"
for program in mmdebstrap mkfs.ext4; do
    command -v $program >/dev/null || die "no $program: scripts/setup.sh packaging fs installs it"
done
suite=${SUITE:-$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")}
INITRAMFS=$(dirname "$(realpath "$0")")/initramfs
export INITRAMFS

work=$(mktemp -d "$image.XXXXXX")
root=$work/root
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 1' INT TERM

mmdebstrap --quiet --variant=apt --dpkgopt=force-unsafe-io \
    --include=systemd-sysv,udev,initramfs-tools,linux-image-amd64,iproute2,extlinux,syslinux-common \
    "$@" \
    --customize-hook='cp -r "$INITRAMFS/." "$1/etc/initramfs-tools/"' \
    --customize-hook='chroot "$1" update-initramfs -u -k all' \
    --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*' \
    "$suite" "$root"

echo "${disk}p1 / ext4 errors=remount-ro 0 1" > "$root/etc/fstab"
kernel=$(basename "$root"/boot/vmlinuz-*)
mkdir -p "$root/boot/extlinux"
cat > "$root/boot/extlinux/extlinux.conf" << EOF
SERIAL 0 115200
DEFAULT debian
LABEL debian
  LINUX /boot/$kernel
  INITRD /boot/initrd.img-${kernel#vmlinuz-}
  APPEND root=${disk}p1 ro quiet console=tty0 console=ttyS0
EOF

# One partition, from the first megabyte to the end. extlinux reads neither 64-bit ext4 nor one with checksums.
start=$((1024 * 1024))
truncate -s "${SIZE:-4G}" "$work/disk"
sectors=$(($(stat -c %s "$work/disk") / 512))
mkfs.ext4 -q -O ^64bit,^metadata_csum -E offset=$start -d "$root" "$work/disk" $(((sectors * 512 - start) / 1024))k
put() { printf '%b' "$2" | dd of="$work/disk" bs=1 seek="$1" conv=notrunc status=none; }
# little NUMBER: its four bytes, the lowest first, for printf.
little() { printf '\\0%o\\0%o\\0%o\\0%o' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255)); }
dd if="$root/usr/lib/syslinux/mbr/mbr.bin" of="$work/disk" bs=440 count=1 conv=notrunc status=none
put 446 '\0200\0376\0377\0377\0203\0376\0377\0377'"$(little $((start / 512)))$(little $((sectors - start / 512)))"
put 510 '\0125\0252'

mkdir "$work/mnt"
mount -o loop,offset=$start "$work/disk" "$work/mnt"
trap 'umount "$work/mnt"; rm -rf --one-file-system "$work"' EXIT
"$root/usr/bin/extlinux" --install "$work/mnt/boot/extlinux" >"$work/extlinux" 2>&1 || die "extlinux: $(cat "$work/extlinux")"
umount "$work/mnt"
trap 'rm -rf --one-file-system "$work"' EXIT
mv "$work/disk" "$image"
