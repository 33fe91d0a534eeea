package claims

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"vbladefs/fusectl/dying"
	"vbladefs/target/aoe"
)

// The file, whose numbers are little endian:
//
//	0              the number of the next daemon
//	recordsStart   who a daemon is, 64 bytes each: number, process, name
//	cellsStart     the table, 4 bytes for each address of each interface
//
// It is sparse. Locks are far behind all that.
const (
	recordsStart = 4096
	recordBytes  = 64
	records      = 4096 // a number has the place of its rest
	cellsStart   = 1 << 20
	tableLock    = 1 << 62
	lifeStart    = tableLock + 1
)

// cellOffset is where the table has an address. A page has 32 shelves with 32 slots
// each, so that neither many shelves nor many slots take many pages. Interfaces whose
// indices are the same in 16 bits share their places: the file is to fit any file
// system, and two that far apart seldom have one address.
func cellOffset(index int, addr aoe.Addr) int64 {
	shelf, slot := int64(addr.Shelf), int64(addr.Slot)
	cell := shelf>>5<<13 | slot>>5<<10 | shelf&31<<5 | slot&31
	return cellsStart + 4*(int64(index&0xffff)<<24|cell)
}

func lifeOffset(id uint32) int64 { return lifeStart + int64(id) }

// record says who this process is.
func (c *Claims) record() error {
	b := binary.LittleEndian.AppendUint32(nil, c.id)
	b = binary.LittleEndian.AppendUint32(b, uint32(os.Getpid()))
	b = append(b, programName(os.Args)...)
	b = append(b, make([]byte, recordBytes)...)[:recordBytes]
	_, err := unix.Pwrite(int(c.file.Fd()), b, recordOffset(c.id))
	return err
}

func recordOffset(id uint32) int64 { return recordsStart + int64(id%records)*recordBytes }

// programName is what this program was started as.
func programName(args []string) string {
	name := filepath.Base(args[0])
	if name == "vbladefs" && len(args) > 1 {
		name += " " + args[1]
	}
	return name
}

// describe says who a daemon is that lives.
func (c *Claims) describe(id uint32) string {
	var b [recordBytes]byte
	if _, err := readAt(c.file, b[:], recordOffset(id)); err != nil || binary.LittleEndian.Uint32(b[:]) != id {
		return "another daemon"
	}
	name, _, _ := bytes.Cut(b[8:], []byte{0})
	return fmt.Sprintf("process %d (%s)", binary.LittleEndian.Uint32(b[4:]), bytes.ToValidUTF8(name, []byte("?")))
}

// dead reports whether a daemon that holds its lock is about to end, and waits for a disk that hangs. It answers no more.
func (c *Claims) dead(id uint32) bool {
	var b [recordBytes]byte
	if c.dying[id] {
		return true
	}
	if _, err := readAt(c.file, b[:], recordOffset(id)); err != nil || binary.LittleEndian.Uint32(b[:]) != id {
		return false
	}
	if !dying.Process(int(binary.LittleEndian.Uint32(b[4:]))) {
		return false
	}
	if c.dying == nil {
		c.dying = map[uint32]bool{}
	}
	c.dying[id] = true
	return true
}

// readAt fills b; what the file does not have is zeros.
func readAt(f *os.File, b []byte, at int64) (int, error) {
	n, err := unix.Pread(int(f.Fd()), b, at)
	clear(b[max(n, 0):])
	return n, err
}

// lock takes or frees a byte's lock for f's open file description.
func lock(f *os.File, kind int16, at int64) error {
	return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: kind, Start: at, Len: 1})
}

// locked reports whether another open file description has locked any of n bytes.
func locked(f *os.File, at, n int64) (bool, error) {
	l := unix.Flock_t{Type: unix.F_WRLCK, Start: at, Len: n}
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &l)
	return l.Type != unix.F_UNLCK, err
}
