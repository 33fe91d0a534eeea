package main_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"vbladefs/netio/netiotest"
)

// TestPermissionsOfTheTree: of every file and folder, owner, group and mode are
// what docs/security.md says, and nobody can write what the modes do not let him,
// with the group and without.
func TestPermissionsOfTheTree(t *testing.T) {
	t.Parallel()
	need(t, "setpriv")
	const nobody, group = 65534, 31337
	ns := netiotest.New(t)
	netiotest.Join(ns, "eth0", netiotest.New(t), "eth0", 1500)
	for _, flags := range [][]string{nil, {"-group", fmt.Sprint(group)}} {
		d := serve(t, ns, flags...)
		path, _ := image(t, mib)
		d.echo("add do "+path, "vblade/drives")
		d.echo(fmt.Sprintf("add eth0 0 %d", len(flags)), "vblade/do/ports") // the other daemon is still there
		var files, folders, writable []string
		err := filepath.WalkDir(d.dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			owner := info.Sys().(*syscall.Stat_t)
			wantMode, wantGroup := fs.FileMode(0o444), uint32(0)
			switch {
			case entry.Type()&fs.ModeSymlink != 0:
				wantMode = 0o777
			case entry.Name() == "trace": // tells what others read and write
				wantMode = 0o600
				if flags != nil {
					wantMode, wantGroup = 0o660, group
				}
				files, writable = append(files, path), append(writable, path)
			case entry.IsDir():
				wantMode = 0o755
				folders = append(folders, path)
			case info.Mode()&0o200 != 0:
				wantMode = 0o644
				if flags != nil {
					wantMode, wantGroup = 0o664, group
				}
				files, writable = append(files, path), append(writable, path)
			default:
				files = append(files, path)
			}
			if info.Mode().Perm() != wantMode || owner.Uid != 0 || owner.Gid != wantGroup {
				t.Errorf("%v: %s is of %d:%d with mode %v, want 0:%d and %v", flags, path, owner.Uid, owner.Gid, info.Mode(), wantGroup, wantMode)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(files) < 60 || len(writable) < 20 {
			t.Fatalf("%d files, %d of them writable: where is the tree?", len(files), len(writable))
		}
		for _, who := range []struct {
			gid  int
			most int // of the files it may open for writing
		}{{nobody, 0}, {group, len(flags) / 2 * len(writable)}} {
			opened := d.opensAs(nobody, who.gid, files, folders)
			if len(opened) != who.most {
				t.Errorf("%v: as %d:%d these can be written, and want %d of them: %v", flags, nobody, who.gid, who.most, opened)
			}
		}
		t.Logf("%v: %d files, %d of them writable, %d folders", flags, len(files), len(writable), len(folders))
	}
}

// opensAs lists which files a user can open for writing, and what else it can do
// that it must not. It must be able to read folders and files.
func (d *daemon) opensAs(uid, gid int, files, folders []string) (opened []string) {
	d.t.Helper()
	list := filepath.Join(d.t.TempDir(), "files")
	if err := os.WriteFile(list, []byte(strings.Join(files, "\n")+"\n"), 0o644); err != nil {
		d.t.Fatal(err)
	}
	dirs := strings.Join(folders, "\n")
	out, complaint, err := d.shell(`exec setpriv --reuid="$1" --regid="$2" --clear-groups bash -c '
while read -r f; do
	( exec 3>>"$f" ) 2>/dev/null && echo "$f"
	chmod 666 "$f" 2>/dev/null && echo "chmod $f"
	rm -f "$f" 2>/dev/null && echo "rm $f"
	( exec 3<"$f" ) 2>/dev/null || { [ -r "$f" ] && echo "cannot read $f"; }
done
while read -r d; do
	( : > "$d/new" ) 2>/dev/null && echo "new file in $d"
	mkdir "$d/newdir" 2>/dev/null && echo "new folder in $d"
	ls "$d" > /dev/null || echo "cannot list $d"
done <<< "$3"' bash "$1" "$2" "$3" < "$4"`, fmt.Sprint(uid), fmt.Sprint(gid), dirs, list)
	if err != nil {
		d.t.Fatalf("%v: %s", err, complaint)
	}
	if out == "" {
		return nil
	}
	return lines(out)
}
