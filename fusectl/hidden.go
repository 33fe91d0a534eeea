package fusectl

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Hidden is a tree that is served and mounted nowhere yet, so that it can take the
// place of another daemon's at once. One goroutine uses it.
type Hidden struct {
	server *Server
	mount  int // of fsmount(2), not attached
}

// Hide serves the control tree of e for dir, which another daemon's tree has.
func Hide(dir string, e Engine, o Options) (*Hidden, error) {
	dir, err := resolve(dir)
	if err != nil {
		return nil, err
	}
	hidden, err := hide(mountPoint{dir: dir}, newTree(e, o))
	if err != nil {
		return nil, fmt.Errorf("serve the control tree: %w", err)
	}
	return hidden, nil
}

// hide serves t, to be placed at point.
func hide(point mountPoint, t *tree) (*Hidden, error) {
	mount, fd, err := detached()
	if err != nil {
		return nil, err
	}
	served, err := serve(fd, t)
	if err != nil {
		return nil, errors.Join(err, unix.Close(mount))
	}
	return &Hidden{mount: mount, server: &Server{fuse: served, point: point, removed: make(chan struct{})}}, nil
}

// Close gives up a tree that was not placed.
func (h *Hidden) Close() error {
	if h.mount < 0 {
		return nil
	}
	err := unix.Close(h.mount)
	h.mount = -1
	return err
}

// moveMountBeneath is MOVE_MOUNT_BENEATH, linux/mount.h, since Linux 6.5.
const moveMountBeneath = 0x200

// PlaceBeneath attaches the tree beneath the one that is mounted there, whose end
// then shows it: nobody sees the folder without one. Not every kernel and not
// every mount point lets that be.
func (h *Hidden) PlaceBeneath() error { return h.place(moveMountBeneath) }

// Uncover shows the tree once the other daemon has ended. Where it was not placed
// beneath that one's, it is mounted now.
func (h *Hidden) Uncover(placed bool) error {
	dir := h.server.point.dir
	for range 2 { // its mount, if it could not take that away; never ours, which answers
		if !dead(dir) {
			break
		}
		if err := unix.Unmount(dir, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
			return fmt.Errorf("detach the dead mount at %s: %w", dir, err)
		}
	}
	if placed {
		return nil
	}
	return h.place(0)
}

func (h *Hidden) place(flags int) error {
	if err := unix.MoveMount(h.mount, "", unix.AT_FDCWD, h.server.point.dir, unix.MOVE_MOUNT_F_EMPTY_PATH|flags); err != nil {
		return fmt.Errorf("move_mount to %s: %w", h.server.point.dir, err)
	}
	go h.server.await()
	return h.Close()
}

// Server is the tree once it is placed.
func (h *Hidden) Server() *Server { return h.server }

// Become makes e what saved says: what differs is changed, and what is missing
// there goes. What fails is given to report.
func Become(saved []byte, e Engine, report func(Mistake)) {
	good := true
	want := examine(saved, func(m Mistake) {
		good = false
		report(m)
	})
	defer want.close()
	if !good {
		return
	}
	r := restorer{engine: e, wanted: want, exact: true, did: func(step) {}, failed: func(m Mistake, _ int) { report(m) }}
	r.run()
}
