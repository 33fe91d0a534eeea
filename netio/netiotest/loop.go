package netiotest

import (
	"os"

	"golang.org/x/sys/unix"
)

// LoopLock has no other test that takes it ask for a free loop device (losetup -f) until unlock is called. Who asks while
// another does may be told of the device that the other gets, and claims it for a moment, in which nobody else can open it
// exclusively (drivers/block/loop.c loop_configure).
func LoopLock() (unlock func(), err error) {
	f, err := os.Open("/dev/loop-control")
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}
