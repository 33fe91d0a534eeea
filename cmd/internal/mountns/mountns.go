// Package mountns makes a private mount namespace in which the files of the kernel targets exist and are those of a
// running daemon's control tree, for programs that know no other place:
//
//	/sys/kvblade     MOUNT/kvblade     bound on a folder of a tmpfs that also has the real folders of /sys bound in it
//	/sys/vblade      MOUNT/vblade      the same
//	/proc/aoeserver  MOUNT/aoeserver   bound on a file of the view of /proc (package procview)
//
// Enter makes it for the thread that calls; Follow, from a process outside of it, replaces what is bound when a daemon
// starts anew. Neither changes a mount anywhere else. The namespace goes with the last process in it, and every mount
// made here with it. It is no container: all but mounts is shared with the rest of the machine.
//
// It needs Linux 5.2: open_tree(2) and move_mount(2).
package mountns

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"vbladefs/cmd/internal/procview"
)

// source is what lists of mounts call our own.
const source = "vbladefs-run"

// place is a part of the control tree and where programs look for it.
type place struct {
	name   string
	at     string
	folder bool
}

var places = []place{
	{"kvblade", "/sys/kvblade", true},
	{"vblade", "/sys/vblade", true},
	{procview.File, "/proc/" + procview.File, false},
}

// Device is the device number of the control tree mounted on dir. Every daemon's is another.
func Device(dir string) (uint64, error) {
	var st unix.Stat_t
	for _, p := range places {
		if err := unix.Stat(filepath.Join(dir, p.name), &st); err != nil {
			return 0, &os.PathError{Op: "stat", Path: filepath.Join(dir, p.name), Err: err}
		}
		if is := st.Mode&unix.S_IFMT == unix.S_IFDIR; is != p.folder {
			return 0, fmt.Errorf("%s is not part of a control tree", filepath.Join(dir, p.name))
		}
	}
	return st.Dev, nil
}

// tree is a copy of the places of a control tree, not mounted anywhere yet.
type tree []int

// copyTree takes the places out of the tree mounted on dir.
func copyTree(dir string) (tree, error) {
	var t tree
	for _, p := range places {
		fd, err := copyMount(filepath.Join(dir, p.name))
		if err != nil {
			return nil, errors.Join(err, t.close())
		}
		t = append(t, fd)
	}
	return t, nil
}

// attach mounts the places where programs look for them: in the namespace of the calling thread.
func (t tree) attach() error {
	for i, p := range places {
		if p.folder {
			if err := makeFolder(p.at); err != nil {
				return err
			}
		}
		if err := moveMount(t[i], p.at); err != nil {
			return err
		}
		// What the machine mounts into the control tree, if anything, is no business of ours.
		if err := unix.Mount("", p.at, "", unix.MS_PRIVATE, ""); err != nil {
			return fmt.Errorf("make %s private: %w", p.at, err)
		}
	}
	return nil
}

func (t tree) close() error {
	var errs []error
	for _, fd := range t {
		errs = append(errs, unix.Close(fd))
	}
	return errors.Join(errs...)
}

// copyMount is a copy of what is seen at path, with everything mounted below it.
func copyMount(path string) (int, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if errors.Is(err, unix.ENOSYS) {
		err = fmt.Errorf("%w: this needs Linux 5.2 or later", err)
	}
	if err != nil {
		return -1, &os.PathError{Op: "open_tree", Path: path, Err: err}
	}
	return fd, nil
}

func moveMount(fd int, to string) error {
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, to, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return &os.PathError{Op: "move_mount", Path: to, Err: err}
	}
	return nil
}

// makeFolder makes a folder like those of sysfs, whatever the umask; it may be there.
func makeFolder(path string) error {
	if err := unix.Mkdir(path, 0o755); err != nil && !errors.Is(err, unix.EEXIST) {
		return &os.PathError{Op: "mkdir", Path: path, Err: err}
	}
	if err := unix.Chmod(path, 0o755); err != nil {
		return &os.PathError{Op: "chmod", Path: path, Err: err}
	}
	return nil
}
