package mountns

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"vbladefs/cmd/internal/procview"
)

// View is what the process that serves the view of /proc needs to know.
type View struct {
	Namespace string   // as the link /proc/PID/ns/mnt of a process in it reads
	Device    uint64   // of the control tree that is bound
	Folders   []string // those of /proc that are folders in the view
}

// Enter takes the calling thread, which must be locked to its goroutine and stay so, into a new mount namespace with
// the control tree mounted on dir. Fuse is a descriptor of /dev/fuse, which Enter closes; once the view is mounted,
// it calls serve, upon which another process, one that is not in the namespace, must begin to serve it. After an
// error the thread is not fit for use, and the descriptor may still be open.
func Enter(dir string, fuse int, serve func(View) error) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make a mount namespace: %w", err)
	}
	// Slave: what the machine mounts and unmounts outside of our places happens here too, and nothing goes back.
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("keep mounts from spreading: %w", err)
	}
	for _, at := range []string{"/proc", "/sys"} {
		if err := uncover(at); err != nil {
			return err
		}
	}
	device, err := Device(dir)
	if err != nil {
		return err
	}
	t, err := copyTree(dir)
	if err != nil {
		return err
	}
	defer func() { _ = t.close() }()
	if err := coverProc(device, fuse, serve); err != nil {
		return err
	}
	if err := coverSys(); err != nil {
		return err
	}
	if err := t.attach(); err != nil {
		return err
	}
	return protectSys(true)
}

// uncover takes away what an outer run has mounted at a place, with what is mounted in it.
func uncover(at string) error {
	for {
		name, err := topSource(at)
		if err != nil || name != source {
			return err
		}
		if err := unix.Unmount(at, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
			return &os.PathError{Op: "umount", Path: at, Err: err}
		}
	}
}

// coverProc mounts the view over /proc, the real one in the view, and its folders over those of the view.
func coverProc(device uint64, fuse int, serve func(View) error) error {
	namespace, err := os.Readlink("/proc/thread-self/ns/mnt")
	if err != nil {
		return err
	}
	folders, err := procFolders()
	if err != nil {
		return err
	}
	real, err := copyMount("/proc")
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(real) }()
	options := fmt.Sprintf("fd=%d,rootmode=40555,user_id=0,group_id=0,allow_other", fuse)
	flags := uintptr(unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
	if err := unix.Mount(source, "/proc", procview.Type, flags, options); err != nil {
		return fmt.Errorf("mount a view of /proc: %w", err)
	}
	if err := unix.Close(fuse); err != nil { // so that the connection ends with the process that serves it
		return err
	}
	if err := serve(View{Namespace: namespace, Device: device, Folders: folders}); err != nil {
		return err
	}
	if err := moveMount(real, "/proc/"+procview.Real); err != nil {
		return err
	}
	for _, name := range folders {
		at := "/proc/" + name
		if err := unix.Mount("/proc/"+procview.Real+"/"+name, at, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("bind %s: %w", at, err)
		}
	}
	return nil
}

// procFolders lists the folders of /proc but for those of processes.
func procFolders() ([]string, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var folders []string
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil && e.IsDir() {
			folders = append(folders, e.Name())
		}
	}
	return folders, nil
}

// coverSys mounts a tmpfs over /sys, with the real folders of /sys bound in it.
func coverSys() error {
	entries, err := os.ReadDir("/sys")
	if err != nil {
		return err
	}
	copies := make(map[string]int)
	defer func() {
		for _, fd := range copies {
			_ = unix.Close(fd)
		}
	}()
	for _, e := range entries {
		if at := "/sys/" + e.Name(); e.IsDir() && !isPlace(at) {
			if copies[at], err = copyMount(at); err != nil {
				return err
			}
		}
	}
	flags := uintptr(unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
	// Without a size it is left out of df(1), as sysfs is.
	if err := unix.Mount(source, "/sys", "tmpfs", flags, "mode=0555,size=0,nr_inodes=1k"); err != nil {
		return fmt.Errorf("mount a tmpfs over /sys: %w", err)
	}
	for at, fd := range copies {
		if err := errors.Join(makeFolder(at), moveMount(fd, at)); err != nil {
			return err
		}
	}
	return nil
}

// isPlace tells whether the control tree covers a name of /sys: of a kernel target that is loaded, perhaps.
func isPlace(at string) bool {
	for _, p := range places {
		if p.at == at {
			return true
		}
	}
	return false
}

// protectSys makes the tmpfs over /sys, not what is bound in it, read-only or writable.
func protectSys(protected bool) error {
	flags := uintptr(unix.MS_REMOUNT | unix.MS_BIND | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
	if protected {
		flags |= unix.MS_RDONLY
	}
	if err := unix.Mount("", "/sys", "", flags, ""); err != nil {
		return fmt.Errorf("remount the tmpfs over /sys: %w", err)
	}
	return nil
}
