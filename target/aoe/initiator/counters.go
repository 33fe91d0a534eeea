package initiator

// Fault is what is wrong with a frame that arrived.
type Fault uint8

// The faults. The first group is dropped, since the frame is not for us or not
// from our target; the second fails the request whose tag it carries; the third
// is only counted, since every known initiator lives with it.
const (
	NoFault     Fault = iota
	ShortFrame        // less than a header, or another EtherType
	NotReply          // R flag clear
	NotForUs          // another destination
	ForeignTag        // a tag that was never ours
	WrongSource       // our tag, from another MAC
	WrongAddr         // our tag, from another shelf.slot

	WrongVersion // not 1; iPXE drops these (INITIATORS §4)
	WrongCommand // not the command of the request
	ShortReply   // less than the fixed part of its command, bytes
	RuntData     // less data than was asked for, bytes
	Remainder    // success with sectors not transferred, sectors

	LongReply    // trailing bytes: Plan 9 drops such reads (PROTOCOL §1.1)
	Unpadded     // shorter than 60 bytes: aoetools ignore it (PROTOCOL §1.1)
	DirtyPadding // bytes that are not zero: stale memory

	faultCount
)

var faultNames = [faultCount]string{"none", "frame length", "reply flag", "destination", "tag", "source", "shelf.slot",
	"version", "command", "length in bytes", "data length in bytes", "sectors not transferred",
	"trailing bytes", "length below 60", "padding"}

// String names the field that is wrong.
func (f Fault) String() string {
	if f < faultCount {
		return faultNames[f]
	}
	return "unknown"
}

// Counters count what an Engine saw. They only grow.
type Counters struct {
	Sent          uint64 // frames, retransmissions included
	Received      uint64 // frames
	Completed     uint64 // requests, that is frames answered well
	Retransmits   uint64
	Timeouts      uint64 // requests given up
	Late          uint64 // replies to copies that were superseded or given up
	Duplicate     uint64 // replies to copies that had been answered
	Unexpected    uint64 // frames that answer nothing of ours: faults 1 to 6
	Announcements uint64 // broadcast config replies that nobody asked for
	Moves         uint64 // announcements of another MAC that were followed
	Malformed     uint64 // replies to our requests that break the protocol
	Deviations    uint64 // replies accepted although they are not quite right
	SendDrops     uint64 // frames that the link did not take
	ATAErrors     uint64 // replies with an error status
	AoEErrors     [7]uint64
	OtherAoE      uint64 // error replies with an unknown code
	Faults        [faultCount]uint64
}

// AoEErrorTotal is the number of error replies, whatever their code.
func (c *Counters) AoEErrorTotal() uint64 {
	n := c.OtherAoE
	for _, e := range c.AoEErrors {
		n += e
	}
	return n
}

// note counts a fault under its kind and its group.
func (c *Counters) note(f Fault) {
	if f == NoFault {
		return
	}
	c.Faults[f]++
	switch {
	case f <= WrongAddr:
		c.Unexpected++
	case f <= Remainder:
		c.Malformed++
	default:
		c.Deviations++
	}
}
