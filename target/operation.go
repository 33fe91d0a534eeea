package target

import "vbladefs/target/aoe"

// An Operation is one change of a Target. Compat dialects turn text into
// Operations; Target.Do carries one out as a whole or not at all.
type Operation interface {
	apply(t *Target) error
}

// EveryInterface as a port's interface stands for all Ethernet interfaces,
// present and future.
const EveryInterface = "*"

// Limits of what operations accept.
const (
	MaxShelf       = 65534
	MaxSlot        = 254
	MaxDriveName   = 31
	MaxModel       = 40 // bytes, IDENTIFY words 27-46
	MaxSerial      = 20 // bytes, IDENTIFY words 10-19
	MinBuffers     = 2  // the Linux initiator never sends anything to fewer
	DefaultBuffers = 64
	MaxDrives      = 65536
)

// Identity is how a drive presents itself to initiators.
type Identity struct {
	Model    string // at most MaxModel bytes
	Serial   string // at most MaxSerial bytes; empty: derived from the drive
	Firmware uint16 // firmware version of config replies
}

// AddDrive opens a backing store under a name.
type AddDrive struct {
	Name   string // of letters, digits, '_', '-', '.', at most MaxDriveName
	Path   string // absolute
	Access Access
	Cache  Cache // empty: the target's default
	Force  bool  // even if someone else has claimed it
	Identity
}

// RemoveDrive closes a drive that has no ports.
type RemoveDrive struct{ Name string }

// AddPort makes a drive reachable at an address on an interface.
type AddPort struct {
	Drive     string
	Addr      aoe.Addr
	Interface string // a name, or EveryInterface
	Buffers   uint16 // buffer count; 0: DefaultBuffers
	Sectors   uint8  // most sectors of a request; 0: what the MTU allows
}

// RemovePort takes an address away from an interface. The blade goes with its
// last port, and so does a drive that Export made.
type RemovePort struct {
	Drive     string // if not empty, the drive that the port must belong to
	Addr      aoe.Addr
	Interface string // a name, EveryInterface, or empty for all ports of Addr
	MissingOK bool   // finding none is no error
}

// Export makes a drive named after the device, a blade and a port at once; on
// an address that serves the same device already it only adds the port.
type Export struct {
	Path      string // absolute
	Addr      aoe.Addr
	Interface string // a name, or EveryInterface
	Access    Access
	Config    []byte // the blade's first config string, at most aoe.MaxConfigString bytes
	Unique    bool   // refuse an address that is served on any other interface
	Quiet     bool   // not announced when it is added, so that an accept list can be set first
	Identity
}

// Rebind swaps the backing store of the export at Addr on Interface for Path;
// requests in flight finish on the old one, later ones go to the new one.
type Rebind struct {
	Addr      aoe.Addr
	Interface string
	Path      string // absolute
}

// Accept adds (or, with Remove, takes away) a host of the accept list of the
// blade at Addr. While the list is not empty all others get no answer.
// Adding a listed host and removing an unlisted one change nothing.
type Accept struct {
	Addr   aoe.Addr
	Host   aoe.MAC
	Remove bool
}

// Announce broadcasts a config reply for every port on its interface.
type Announce struct{}

// SetModel changes the model that a drive shows; too long a text is cut.
type SetModel struct{ Drive, Model string }

// SetSerial changes the serial number that a drive shows; too long a text is cut.
type SetSerial struct{ Drive, Serial string }

// SetCache changes a drive's write policy, for every drive of the same device.
type SetCache struct {
	Drive string
	Cache Cache
}

// Do carries op out as a whole or not at all. It may be called by any
// goroutine; operations take effect one after the other.
func (t *Target) Do(op Operation) error {
	if _, opens := op.(opener); opens {
		t.opening.Lock()
		defer t.opening.Unlock()
	}
	t.ops.Lock()
	defer t.ops.Unlock()
	if t.closed {
		return ErrClosed
	}
	return op.apply(t)
}

// opener is an operation that asks something of a backing store that may take
// long, or for ever. It does so outside ops, so that a store that hangs holds up
// other openers only.
type opener interface{ opens() }

func (AddDrive) opens() {}
func (Export) opens()   {}
func (Rebind) opens()   {}
func (SetCache) opens() {}

// outside calls f, which may take long, without ops. What the caller knew of
// the model before may have changed when it returns, except that no other opener
// has run.
func (t *Target) outside(f func()) {
	t.ops.Unlock()
	defer t.ops.Lock()
	f()
}
