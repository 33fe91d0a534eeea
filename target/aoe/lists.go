package aoe

// Sizes of the two list arguments, §5 and §6.
const (
	MaskListSize  = 28 // a frame up to its directives
	DirectiveSize = 8
	ReserveSize   = 26 // a frame up to its addresses
	macSize       = 6
	// MaxListed is what a list may hold: its count is one byte, and all its
	// directives must fit the reply on the smallest usual MTU, (1514-28)/8.
	MaxListed = 185
)

// MaskCommand is the sub-command of a MAC Mask List frame, §5.
type MaskCommand uint8

// The mask list sub-commands.
const (
	MaskRead MaskCommand = 0
	MaskEdit MaskCommand = 1
)

// MaskError is the outcome of a mask edit, §5.
type MaskError uint8

// The mask errors.
const (
	MaskUnspecified  MaskError = 1
	MaskBadDirective MaskError = 2
	MaskFull         MaskError = 3
)

// MaskDirective is what a directive does with its address, §5.
type MaskDirective uint8

// The directives.
const (
	MaskNone   MaskDirective = 0
	MaskAdd    MaskDirective = 1
	MaskDelete MaskDirective = 2
)

// MaskList is the argument of CmdMaskList.
type MaskList struct {
	Command    MaskCommand
	Error      MaskError
	Count      uint8
	directives []byte // aliases the frame; nil when Count is no honest count
}

// DecodeMaskList reads the mask list argument of frame. It is false when frame
// is shorter than 28 bytes.
func DecodeMaskList(frame []byte) (MaskList, bool) {
	if len(frame) < MaskListSize {
		return MaskList{}, false
	}
	m := MaskList{Command: MaskCommand(frame[25]), Error: MaskError(frame[26]), Count: frame[27]}
	if end := MaskListSize + int(m.Count)*DirectiveSize; end <= len(frame) {
		m.directives = frame[MaskListSize:end:end]
	}
	return m, true
}

// Valid reports whether the frame really held Count directives.
func (m MaskList) Valid() bool { return m.directives != nil }

// Directive is directive i of a valid list.
func (m MaskList) Directive(i int) (MaskDirective, MAC) {
	d := m.directives[i*DirectiveSize:]
	return MaskDirective(d[1]), MAC(d[2:8])
}

// Put writes the fixed part of m into frame, Count as it stands.
func (m MaskList) Put(frame []byte) {
	frame[24], frame[25], frame[26], frame[27] = 0, uint8(m.Command), uint8(m.Error), m.Count
}

// PutDirective writes directive i into frame and returns the end of it.
func PutDirective(frame []byte, i int, d MaskDirective, mac MAC) int {
	b := frame[MaskListSize+i*DirectiveSize:]
	b[0], b[1] = 0, uint8(d)
	copy(b[2:DirectiveSize], mac[:])
	return MaskListSize + (i+1)*DirectiveSize
}

// ReserveCommand is the sub-command of a Reserve/Release frame, §6.
type ReserveCommand uint8

// The reserve sub-commands; releasing is a set of no addresses.
const (
	ReserveRead     ReserveCommand = 0
	ReserveSet      ReserveCommand = 1
	ReserveForceSet ReserveCommand = 2
)

// Reserve is the argument of CmdReserve.
type Reserve struct {
	Command   ReserveCommand
	Count     uint8
	addresses []byte // aliases the frame; nil when Count is no honest count
}

// DecodeReserve reads the reserve argument of frame. It is false when frame is
// shorter than 26 bytes.
func DecodeReserve(frame []byte) (Reserve, bool) {
	if len(frame) < ReserveSize {
		return Reserve{}, false
	}
	r := Reserve{Command: ReserveCommand(frame[24]), Count: frame[25]}
	if end := ReserveSize + int(r.Count)*macSize; end <= len(frame) {
		r.addresses = frame[ReserveSize:end:end]
	}
	return r, true
}

// Valid reports whether the frame really held Count addresses.
func (r Reserve) Valid() bool { return r.addresses != nil }

// MAC is address i of a valid list.
func (r Reserve) MAC(i int) MAC { return MAC(r.addresses[i*macSize : (i+1)*macSize]) }

// Put writes the fixed part of r into frame, Count as it stands.
func (r Reserve) Put(frame []byte) { frame[24], frame[25] = uint8(r.Command), r.Count }

// PutReserved writes address i into frame and returns the end of it.
func PutReserved(frame []byte, i int, mac MAC) int {
	at := ReserveSize + i*macSize
	return at + copy(frame[at:at+macSize], mac[:])
}
