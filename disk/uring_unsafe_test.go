package disk

import (
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestRingLayout holds the structures to include/uapi/linux/io_uring.h: sizes and offsets as on every architecture.
func TestRingLayout(t *testing.T) {
	var (
		p     ringParams
		sq    sqOffsets
		cq    cqOffsets
		s     sqe
		c     cqe
		probe ringProbe
	)
	for _, f := range []struct {
		name      string
		got, want uintptr
	}{
		{"sizeof io_uring_params", unsafe.Sizeof(p), 120},
		{"io_uring_params.cq_entries", unsafe.Offsetof(p.cqEntries), 4},
		{"io_uring_params.flags", unsafe.Offsetof(p.flags), 8},
		{"io_uring_params.features", unsafe.Offsetof(p.features), 20},
		{"io_uring_params.wq_fd", unsafe.Offsetof(p.wqFD), 24},
		{"io_uring_params.sq_off", unsafe.Offsetof(p.sqOffsets), 40},
		{"io_uring_params.cq_off", unsafe.Offsetof(p.cqOffsets), 80},
		{"sizeof io_sqring_offsets", unsafe.Sizeof(sq), 40},
		{"io_sqring_offsets.tail", unsafe.Offsetof(sq.tail), 4},
		{"io_sqring_offsets.flags", unsafe.Offsetof(sq.flags), 16},
		{"io_sqring_offsets.array", unsafe.Offsetof(sq.array), 24},
		{"sizeof io_cqring_offsets", unsafe.Sizeof(cq), 40},
		{"io_cqring_offsets.tail", unsafe.Offsetof(cq.tail), 4},
		{"io_cqring_offsets.cqes", unsafe.Offsetof(cq.cqes), 20},
		{"io_cqring_offsets.flags", unsafe.Offsetof(cq.flags), 24},
		{"sizeof io_uring_sqe", unsafe.Sizeof(s), 64},
		{"io_uring_sqe.fd", unsafe.Offsetof(s.fd), 4},
		{"io_uring_sqe.off", unsafe.Offsetof(s.offset), 8},
		{"io_uring_sqe.addr", unsafe.Offsetof(s.addr), 16},
		{"io_uring_sqe.len", unsafe.Offsetof(s.length), 24},
		{"io_uring_sqe.rw_flags", unsafe.Offsetof(s.rwFlags), 28},
		{"io_uring_sqe.user_data", unsafe.Offsetof(s.userData), 32},
		{"io_uring_sqe.buf_index", unsafe.Offsetof(s.bufIndex), 40},
		{"sizeof io_uring_cqe", unsafe.Sizeof(c), 16},
		{"io_uring_cqe.res", unsafe.Offsetof(c.res), 8},
		{"sizeof io_uring_probe_op", unsafe.Sizeof(probe.ops[0]), 8},
		{"io_uring_probe_op.flags", unsafe.Offsetof(probe.ops[0].flags), 2},
		{"io_uring_probe.ops", unsafe.Offsetof(probe.ops), 16},
		{"io_uring_probe.ops_len", unsafe.Offsetof(probe.opsLen), 1},
	} {
		if f.got != f.want {
			t.Errorf("%s is %d, want %d", f.name, f.got, f.want)
		}
	}
}

// withoutUring calls f on a thread for which io_uring_setup fails, as in a sandbox: a seccomp(2) filter, which cannot be
// taken off, so the thread ends with it.
func withoutUring(t *testing.T, errno unix.Errno, f func()) {
	t.Helper()
	const loadWord, jumpIfEqual, ret = 0x20, 0x15, 0x06 // BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K
	program := []unix.SockFilter{
		{Code: loadWord, K: 0}, // struct seccomp_data begins with the number of the call
		{Code: jumpIfEqual, Jf: 1, K: unix.SYS_IO_URING_SETUP},
		{Code: ret, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: ret, K: unix.SECCOMP_RET_ALLOW},
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			done <- err
			return
		}
		err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&filter)), 0, 0)
		if err == nil {
			f()
		}
		done <- err
	}()
	err := <-done
	need(t, err == nil, "seccomp filters")
}
