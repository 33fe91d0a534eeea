package fusectl

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"vbladefs/fusectl/dying"
)

// This file takes away the tree of a daemon that was killed while a disk hangs. Such a process cannot end before the
// disk answers, and as long as it is there the kernel keeps its tree connected: whoever looks at that waits for an
// answer that will never come.

// takeFromTheDying detaches the topmost mount at dir, if it is such a tree; all who wait for it are told that it is gone.
// Nothing here asks the tree itself.
func takeFromTheDying(dir string) bool {
	parent, err := filepath.EvalSymlinks(filepath.Dir(dir))
	if err != nil {
		return false
	}
	dir = filepath.Join(parent, filepath.Base(dir))
	connection, ours := connectionAt(dir)
	if !ours || !nobodyLivesBehind(connection) {
		return false
	}
	// Force aborts the connection: fs/fuse/inode.c, fuse_umount_begin.
	return unix.Unmount(dir, unix.MNT_FORCE|unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW) == nil
}

// connectionAt is the number of the FUSE connection that the topmost mount at dir belongs to, if that is a tree of ours: the
// minor number of its device.
func connectionAt(dir string) (number string, ours bool) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", false
	}
	for line := range strings.Lines(string(text)) {
		if point, kind, ok := parseMountInfo(line); ok && point == dir { // later lines are mounted on top
			_, number, _ = strings.Cut(strings.Fields(line)[2], ":")
			ours = kind == fsType
		}
	}
	return number, ours
}

// nobodyLivesBehind reports whether processes that have a connection are there, and all of them are dying. Of a kernel that
// does not tell whose connection is which, every process of the name of this one may have it.
func nobodyLivesBehind(connection string) bool {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return false
	}
	self, _ := os.ReadFile("/proc/self/comm")
	found, alive := false, false
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		dying.Files(pid, func(name, to string) bool {
			if to != "/dev/fuse" {
				return true
			}
			of, told := connectionOf(name)
			if !told {
				comm, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "comm"))
				if string(comm) != string(self) {
					return true
				}
			} else if of != connection {
				return true
			}
			found = true
			alive = alive || !dying.Process(pid)
			return !alive
		})
	}
	return found && !alive
}

// connectionOf is the connection of a descriptor of /dev/fuse, which newer kernels show in fdinfo.
func connectionOf(fd string) (number string, told bool) {
	info, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(fd)), "fdinfo", filepath.Base(fd)))
	if err != nil {
		return "", false
	}
	_, rest, told := strings.Cut(string(info), "fuse_connection:")
	number, _, _ = strings.Cut(strings.TrimSpace(rest), "\n")
	return number, told
}
