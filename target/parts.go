package target

import (
	"time"

	"vbladefs/target/aoe"
)

// This file states what the engine needs of the rooms it does not import:
// netio, disk and the kernel's list of interfaces. cmd/internal/engine joins
// them.

// Link carries whole frames over one interface. One worker owns it; only the
// drop counters may be read by others.
type Link interface {
	// Receive stores up to len(frames) waiting frames and returns how many.
	// It never blocks. The frames are borrowed until Release.
	Receive(frames [][]byte) (int, error)
	// Release gives the frames of the last Receive back.
	Release()
	// Send sends len(headers) frames, frame i being headers[i] followed by
	// payloads[i], with one system call. Frames that the interface refuses are
	// dropped and counted; an error means that the link is of no more use.
	Send(headers, payloads [][]byte) (int, error)
	// FD is the descriptor that becomes readable when frames wait.
	FD() int
	// ReceiveDrops counts the frames that were lost for want of room, or dropped
	// because they had waited too long.
	ReceiveDrops() uint64
	// SendDrops counts the frames that the interface refused.
	SendDrops() uint64
	// Kind names the implementation: "ring", "raw", "xdp".
	Kind() string
	Close() error
}

// A Cutter is a Link that another one on the same interface can take the place of, or
// that can take another one's place: both are open for a while, and each frame is
// brought by one of the two.
type Cutter interface {
	// Stamp has frames be stamped for both alike, or not any more. Any goroutine may
	// call it; the owner calls the others.
	Stamp(on bool) error
	// Skip passes over what waits, as the other link brings it.
	Skip()
	// Only has Receive bring only what came from one moment on and before another, in
	// nanoseconds of CLOCK_REALTIME; 0 is no bound. Alone: from now on, instead of until.
	Only(from, until int64)
	// Alone tells whether frames that come here come to no other link, whenever they come.
	Alone() bool
	// Arrived reports whether Receive finds all that came up to now.
	Arrived() bool
}

// LinkGroup is the links that the workers of one interface have, one each. It
// gives every frame to one link only, and the frames of an address in order:
// what is steered nowhere else to the first. While the interface comes and goes
// frames may come to another link. Operations use it; the links belong to
// their workers.
type LinkGroup interface {
	// Links returns the links, at least one. The caller closes them.
	Links() []Link
	// Steer has frames for shelf.slot come to link number i from now on.
	Steer(shelf uint16, slot uint8, i int) error
	// Settle returns when what was steered otherwise before has arrived.
	Settle() error
	// Start has the links receive; several receive nothing before.
	Start() error
	// Close frees what there is besides the links.
	Close() error
}

// A StandInGroup may be one that serves until there is time to open another.
type StandInGroup interface{ StandIn() bool }

// A MuteGroup may be one whose links carry nothing, as another process has the
// interface still: no neighbour is asked, or heard.
type MuteGroup interface{ Mute() bool }

// ReplyListener is a LinkGroup some of whose links bring requests only. Listen
// calls heard for each reply that comes to the interface, until end, which is nil
// if the links bring them themselves.
type ReplyListener interface {
	Listen(heard func(frame []byte)) (end func() error, err error)
}

// Op is what a Queue does with a Store.
type Op uint8

// The operations of a Queue.
const (
	OpRead         Op = iota
	OpWrite           // as safe as the store's write policy says
	OpWriteDurable    // durable before it completes, whatever the policy
	OpFlush           // all completed writes become durable
	OpDiscard         // gives a range up, whatever it reads as then; of ranges only, as the next
	_                 // disk.WriteZeroes
	OpPunch           // has a range read as zeros and gives its blocks back where it can
)

// Queue carries a worker's transfers to stores and back. One worker owns it;
// only Wake may be called by others.
type Queue interface {
	// Try carries the transfer out at once if that needs no waiting for a
	// device, and reports whether it did. data is used during the call only.
	Try(s Store, op Op, data []byte, offset int64) (done bool, err error)
	// Submit takes the transfer over until Reap returns its token; data must
	// not change or move until then.
	Submit(s Store, op Op, data []byte, offset int64, token uint64)
	// SubmitRange is Submit of OpDiscard and OpPunch, which have no data.
	SubmitRange(s Store, op Op, offset, length int64, token uint64)
	// Reap stores the tokens and results of finished transfers and returns how
	// many. It never blocks.
	Reap(tokens []uint64, errs []error) int
	// Wait sleeps until a transfer finishes, fd (if not negative) becomes
	// readable, Wake is called, or timeout passes (negative: no limit).
	Wait(fd int, timeout time.Duration) error
	Wake()
	// Close waits for what was submitted.
	Close() error
}

