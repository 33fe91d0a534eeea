package target

import "vbladefs/target/aoe"

// An Operation is one change of a Target. Compat dialects turn text into
// Operations; Target.Do carries one out as a whole or not at all.
type Operation interface {
	apply(t *Target) error
}

// EveryInterface as a port's interface stands for all Ethernet interfaces,
// present and future. Other patterns do for those that they match: names with *
// for any run of characters and ? for one, several separated by commas. Loopback
// is matched by a pattern of more than * only.
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
	// The part of the store that is the drive, in sectors from Offset on; Length 0: to
	// its end.
	Offset, Length uint64
	Thin           bool // as SetThin says
	// Create makes a sparse file of so many bytes of Path if nothing is there; 0: no.
	Create int64
	// Wait makes no error of a store that cannot be opened now: the drive is down
	// until it can.
	Wait bool
	Identity
}

// RemoveDrive closes a drive that has no ports.
type RemoveDrive struct{ Name string }

// AddPort makes a drive reachable at an address on an interface.
type AddPort struct {
	Drive     string // empty: what the blade at Addr serves already
	Addr      aoe.Addr
	Interface string // a name or a pattern, see EveryInterface
	Buffers   uint16 // buffer count; 0: DefaultBuffers
	Sectors   uint8  // most sectors of a request; 0: what the MTU allows
	Quiet     bool   // not announced when it is added or comes up
	Force     bool   // even if another machine answers for the address
	// Wait makes no error of a missing interface, nor of an address that another
	// machine answers for: the port is down until the one comes and the other goes.
	Wait bool
}

// RemovePort takes an address away from an interface. The blade goes with its
// last port, and so does a drive that Export made.
type RemovePort struct {
	Drive     string // if not empty, the drive that the port must belong to
	Addr      aoe.Addr
	Interface string // a name or pattern, as it was added, or empty for all ports of Addr
	MissingOK bool   // finding none is no error
}

// Export makes a drive named after the device, a blade and a port at once; on
// an address that serves the same device already it only adds the port.
type Export struct {
	Path      string // absolute
	Addr      aoe.Addr
	Interface string // a name or a pattern, see EveryInterface
	Access    Access
	Config    []byte // the blade's first config string, at most aoe.MaxConfigString bytes
	Unique    bool   // refuse an address that is served on any other interface
	Quiet     bool   // not announced when it is added, so that an accept list can be set first
	Force     bool   // even if another machine answers for the address
	Identity
}

// Rebind swaps the backing store of the export at Addr on Interface for Path;
// requests in flight finish on the old one, later ones go to the new one.
type Rebind struct {
	Addr      aoe.Addr
	Interface string
	Path      string // absolute
}

// AddBlade gives an address to a drive before any port makes it reachable, so
// that its lists can be set first. A blade goes with its last port; one that has
// none yet stays until RemoveBlade.
type AddBlade struct {
	Addr  aoe.Addr
	Drive string
}

// RemoveBlade takes an address away with all its ports, and a drive that Export
// made, when this was its last address.
type RemoveBlade struct{ Addr aoe.Addr }

// HostList names one of the lists of hosts that are kept for an address.
type HostList uint8

// The lists of an address. The first two are the administrator's, the others the
// protocol's (PROTOCOL.md §5, §6), which initiators change, too.
const (
	AcceptList  HostList = iota // while it is not empty, all others get no answer
	DenyList                    // these get no answer, even if another list has them
	MaskList                    // while it is not empty, all others get no answer
	ReserveList                 // while it is not empty, all others are refused
)

// EditHosts adds a host to a list of the blade at Addr, in front, or with Remove
// takes it away. Adding a listed host and removing an unlisted one change nothing.
type EditHosts struct {
	Addr   aoe.Addr
	List   HostList
	Host   aoe.MAC
	Remove bool
}

// EditHostList is EditHosts of several hosts, one after the other: all or none.
type EditHostList struct {
	Addr   aoe.Addr
	List   HostList
	Hosts  []aoe.MAC
	Remove bool
}

// SetHosts replaces a list of the blade at Addr; no hosts: empties it.
type SetHosts struct {
	Addr  aoe.Addr
	List  HostList
	Hosts []aoe.MAC // at most aoe.MaxListed; repeated ones count once
}

// SetConfig replaces the config string of the blade at Addr.
type SetConfig struct {
	Addr   aoe.Addr
	Config []byte // at most aoe.MaxConfigString
}

// Announce broadcasts a config reply for every port on its interface.
type Announce struct{}

// SetModel changes the model that a drive shows; too long a text is cut.
type SetModel struct{ Drive, Model string }

// SetSerial changes the serial number that a drive shows; too long a text is cut.
type SetSerial struct{ Drive, Serial string }

// SetFirmware changes the firmware version that a drive's config replies show.
type SetFirmware struct {
	Drive    string
	Firmware uint16
}

// SetKeep says whether a drive stays when its last port goes. Those of AddDrive
// do, those of Export do not.
type SetKeep struct {
	Drive string
	Keep  bool
}

// SetThin has a drive punch holes where initiators write zeros, so that a sparse
// file stays sparse.
type SetThin struct {
	Drive string
	Thin  bool
}

// SetReadOnly has a drive refuse writes, or take them, while it is exported.
// When it returns, no write that came before is under way any more.
type SetReadOnly struct {
	Drive    string
	ReadOnly bool
}

// SetPaused has the device of a drive, so all drives on it, leave ATA commands
// unanswered, which initiators ride out; or ends that. When it returns from
// pausing, what was in flight has finished and is on the medium: a snapshot of
// the backing store can be taken. A pause is not saved.
type SetPaused struct {
	Drive  string
	Paused bool
}

// Resize asks for the size of a drive's backing store again. A new one is served
// and announced.
type Resize struct{ Drive string }

// SetCache changes a drive's write policy, for every drive of the same device.
type SetCache struct {
	Drive string
	Cache Cache
}

// Waiting is op as it is carried out when a saved state is restored: AddDrive
// and AddPort wait for what is missing, and a policy that is not named is
// CacheDirect, whatever the default is now.
func Waiting(op Operation) Operation {
	switch op := op.(type) {
	case AddDrive:
		op.Wait = true
		if op.Cache == "" {
			op.Cache = CacheDirect
		}
		return op
	case AddPort:
		op.Wait = true
		return op
	}
	return op
}

// Do carries op out as a whole or not at all. It may be called by any
// goroutine; operations take effect one after the other.
func (t *Target) Do(op Operation) error {
	if o, ok := op.(opener); ok && o.opens() {
		t.opening.Lock()
		defer t.opening.Unlock()
	}
	t.ops.Lock()
	defer t.ops.Unlock()
	if t.closed {
		return ErrClosed
	}
	err := op.apply(t)
	if err == nil {
		t.kept(op)
	}
	return err
}

// opener is an operation that asks something of a backing store that may take
// long, or for ever. It does so outside ops, so that a store that hangs holds up
// other openers only.
type opener interface{ opens() bool }

func (AddDrive) opens() bool { return true }
func (Export) opens() bool   { return true }
func (Rebind) opens() bool   { return true }
func (SetCache) opens() bool { return true }

// outside calls f, which may take long, without ops. What the caller knew of
// the model before may have changed when it returns, except that no other opener
// has run.
func (t *Target) outside(f func()) {
	t.ops.Unlock()
	defer t.ops.Lock()
	f()
}
