package procview

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// TestOwn compares what the links say of a caller with what procfs says to it.
func TestOwn(t *testing.T) {
	t.Parallel()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	proc, err := os.Open("/proc")
	if err != nil {
		t.Fatal(err)
	}
	defer proc.Close()
	caller := &fuse.Caller{Pid: uint32(unix.Gettid())}
	for _, name := range []string{"self", "thread-self"} {
		want, err := os.Readlink("/proc/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if got := own(int(proc.Fd()), name, caller); string(got) != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, nobody := range []*fuse.Caller{nil, {}, {Pid: 1 << 30}} {
		if got := own(int(proc.Fd()), "self", nobody); got != nil {
			t.Errorf("self of %s is %q", fmt.Sprint(nobody), got)
		}
	}
}
