package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// filterVariable has the test program install a filter of these system calls and
// become the program of its arguments.
const filterVariable = "VBLADEFS_TEST_FILTER"

func init() {
	text := os.Getenv(filterVariable)
	if text == "" {
		return
	}
	runtime.LockOSThread()
	var allowed []uint32
	err := json.Unmarshal([]byte(text), &allowed)
	if err == nil {
		err = filterCalls(allowed)
	}
	if err == nil {
		_ = os.Unsetenv(filterVariable)
		err = syscall.Exec(os.Args[1], os.Args[1:], os.Environ())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// filterCalls refuses all other calls with EPERM, as systemd does with SystemCallFilter.
func filterCalls(allowed []uint32) error {
	const retAllow, retErrno = 0x7fff0000, 0x00050000 // seccomp(2)
	program := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}}
	for _, number := range allowed {
		program = append(program, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: number},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: retAllow})
	}
	program = append(program, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: retErrno | uint32(unix.EPERM)})
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	f := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&f)), 0, 0)
}
