#!/bin/sh
# deb.sh: make the Debian packages of what `make build` has built, with nothing but dpkg-deb.
#
#   scripts/packaging/deb.sh BIN OUT VERSION
#
#   vbladefs           the program, its service, manuals, completion, and scripts of the kernel targets
#   vbladefs-daemons   the links vblade, vbladed, ggaoed, ggaoectl, qaoed, qdctl and sqaoed, and their manuals:
#                      in place of Debian's packages of these names
#
# BIN has the programs, DEB_COMPRESSION is xz unless set, OUT gets the packages. A version that does not begin with a digit becomes 0~VERSION.
set -eu

[ $# = 3 ] || { echo "usage: deb.sh BIN OUT VERSION" >&2; exit 2; }
bin=$(realpath "$1") out=$(realpath -m "$2")
version=$(echo "$3" | sed 's/^v\([0-9]\)/\1/; s/-/+/g; s/^[^0-9]/0~&/; s/[^A-Za-z0-9.+~]//g')
here=$(dirname "$(realpath "$0")")
top=$(realpath "$here/../..")
command -v dpkg-deb >/dev/null || { echo "deb.sh: no dpkg-deb: this is no Debian system" >&2; exit 1; }
arch=$(dpkg --print-architecture)
stage=$(mktemp -d "${TMPDIR:-/tmp}/vbladefs-deb.XXXXXX")
trap 'rm -rf "$stage"' EXIT
main=$stage/vbladefs daemons=$stage/vbladefs-daemons
umask 022

make -s -C "$top" -o build BIN="$bin" DESTDIR="$main" PREFIX=/usr VERSION="$3" install >/dev/null

# The links, and the pages of their names, are of the other package.
mkdir -p "$daemons/usr/sbin" "$daemons/usr/share/man/man8"
for path in "$main"/usr/sbin/*; do
    [ -h "$path" ] || continue
    link=$(basename "$path")
    mv "$main/usr/sbin/$link" "$daemons/usr/sbin/"
    if [ -e "$main/usr/share/man/man8/$link.8" ]; then
        mv "$main/usr/share/man/man8/$link.8" "$daemons/usr/share/man/man8/"
    fi
done

# control PACKAGE TREE DESCRIPTION FIELD...: the control file, from the fields common to both.
control() {
    package=$1 tree=$2 description=$3
    shift 3
    mkdir -p "$tree/DEBIAN" "$tree/usr/share/doc/$package"
    find "$tree/usr/share/man" -type f -exec gzip -9n {} +
    cp "$top/LICENSE" "$tree/usr/share/doc/$package/copyright"
    gzip -9n < "$top/CHANGELOG.md" > "$tree/usr/share/doc/$package/changelog.gz"
    {
        printf '%s\n' "Package: $package" "Version: $version" "Section: net" "Priority: optional"
        printf '%s\n' "Maintainer: vbladefs maintainers <root@localhost>"
        printf '%s\n' "Installed-Size: $(du -k -s --exclude=DEBIAN "$tree" | cut -f 1)" "$@"
        printf 'Description: %s\n' "$description"
    } > "$tree/DEBIAN/control"
    (cd "$tree" && find . -type f ! -path './DEBIAN/*' -printf '%P\n' | LC_ALL=C sort | xargs -r md5sum) > "$tree/DEBIAN/md5sums"
}

control vbladefs "$main" "AoE target, driven by echo and cat
 Exports disks over ATA over Ethernet from userspace. What is exported is said
 by writing to the files of a control tree, which speaks the languages of the
 kernel targets aoeserver, kvblade and vblade-kernel." \
    "Architecture: $arch" "Depends: init-system-helpers (>= 1.54)" "Recommends: systemd, util-linux" "Suggests: vbladefs-daemons"
echo /etc/default/vbladefs > "$main/DEBIAN/conffiles"
for script in postinst prerm postrm; do
    install -m 755 "$here/debian/$script" "$main/DEBIAN/$script"
done

control vbladefs-daemons "$daemons" "AoE targets vblade, ggaoed and qaoed, by vbladefs
 Links that start vbladefs under the names of the targets whose place it takes,
 with their command lines, files and sockets." \
    "Architecture: all" "Depends: vbladefs (= $version)" \
    "Conflicts: vblade, ggaoed, qaoed" "Replaces: vblade, ggaoed, qaoed" "Provides: vblade, ggaoed, qaoed"

mkdir -p "$out"
for tree in "$main" "$daemons"; do
    dpkg-deb --build --root-owner-group -Z"${DEB_COMPRESSION:-xz}" -z3 "$tree" "$out" >/dev/null
done
echo "$out/vbladefs_${version}_$arch.deb"
echo "$out/vbladefs-daemons_${version}_all.deb"
