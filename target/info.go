package target

import (
	"time"

	"vbladefs/target/aoe"
)

// Stats are the counters of a port, or the sum of several ports'.
type Stats struct {
	Reads        uint64 // ATA reads answered with data
	ReadSectors  uint64
	Writes       uint64 // ATA writes done
	WriteSectors uint64
	Others       uint64 // other requests answered: identify, flush, config, …
	Errors       uint64 // requests answered with an AoE or ATA error
	Dropped      uint64 // requests dropped: no buffer free, refused source, malformed
	InFlight     uint64 // requests with the backing store at this moment
	Announces    uint64
	ATAErrors    uint64 // of the Errors, those with an ATA error
	Full         uint64 // of the Dropped, those that came while all buffers were in use
	Depth        uint64 // sum of what each read, write and flush found in flight, itself included
	// Sums of the time from when a request was put aside, to wait for its disk or for
	// earlier requests, to its reply. The clock of a worker stands still during a turn:
	// what is done at once, or within the turn, takes none.
	ReadTime, WriteTime, OtherTime time.Duration
}

// Add adds o to s.
func (s *Stats) Add(o Stats) {
	s.Reads += o.Reads
	s.ReadSectors += o.ReadSectors
	s.Writes += o.Writes
	s.WriteSectors += o.WriteSectors
	s.Others += o.Others
	s.Errors += o.Errors
	s.Dropped += o.Dropped
	s.InFlight += o.InFlight
	s.Announces += o.Announces
	s.ATAErrors += o.ATAErrors
	s.Full += o.Full
	s.Depth += o.Depth
	s.ReadTime += o.ReadTime
	s.WriteTime += o.WriteTime
	s.OtherTime += o.OtherTime
}

// DriveInfo describes a drive at one moment.
type DriveInfo struct {
	Name         string
	Path         string
	Sectors      uint64
	Offset       uint64 // sectors of the store before the drive, as configured
	Length       uint64 // as configured; 0: to the end of the store
	ReadOnly     bool   // takes no writes
	Unwritable   bool   // takes none only because its store does not: nobody asked for it
	Auto         bool   // may be open for reading only where its store takes no writes, once ReadOnly is not asked for: AccessAuto
	Cache        Cache
	Model        string // as set, without padding
	Serial       string
	Major, Minor uint32 // block device number; 0:0 for a regular file
	Firmware     uint16 // firmware version of config replies
	Implicit     bool   // made by Export, goes with its last port
	Forced       bool   // opened though someone else had claimed it
	Thin         bool   // zeros are not written but punched
	Down         string // why its backing store is not open, or has no server; empty: it is
	Paused       bool
	Note         string // what an administrator should know; mostly empty
	Ports        int
	Stats        Stats // of all its ports
}

// PortInfo describes a port, with what it shows of its blade and drive.
type PortInfo struct {
	Addr             aoe.Addr
	Interface        string // or a pattern, see EveryInterface
	Drive            string
	Buffers          uint16 // as configured
	Sectors          uint8  // as configured, 0: what the MTU allows
	EffectiveSectors int    // as advertised; the least of all interfaces for a pattern; 0 while down
	Quiet            bool
	Forced           bool   // even if another machine answers for the address
	Up               bool   // the interface is there, up, and served
	Down             string // why it is not up; empty: it is
	Stats            Stats
}

// BladeInfo describes what the protocol keeps for one address.
type BladeInfo struct {
	Addr    aoe.Addr
	Drive   string
	Config  []byte
	Masks   []aoe.MAC                 // the protocol's MAC mask list
	Reserve []aoe.MAC                 // the protocol's reserve list
	Accept  []aoe.MAC                 // hosts that alone are answered, newest first
	Deny    []aoe.MAC                 // hosts that are not answered, newest first
	Access  [AccessPoints]*AccessList // nil: everyone may
	Loud    bool                      // announced by broadcast, whatever the lists say
}

// State is everything that is exported, at one moment.
type State struct {
	Drives []DriveInfo // in order of creation
	Ports  []PortInfo  // in order of creation
	Blades []BladeInfo // by address
	Limits []MTULimit  // by interface name
	Served bool        // something was exported once
}

// Conflict is another machine that answers for an address of ours.
type Conflict struct {
	Interface string
	Host      aoe.MAC
	Count     uint64 // replies of it that were seen
	Last      time.Time
}

// Initiator is a host that sent requests to an address, on one interface.
type Initiator struct {
	Interface string
	Host      aoe.MAC
	Requests  uint64
	Last      time.Time // to the second
}

// Traffic counts frames of AoE. A worker adds what it counted every few turns, and
// before it sleeps.
type Traffic struct{ Frames, Bytes, Batches uint64 }

// InterfaceInfo describes an interface with ports at one moment.
type InterfaceInfo struct {
	Name          string
	MTU           int    // bytes
	Up            bool   // it is there, up, and served
	Link          string // how frames are received: "ring", "raw", "xdp"; empty while there is no link
	Workers       int    // that share it; 0 while there is no link
	Ports         int
	Ignored       uint64 // frames that no target answers: replies, forged sources, no AoE
	Foreign       uint64 // frames for addresses that are not exported here
	ReceiveDrops  uint64 // frames lost before they were looked at
	OverloadDrops uint64 // requests dropped unserved because more came than could be served
	SendDrops     uint64 // replies that the interface refused
	Wildcards     uint64 // requests made of wildcards that named an export
	// What passed the links. A batch is what one call took or sent.
	Received, Sent Traffic
}
