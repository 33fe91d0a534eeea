package fusectl

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// detached mounts a file system like that of serve nowhere (fsopen(2), since Linux 5.2): nothing is left of it when
// this process ends, however it does. mount is of what can be attached, and fuse is where to answer for it.
func detached() (mount, fuse int, err error) {
	fuse, err = unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, -1, fmt.Errorf("/dev/fuse: %w", err)
	}
	if mount, err = mountDetached(fuse); err != nil {
		return -1, -1, errors.Join(err, unix.Close(fuse))
	}
	return mount, fuse, nil
}

func mountDetached(fuse int) (mount int, err error) {
	context, err := unix.Fsopen("fuse", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("fsopen: %w", err)
	}
	defer unix.Close(context)
	for _, option := range []struct{ key, value string }{ // what the library says when it mounts
		{"source", fsName}, {"subtype", fsName}, {"fd", fmt.Sprint(fuse)}, {"rootmode", fmt.Sprintf("%o", unix.S_IFDIR)},
		{"user_id", fmt.Sprint(os.Geteuid())}, {"group_id", fmt.Sprint(os.Getegid())}, {"max_read", fmt.Sprint(maxFUSEWrite)},
	} {
		if err := unix.FsconfigSetString(context, option.key, option.value); err != nil {
			return -1, fmt.Errorf("fsconfig %s=%s: %w", option.key, option.value, err)
		}
	}
	for _, flag := range []string{"default_permissions", "allow_other"} {
		if err := unix.FsconfigSetFlag(context, flag); err != nil {
			return -1, fmt.Errorf("fsconfig %s: %w", flag, err)
		}
	}
	if err := unix.FsconfigCreate(context); err != nil {
		return -1, fmt.Errorf("fsconfig: %w", err)
	}
	mount, err = unix.Fsmount(context, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return -1, fmt.Errorf("fsmount: %w", err)
	}
	return mount, nil
}
