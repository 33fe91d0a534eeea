package initiator

import (
	"errors"
	"fmt"
	"io"

	"vbladefs/target/aoe"
)

// Export is one export that was found and identified. Its calls wait; its
// Engine does not. Neither is for more than one goroutine.
type Export struct {
	Found
	Identity        *Identity
	SectorsPerFrame int // most of one frame, both ends considered
	Peer            int // which of its Engine's exports it is

	local  Local
	engine *Engine
	io     IO     // of the synchronous calls
	edge   []byte // a sector that a byte range covers in part
}

// Open finds the export at addr, identifies it and makes an Engine for it.
func (i *Initiator) Open(addr aoe.Addr, opt Options) (*Export, error) {
	found, err := i.find(addr, opt.findTimeout())
	if err != nil {
		return nil, err
	}
	return i.OpenFound(found, opt)
}

// OpenFound is Open for an export that Discover found, at that very MAC.
func (i *Initiator) OpenFound(found Found, opt Options) (*Export, error) {
	exports, err := i.join([]Found{found}, opt)
	if err != nil {
		return nil, err
	}
	return exports[0], exports[0].Identify()
}

// Engine is what a load generator drives.
func (x *Export) Engine() *Engine { return x.engine }

// Size is the capacity in bytes.
func (x *Export) Size() int64 { return int64(x.Identity.Sectors) * aoe.SectorSize }

// Identify asks the export again who it is, and how large.
func (x *Export) Identify() error {
	data := make([]byte, aoe.SectorSize)
	_, err := x.Command(identifyRegs, data)
	return x.identified(data, err)
}

// identifyRegs are as Linux sends them (INITIATORS §2.1).
var identifyRegs = aoe.ATA{Count: 1, Command: ataIdentify, LBA: [6]byte{3: 0xa0}}

// identified takes the answer to an identify command.
func (x *Export) identified(data []byte, err error) error {
	if err != nil {
		return fmt.Errorf("export %v: identify: %w", x.Addr, err)
	}
	id, err := ParseIdentity(data)
	if err != nil {
		return fmt.Errorf("export %v: %w", x.Addr, err)
	}
	x.Identity = id
	p := &x.engine.peers[x.Peer]
	p.capacity = id.Sectors
	p.lba28 = x.engine.opt.LBA28 || !id.LBA48
	return nil
}

// Command issues one ATA command with the registers and data as they stand, and
// returns the registers of its reply: status in Command, error in Feature. An
// error status is an *ATAError. Data travels the way that the W flag says.
func (x *Export) Command(regs aoe.ATA, data []byte) (aoe.ATA, error) {
	x.io = IO{Op: ATA, Peer: x.Peer, Regs: regs, Data: data}
	err := x.engine.Do(&x.io)
	return x.io.Regs, err
}

// Flush makes every acknowledged write durable.
func (x *Export) Flush() error {
	regs := aoe.ATA{Command: ataFlushExt, Flags: aoe.ATAExtended}
	if x.engine.peers[x.Peer].lba28 {
		regs = aoe.ATA{Command: ataFlush}
	}
	_, err := x.Command(regs, nil)
	return err
}

// ReadAt reads the bytes at offset off, as io.ReaderAt has it.
func (x *Export) ReadAt(p []byte, off int64) (int, error) {
	return x.span(p, off, x.readSectors, func(part []byte, lba uint64, skip int) error {
		if err := x.readSectors(x.edge, lba); err != nil {
			return err
		}
		copy(part, x.edge[skip:])
		return nil
	})
}

// WriteAt writes the bytes at offset off, as io.WriterAt has it. A sector that
// they cover in part is read first.
func (x *Export) WriteAt(p []byte, off int64) (int, error) {
	n, err := x.span(p, off, x.writeSectors, func(part []byte, lba uint64, skip int) error {
		if err := x.readSectors(x.edge, lba); err != nil {
			return err
		}
		copy(x.edge[skip:], part)
		return x.writeSectors(x.edge, lba)
	})
	if errors.Is(err, io.EOF) {
		err = ErrRange
	}
	return n, err
}

// span walks over the bytes at off: whole sectors go to whole, sectors covered
// in part to edge, which skips the first bytes of its sector. What lies beyond
// the end is left out and makes io.EOF.
func (x *Export) span(p []byte, off int64, whole func([]byte, uint64) error, edge func([]byte, uint64, int) error) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("offset %d: %w", off, ErrRange)
	}
	var end error
	if left := max(x.Size()-off, 0); int64(len(p)) > left {
		p, end = p[:left], io.EOF
	}
	for n := 0; n < len(p); {
		lba, skip := uint64(off+int64(n))/aoe.SectorSize, int(off+int64(n))%aoe.SectorSize
		rest := p[n:]
		var err error
		if skip == 0 && len(rest) >= aoe.SectorSize {
			rest = rest[:len(rest)/aoe.SectorSize*aoe.SectorSize]
			err = whole(rest, lba)
		} else {
			rest = rest[:min(len(rest), aoe.SectorSize-skip)]
			err = edge(rest, lba, skip)
		}
		if err != nil {
			return n, err
		}
		n += len(rest)
	}
	return len(p), end
}

func (x *Export) readSectors(p []byte, lba uint64) error {
	x.io = IO{Op: Read, Peer: x.Peer, LBA: lba, Data: p}
	return x.engine.Do(&x.io)
}

func (x *Export) writeSectors(p []byte, lba uint64) error {
	x.io = IO{Op: Write, Peer: x.Peer, LBA: lba, Data: p}
	return x.engine.Do(&x.io)
}
