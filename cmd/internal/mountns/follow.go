package mountns

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// Follow waits for a daemon to end or to start on dir and calls changed(true) and then binds its tree in the
// namespace, or unbinds it and then calls changed(false). It looks at its own process's mounts and must run outside
// of the namespace, which it does not keep alive. Proc is a descriptor of the root of the real /proc; failed hears
// what went wrong with a change, and the next one is awaited. It returns only if it cannot wait.
func Follow(dir string, proc int, v View, changed func(bool), failed func(error)) error {
	fd, err := unix.Openat(proc, "self/mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("list of mounts: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	for bound := v.Device; ; {
		// A mount may have changed before we began to look, so look first.
		if device, _ := Device(dir); device != bound { // 0 when there is none
			if err := rebind(dir, proc, v.Namespace, device != 0, changed); err != nil {
				failed(err)
			}
			bound = device
		}
		// See proc_pid_mountinfo(5): a change of the mounts is an exceptional condition.
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait for mounts: %w", err)
		}
	}
}

// rebind binds the tree of a daemon that came, or takes away that of one that went.
func rebind(dir string, proc int, namespace string, up bool, changed func(bool)) error {
	var t tree
	if up {
		var err error
		if t, err = copyTree(dir); err != nil {
			return err
		}
		defer func() { _ = t.close() }()
	}
	return inside(proc, namespace, func() error {
		if err := protectSys(false); err != nil {
			return err
		}
		changed(false) // unmounts its file
		err := clearSys()
		if up && err == nil {
			changed(true)
			err = t.attach()
		}
		return errors.Join(err, protectSys(true))
	})
}

// clearSys takes away the places in /sys.
func clearSys() error {
	for _, p := range places {
		if !p.folder {
			continue
		}
		err := unix.Unmount(p.at, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if err == nil {
			err = unix.Rmdir(p.at)
		}
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return &os.PathError{Op: "umount", Path: p.at, Err: err}
		}
	}
	return nil
}

// inside calls f on a thread of its own in the namespace of that name, if there still is a process in it.
func inside(proc int, namespace string, f func() error) error {
	fd, err := find(proc, namespace)
	if err != nil || fd < 0 {
		return err
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, and leaves the namespace
		err := unix.Unshare(unix.CLONE_FS)
		if err == nil {
			err = unix.Setns(fd, unix.CLONE_NEWNS)
		}
		_ = unix.Close(fd) // it would keep the namespace
		if err != nil {
			err = fmt.Errorf("enter the mount namespace: %w", err)
		} else {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// find opens the namespace of that name by way of a process in it; -1 if there is none. An open descriptor keeps a
// namespace, so it may not be kept.
func find(proc int, namespace string) (int, error) {
	fd, err := unix.Openat(proc, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	folder := os.NewFile(uintptr(fd), "proc")
	defer folder.Close()
	names, err := folder.Readdirnames(-1)
	if err != nil {
		return -1, err
	}
	for _, name := range names {
		if _, err := strconv.Atoi(name); err != nil {
			continue
		}
		path := filepath.Join(name, "ns/mnt")
		text := make([]byte, len(namespace)+1)
		n, err := unix.Readlinkat(proc, path, text)
		if err != nil || string(text[:n]) != namespace {
			continue
		}
		if fd, err := unix.Openat(proc, path, unix.O_RDONLY|unix.O_CLOEXEC, 0); err == nil {
			return fd, nil
		}
	}
	return -1, nil
}
