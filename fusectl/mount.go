package fusectl

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
)

// fsName is what mount(8) and df(1) show; fsType is how a mount of ours is
// recognised.
const (
	fsName = "vbladefs"
	fsType = "fuse." + fsName
)

// Server is a mounted tree. Its methods may be called concurrently.
type Server struct {
	fuse    *fuse.Server
	point   mountPoint
	once    sync.Once
	err     error
	removed chan struct{} // closed when the mount point is free
}

// Mount mounts the control tree of e at dir and serves it until Unmount, or
// until someone else unmounts it. It creates dir if it is missing, takes the
// place of a mount that a killed daemon left behind, and refuses dir if a
// living one is there or if it holds anything. It needs root.
func Mount(dir string, e Engine, o Options) (*Server, error) {
	point, err := prepare(dir, o.NonEmpty)
	if err != nil {
		return nil, err
	}
	server, err := mount(point, newTree(e, o))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("mount the control tree at %s: %w%s", dir, err, mountAdvice()), point.discard())
	}
	return server, nil
}

func mount(point mountPoint, t *tree) (*Server, error) {
	hidden, err := hide(point, t)
	if err != nil {
		return nil, err
	}
	if err := hidden.place(0); err != nil {
		return nil, errors.Join(err, hidden.Close())
	}
	return hidden.server, nil
}

// mountAdvice says what to do about a mount that failed, for what is likely to be the cause.
func mountAdvice() string {
	if _, err := os.Stat("/dev/fuse"); errors.Is(err, os.ErrNotExist) {
		return ": there is no /dev/fuse: load it with `modprobe fuse`, or let the container have it"
	}
	if os.Geteuid() != 0 {
		return ": start it as root; with -user it does not stay root"
	}
	return ""
}

// CheckMountPoint refuses the dir that Mount would refuse, and leaves nothing
// behind but that a killed daemon's mount is gone.
func CheckMountPoint(dir string, nonEmpty bool) error {
	point, err := prepare(dir, nonEmpty)
	if err != nil {
		return err
	}
	return point.discard()
}

// serve answers for t on a descriptor of /dev/fuse that is mounted already. The library is not to mount: it then opens a
// file in the tree itself, and a daemon killed at that moment waits for its own answer in close(2) for ever, and with it
// whoever looks at the tree, as the kernel ends a connection only when its last user has ended.
func serve(connection int, t *tree) (*fuse.Server, error) {
	zero := time.Duration(0)
	options := fs.Options{
		EntryTimeout: &zero, AttrTimeout: &zero, NegativeTimeout: &zero,
		MountOptions: fuse.MountOptions{
			Name: fsName, MaxWrite: maxFUSEWrite, DisableXAttrs: true, DisableReadDirPlus: true,
			DisableSplice: true, // nothing here is a file; the library would fill and empty a pipe for every read
		},
	}
	nodes := fs.NewNodeFS(&dirNode{tree: t, dir: root()}, &options)
	server, err := fuse.NewServer(nodes, fmt.Sprintf("/dev/fd/%d", connection), &options.MountOptions)
	if err != nil {
		return nil, err
	}
	go server.Serve()
	return server, server.WaitMount()
}

// newTree fills in what o leaves out.
func newTree(e Engine, o Options) *tree {
	if o.Logger == nil {
		o.Logger = logrus.New()
		o.Logger.SetOutput(io.Discard)
	}
	if o.Events == nil {
		o.Events = NewEvents()
		o.Logger.AddHook(o.Events)
	}
	return &tree{engine: e, log: o.Logger, events: o.Events, group: o.Group, started: time.Now(), readme: []byte(Help()),
		save: o.Save, settle: o.Settle, restores: &restores{}}
}

// await tidies up after someone else's umount as well.
func (s *Server) await() {
	s.fuse.Wait()
	s.finish()
}

// Wait returns when the tree is no longer mounted.
func (s *Server) Wait() { <-s.removed }

// Unmount takes the tree away. If someone uses it still, it is gone for all
// others at once, and for those when they stop or this process ends. Calling it
// again does nothing.
func (s *Server) Unmount() error {
	select {
	case <-s.removed:
		return nil
	default:
	}
	err := unix.Unmount(s.point.dir, unix.UMOUNT_NOFOLLOW)
	if errors.Is(err, unix.EBUSY) {
		err = unix.Unmount(s.point.dir, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	}
	if err != nil && !errors.Is(err, unix.EINVAL) { // EINVAL: someone else was faster
		return fmt.Errorf("unmount %s: %w", s.point.dir, err)
	}
	return s.finish()
}

// Linger answers those who were in the tree when it was unmounted, until they have
// left or most has passed.
func (s *Server) Linger(most time.Duration) {
	left := make(chan struct{})
	go func() {
		defer close(left)
		s.fuse.Wait()
	}()
	select {
	case <-left:
	case <-time.After(most):
	}
}

func (s *Server) finish() error {
	s.once.Do(func() {
		s.err = s.point.discard()
		close(s.removed)
	})
	return s.err
}
