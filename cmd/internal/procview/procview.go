// Package procview is a view of /proc in which the file aoeserver exists: a small read-only FUSE filesystem to be
// mounted over /proc in a mount namespace of its own (package mountns does that), with the real one in its folder Real.
//
//	open /proc/1234/stat ─▶ view: 1234 is a link to .real/1234 ─▶ procfs, which serves the file itself
//	open /proc/sys/…     ─▶ a folder of the view, over which the real one is bound
//	open /proc/aoeserver ─▶ a file of the view, over which the daemon's is bound
//
// No data flows through it: it only answers names. What is not a name of /proc's root, it never sees. The process
// that serves it must not use it, and ends by itself when the last mount of it is gone.
package procview

import (
	"fmt"
	"io"
	stdlog "log"
	"sync/atomic"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

const (
	// Real is the folder of the view that the real /proc is mounted on. It is not listed.
	Real = ".real"
	// File is what the view adds.
	File = "aoeserver"
	// Type is the view's filesystem type in lists of mounts.
	Type = "fuse.vbladefs-proc"
)

// View serves the view on a FUSE connection. Its methods may be called from any goroutine.
type View struct {
	root      *root
	connected chan struct{} // closed when the kernel can be told of changes
}

// New makes a view of the procfs whose root the descriptor proc is; it must stay open. Folders are the names of those
// that are folders in the view too, for the real ones to be bound over; everything else is a link.
func New(proc int, folders []string) *View {
	v := &View{root: &root{proc: proc, folders: map[string]bool{Real: true}, shown: new(atomic.Bool)}, connected: make(chan struct{})}
	v.root.shown.Store(true)
	for _, name := range folders {
		v.root.folders[name] = true
	}
	return v
}

// Show makes File exist, as at first, or not. Hiding it detaches what is mounted on it. It waits for Serve.
func (v *View) Show(shown bool) {
	<-v.connected
	v.root.shown.Store(shown)
	_ = v.root.NotifyEntry(File) // ENOENT: nobody has looked
}

// Serve answers on a descriptor of /dev/fuse, which it takes over and which must have been mounted already, until the
// last mount of it is gone. It may be called once.
func (v *View) Serve(connection int) error {
	options := fs.Options{MountOptions: fuse.MountOptions{
		DisableReadDirPlus: true, // a list of names costs no look at each process
		DisableXAttrs:      true,
		Logger:             stdlog.New(io.Discard, "", 0),
	}}
	server, err := fuse.NewServer(fs.NewNodeFS(v.root, &options), fmt.Sprintf("/dev/fd/%d", connection), &options.MountOptions)
	if err != nil {
		return fmt.Errorf("serve the view of /proc: %w", err)
	}
	close(v.connected)
	server.Serve()
	return nil
}
