package disk

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

const (
	// ringEntries is how many requests are submitted with one system call; more need another.
	ringEntries = 256
	// ringInFlight is how many requests the ring carries at a time, which is what a worker can have.
	ringInFlight = 1024
)

// ringModes are the ways to be told of completions, best first. With the first the kernel works them off only when we
// enter it to ask, and says when that is worth while; with the second it does when we enter it for any reason; with the
// last it interrupts us for each.
var ringModes = []uint32{
	setupSingleIssuer | setupDeferTaskrun | setupTaskrunFlag,
	setupCoopTaskrun | setupTaskrunFlag,
	0,
}

// newRing makes a disabled ring of the best mode that there is. setup is ioUringSetup.
func newRing(entries, inFlight uint32, setup func(uint32, *ringParams) (int, unix.Errno)) (*ring, error) {
	var p ringParams
	var fd int
	errno := unix.EINVAL
	for _, mode := range ringModes {
		p = ringParams{cqEntries: inFlight, flags: setupCQSize | setupDisabled | mode}
		if fd, errno = setup(entries, &p); errno != unix.EINVAL {
			break
		}
	}
	if errno != 0 {
		return nil, ringError(errno)
	}
	r := &ring{fd: fd}
	if err := r.prepare(&p); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

// ringError says what to do about a refused io_uring_setup.
func ringError(errno unix.Errno) error {
	remedy := "see io_uring_setup(2)"
	switch errno {
	case unix.EPERM:
		remedy = "allow it: sysctl kernel.io_uring_disabled, or the sandbox (seccomp) around this process"
	case unix.ENOSYS, unix.EINVAL:
		remedy = "it takes Linux 5.10 with io_uring, and no sandbox that hides it"
	case unix.ENOMEM:
		return fmt.Errorf("io_uring_setup: %w%s", errno, lockRemedy(errno))
	case unix.EMFILE, unix.ENFILE:
		remedy = "raise the limit of open files"
	}
	return fmt.Errorf("io_uring_setup: %w: %s", errno, remedy)
}

// lockRemedy says what to do where memory cannot be locked. It has the number, since
// what a service manager was told may not be what there is: without CAP_SYS_RESOURCE,
// in a container, it cannot raise the limit that it has itself (setrlimit(2)).
func lockRemedy(errno unix.Errno) string {
	var limit unix.Rlimit
	if errno != unix.ENOMEM || unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit) != nil || limit.Cur == unix.RLIM_INFINITY {
		return ""
	}
	return fmt.Sprintf(": the limit of locked memory is %d bytes: raise it (ulimit -l), or allow CAP_IPC_LOCK", limit.Cur)
}

// prepare checks what the kernel can, and maps the ring.
func (r *ring) prepare(p *ringParams) error {
	if p.features&(featureSingleMmap|featureNoDrop) != featureSingleMmap|featureNoDrop {
		return fmt.Errorf("io_uring: the features are %#x: %w: use a kernel from 5.10 on", p.features, unix.ENOSYS)
	}
	var probe ringProbe
	if errno := probeRing(r.fd, &probe); errno != 0 {
		return fmt.Errorf("io_uring probe: %w: use a kernel from 5.10 on", errno)
	}
	for _, op := range []int{opRead, opWrite} {
		if probe.ops[op].flags&opHas == 0 {
			return fmt.Errorf("io_uring has no operation %d: %w: use a kernel from 5.10 on", op, unix.ENOSYS)
		}
	}
	return r.mapMemory(p)
}

// mapMemory maps the two rings and the submission entries. The kernel's offsets are checked by the slices they index.
func (r *ring) mapMemory(p *ringParams) (err error) {
	sq, cq := p.sqOffsets, p.cqOffsets
	arrayEnd := int(sq.array) + 4*int(p.sqEntries)
	cqesEnd := int(cq.cqes) + cqeBytes*int(p.cqEntries)
	const access, how = unix.PROT_READ | unix.PROT_WRITE, unix.MAP_SHARED | unix.MAP_POPULATE
	if r.memory, err = unix.Mmap(r.fd, mmapRings, max(arrayEnd, cqesEnd), access, how); err != nil {
		return fmt.Errorf("io_uring: map the rings: %w: raise the memory limit", err)
	}
	if r.sqeMemory, err = unix.Mmap(r.fd, mmapSQEs, sqeBytes*int(p.sqEntries), access, how); err != nil {
		return fmt.Errorf("io_uring: map the entries: %w: raise the memory limit", err)
	}
	r.sqHead, r.sqTail, r.sqFlags = word(r.memory, sq.head), word(r.memory, sq.tail), word(r.memory, sq.flags)
	r.cqHead, r.cqTail, r.cqFlags = word(r.memory, cq.head), word(r.memory, cq.tail), word(r.memory, cq.flags)
	r.sqes = sqesIn(r.sqeMemory, int(p.sqEntries))
	r.cqes = cqesIn(r.memory[cq.cqes:], int(p.cqEntries))
	for i := range p.sqEntries { // entry i of the ring is always submission i
		word(r.memory, sq.array+4*i).Store(i)
	}
	return nil
}

// close releases the ring. Nothing may be in flight.
func (r *ring) close() error {
	for _, mapping := range [][]byte{r.memory, r.sqeMemory} {
		if mapping != nil {
			unix.Munmap(mapping)
		}
	}
	r.memory, r.sqeMemory = nil, nil
	if err := unix.Close(r.fd); err != nil {
		return fmt.Errorf("close io_uring: %w", err)
	}
	return nil
}
