package privilege

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// permitted is what the calling thread may use; all have the same at the start.
func permitted() (set, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData // capget(2): two of 32 bits in version 3
	if err := unix.Capget(&header, &data[0]); err != nil {
		return 0, err
	}
	return set(data[0].Permitted) | set(data[1].Permitted)<<32, nil
}

// capset has every thread permit and use s, and hand down nothing.
func capset(s set) syscall.Errno {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3} // pid 0: each thread is its own
	low, high := uint32(s), uint32(s>>32)
	data := [2]unix.CapUserData{{Effective: low, Permitted: low}, {Effective: high, Permitted: high}}
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data)), 0)
	return errno
}