// BufferRegistrar is a Queue that is faster with data in memory that it was told
// of once, before its first transfer. The memory is freed after Close only.
type BufferRegistrar interface {
	RegisterBuffers(memory []byte)
}

// Store is an opened and claimed backing store.
type Store interface {
	// Key is what Parts.Identify names it, of the opened store itself: its path
	// may lead elsewhere by now.
	Key() string
	SizeBytes() int64
	// Refresh asks for the size again: files and devices grow and shrink.
	Refresh() (int64, error)
	ReadOnly() bool
	// Device is the block device number; 0:0 for a regular file.
	Device() (major, minor uint32)
	// Note says what an administrator should know of it; mostly nothing.
	Note() string
	// SetCache changes the write policy of what begins from now on.
	SetCache(Cache) error
	// SetWritable has a store that was opened read-only take writes; it fails, and
	// changes nothing, when the medium does not. Nothing is in flight meanwhile.
	SetWritable() error
	// Flush makes all completed writes durable.
	Flush() error
	Close() error
}

// Remote is a Store that another server keeps, which can be away for a while:
// requests wait for it then, or fail with EAGAIN.
type Remote interface {
	// Outage says why there is no server at the moment; empty if there is.
	Outage() string
}

// Loser is a Store that knows of losses which no request of its own may have met.
type Loser interface {
	// Losses is how many times completed writes were lost, or may have been. One that
	// a flush has met is counted before the flush ends.
	Losses() uint64
}

// Cache is a drive's write policy: how safe a write is when it is answered.
type Cache string

// The write policies of DESIGN.md. Only CacheDurable leaves nothing volatile.
const (
	CacheWriteback Cache = "writeback" // in the host's page cache
	CacheDirect    Cache = "direct"    // in the device's own cache
	CacheDurable   Cache = "durable"   // on the medium
)

// Access says how a store may be opened.
type Access uint8

// The ways to open a store.
const (
	AccessAuto      Access = iota // read-write if possible, else read-only
	AccessReadWrite               // refused when the medium is read-only
	AccessReadOnly
)

// StoreOptions says how to open a Store.
type StoreOptions struct {
	Access Access
	Cache  Cache
	Force  bool // take it even if someone else has claimed it
}

// Claims keep the processes of one machine from serving one address on one
// interface: their frames do not reach each other. Interfaces are named by index.
type Claims interface {
	// Take claims addr until Free, and returns "", or who has it. What this process
	// has already it may take again.
	Take(index int, addr aoe.Addr) (holder string)
	// Holder is who else has addr; "": nobody.
	Holder(index int, addr aoe.Addr) string
	Free(index int, addr aoe.Addr)
}

// Interface is what the engine must know of a local Ethernet port.
type Interface struct {
	Name     string
	Index    int
	MTU      int // bytes, without the 14 of the Ethernet header
	MAC      [6]byte
	Up       bool
	Ethernet bool // serves exports that are on every interface
	Loopback bool
}

// Parts opens what a Target is made of.
type Parts struct {
	// OpenLinks opens as many links as workers on the named interface, or fewer
	// where so many cannot be had.
	OpenLinks func(netif string, workers int) (LinkGroup, error)
	// OpenCarrier opens a link that another process can go on with, in the place of
	// one of which it cannot. It may be nil: there is none.
	OpenCarrier func(netif string) (LinkGroup, error)
	// PinThread binds the calling thread to a processor. It may be nil when
	// Config.CPUs is empty.
	PinThread func(cpu int) error
	// UsualTurns has the calling thread, a worker's, run as long at a time as threads of
	// other processes do, where those of this one come sooner and run shorter. It may
	// be nil.
	UsualTurns func() error
	// OpenQueue opens an I/O queue for one worker.
	OpenQueue func() (Queue, error)
	// Identify names the file or device that path leads to, the same for every
	// path that leads there.
	Identify func(path string) (string, error)
	// OpenStore opens and claims path.
	OpenStore func(path string, o StoreOptions) (Store, error)
	// MakeStore makes a sparse file of so many bytes where nothing is, and refuses
	// what is there if that has another size. undo takes away what was made.
	MakeStore func(path string, bytes int64) (undo func(), err error)
	// NeverHangs: Identify and OpenStore take no time, so nobody guards against one
	// that takes for ever.
	NeverHangs bool
	// LookupInterface asks the kernel for one interface. Its error wraps
	// ErrNoInterface when there is none of that name.
	LookupInterface func(name string) (Interface, error)
	// Claims has what other processes of this machine serve; nil: nobody else
	// serves anything.
	Claims Claims
	// AllocBuffers returns page-aligned memory that never moves.
	AllocBuffers func(bytes int) ([]byte, error)
	// FreeBuffers gives back what AllocBuffers returned.
	FreeBuffers func([]byte) error
}
