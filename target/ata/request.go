package ata

// Action is what a command asks of the target.
type Action uint8

// The actions. Answer replies to Abort, NoOperation and CheckPower itself.
const (
	Abort         Action = iota // refuse: not a command of ours, or malformed
	NoOperation                 // succeed, do nothing
	CheckPower                  // succeed, count register 0xff
	Read                        // Sectors from LBA on follow the reply's registers
	Write                       // the payload to LBA; durable before the reply if Durable
	Verify                      // succeed if the sectors are in range; nothing is transferred
	Flush                       // make every acknowledged write durable, then reply
	SetWriteCache               // WriteCache on, or off after a flush
	Identify                    // 512 bytes of Identity follow the reply's registers
	SmartData                   // 512 bytes of PutSmartData follow the reply's registers
	Trim                        // the payload, of Blocks, lists ranges whose contents are needed no more: Ranges
)

// String is the action's name in lower case.
func (a Action) String() string {
	names := [...]string{Abort: "abort", NoOperation: "no-operation", CheckPower: "check-power", Read: "read",
		Write: "write", Verify: "verify", Flush: "flush", SetWriteCache: "set-write-cache", Identify: "identify",
		SmartData: "smart-data", Trim: "trim"}
	if int(a) < len(names) {
		return names[a]
	}
	return "unknown"
}

// Request is what a set of registers asks for. Fields that an action does not
// name are zero.
type Request struct {
	Action     Action
	Durable    bool // Write: forced unit access
	WriteCache bool // SetWriteCache: the state asked for
	Extended   bool // Read, Write, Verify, Trim: a 48-bit command
	// Smart: command 0xb0, refused or not. Its reply is padded with zeros to
	// 36+512 bytes whatever the action, or aoeping discards it, §3.6.
	Smart   bool
	Sectors int    // Read, Write: 1 to 255; Verify: 1 to 65536
	Blocks  int    // Trim: of 512 bytes, 1 to MaxTrimBlocks
	LBA     uint64 // Read, Write, Verify: the first sector
}

// Fits reports whether the sectors of q lie within the capacity, and within
// what a 28-bit command can address. A request without sectors fits.
func (q Request) Fits(capacitySectors uint64) bool {
	if !q.Extended {
		capacitySectors = min(capacitySectors, sectors28)
	}
	n := uint64(q.Sectors)
	return n == 0 || n <= capacitySectors && q.LBA <= capacitySectors-n
}

// Decode says what r asks for. toDevice is the W flag of AoE: data travels from
// initiator to target. The command alone decides between 28- and 48-bit
// address, and a W flag that contradicts it is refused (IDENTIFY excepted,
// since initiators flag it as they like), §3.1 to §3.3.
func Decode(r Registers, toDevice bool) Request {
	c := &commands[r.Command]
	q := Request{Action: c.action, Durable: c.durable, Extended: c.extended, Smart: c.operands == smart}
	if toDevice != c.toDevice && c.action != Identify {
		return q.refused()
	}
	switch c.operands {
	case sectors:
		return q.transfer(r)
	case features:
		return q.setFeatures(r)
	case ranges:
		return q.trim(r)
	case smart:
		return q.smart(r)
	case multiple:
		// Word 47 of IDENTIFY allows one sector a block and word 59 says that
		// this is how it is set: there is nothing else to choose.
		if r.Count != 1 {
			return q.refused()
		}
	}
	return q
}

// refused is q as an Abort that keeps nothing but what its reply's size needs.
func (q Request) refused() Request { return Request{Smart: q.Smart} }

// transfer takes address and count of q from r. A count of 0 stands for 256
// sectors or, extended, 65536: too many for any frame, so it is refused for
// all but Verify, which transfers nothing, §3.2.
func (q Request) transfer(r Registers) Request {
	q.LBA, q.Sectors = r.lba(q.Extended), int(r.Count)
	if r.Count != 0 {
		return q
	}
	if q.Action != Verify {
		return q.refused()
	}
	q.Sectors = 256
	if q.Extended {
		q.Sectors = 65536
	}
	return q
}

// Sub-commands of SET FEATURES, §3.3.
const (
	featureWriteCacheOn    = 0x02
	featureTransferMode    = 0x03
	featureReadAheadOff    = 0x55
	featureKeepDefaults    = 0x66
	featureWriteCacheOff   = 0x82
	featureReadAheadOn     = 0xaa
	featurePowerOnDefaults = 0xcc
)

// setFeatures takes the sub-command from r. Transfer modes and read-ahead have
// no meaning on this transport, but initiators may set them.
func (q Request) setFeatures(r Registers) Request {
	switch r.Feature {
	case featureWriteCacheOn, featureWriteCacheOff:
		q.Action, q.WriteCache = SetWriteCache, r.Feature == featureWriteCacheOn
		return q
	case featureTransferMode, featureReadAheadOff, featureReadAheadOn, featureKeepDefaults, featurePowerOnDefaults:
		return q
	}
	return q.refused()
}
