package disk

// This file is the part of include/uapi/linux/io_uring.h that the queue uses, for which x/sys/unix has only the numbers
// of the system calls. uring_unsafe_test.go holds the structures to the kernel's layout.

// Flags of io_uring_setup(2): IORING_SETUP_*.
const (
	setupCQSize       = 1 << 3  // CQSIZE, Linux 5.5
	setupDisabled     = 1 << 6  // R_DISABLED, 5.10
	setupCoopTaskrun  = 1 << 8  // COOP_TASKRUN, 5.19
	setupTaskrunFlag  = 1 << 9  // TASKRUN_FLAG, 5.19
	setupSingleIssuer = 1 << 12 // SINGLE_ISSUER, 6.0
	setupDeferTaskrun = 1 << 13 // DEFER_TASKRUN, 6.1
)

// Features that io_uring_setup reports: IORING_FEAT_*.
const (
	featureSingleMmap = 1 << 0 // SINGLE_MMAP, 5.4
	featureNoDrop     = 1 << 1 // NODROP, 5.5
)

// Flags of io_uring_enter(2) and opcodes of io_uring_register(2): IORING_ENTER_*, IORING_REGISTER_*.
const (
	enterGetEvents      = 1 << 0
	registerBuffers     = 0
	registerEventfd     = 4
	registerProbe       = 8
	registerEnableRings = 12
)

// Where mmap(2) finds the parts of a ring: IORING_OFF_*.
const (
	mmapRings = 0
	mmapSQEs  = 0x10000000
)

// Flags that live in the rings: IORING_SQ_*, set by the kernel, and IORING_CQ_*, set by us.
const (
	sqCQOverflow      = 1 << 1 // completions wait in the kernel, enter to get them
	sqTaskrun         = 1 << 2 // completions must be worked off, enter to do so
	cqEventfdDisabled = 1 << 0
)

// Operations: IORING_OP_*, and the flag of one that the kernel has, IO_URING_OP_SUPPORTED.
const (
	opReadv      = 1
	opWritev     = 2
	opReadFixed  = 4 // in registered memory
	opWriteFixed = 5
	opRead       = 22
	opWrite      = 23
	opHas        = 1 << 0
)

// ringParams is struct io_uring_params.
type ringParams struct {
	sqEntries, cqEntries      uint32
	flags                     uint32
	sqThreadCPU, sqThreadIdle uint32
	features                  uint32
	wqFD                      uint32
	_                         [3]uint32
	sqOffsets                 sqOffsets
	cqOffsets                 cqOffsets
}

// sqOffsets is struct io_sqring_offsets.
type sqOffsets struct {
	head, tail, ringMask, ringEntries, flags, dropped, array, _ uint32
	userAddr                                                    uint64
}

// cqOffsets is struct io_cqring_offsets.
type cqOffsets struct {
	head, tail, ringMask, ringEntries, overflow, cqes, flags, _ uint32
	userAddr                                                    uint64
}

// sqe is struct io_uring_sqe, a submission, as reads and writes use it.
type sqe struct {
	opcode, flags uint8
	ioprio        uint16
	fd            int32
	offset        uint64
	addr          uint64
	length        uint32
	rwFlags       uint32
	userData      uint64
	bufIndex      uint16 // of the registered memory
	_             [22]byte
}

// cqe is struct io_uring_cqe, a completion.
type cqe struct {
	userData uint64
	res      int32 // bytes transferred, or a negative errno
	flags    uint32
}

// ringProbe is struct io_uring_probe with its list of struct io_uring_probe_op.
type ringProbe struct {
	lastOp, opsLen uint8
	_              uint16
	_              [3]uint32
	ops            [64]struct {
		op, _ uint8
		flags uint16
		_     uint32
	}
}
