package nbd

import (
	"encoding/binary"

	"vbladefs/disk"
)

// The numbers of proto.md, which has them all in network byte order.

// "Fixed newstyle negotiation".
const (
	magicServer      = 0x4e42444d41474943 // NBDMAGIC
	magicOption      = 0x49484156454f5054 // IHAVEOPT
	magicOldstyle    = 0x00420281861253
	magicOptionReply = 0x3e889045565a9

	flagFixedNewstyle = 1 << 0 // NBD_FLAG_FIXED_NEWSTYLE, and the client's
	flagNoZeroes      = 1 << 1 // NBD_FLAG_NO_ZEROES, and the client's
)

// "Option types".
const (
	optExportName      = 1
	optStartTLS        = 5
	optGo              = 7
	optStructuredReply = 8
)

// "Option reply types".
const (
	repAck  = 1
	repInfo = 3

	repError         = 1 << 31
	repErrUnsup      = repError + 1
	repErrPolicy     = repError + 2
	repErrTLSReqd    = repError + 5
	repErrUnknown    = repError + 6
	repErrShutdown   = repError + 7
	repErrBlockSize  = repError + 8
	infoExport       = 0
	infoBlockSize    = 3
	maxOptionReply   = 64 << 10 // ours: descriptions of an export are strings of at most 4096 bytes
	maxOptionReplies = 100      // ours
)

// "Transmission flags".
const (
	flagHasFlags    = 1 << 0
	flagReadOnly    = 1 << 1
	flagFlush       = 1 << 2
	flagFUA         = 1 << 3
	flagTrim        = 1 << 5
	flagWriteZeroes = 1 << 6
	flagMultiConn   = 1 << 8
)

// "Transmission phase".
const (
	magicRequest    = 0x25609513
	magicSimple     = 0x67446698
	magicStructured = 0x668e33ef

	cmdRead        = 0
	cmdWrite       = 1
	cmdDisconnect  = 2
	cmdFlush       = 3
	cmdTrim        = 4
	cmdWriteZeroes = 6

	cmdFlagFUA = 1 << 0

	replyFlagDone = 1 << 0

	chunkNone       = 0
	chunkOffsetData = 1
	chunkOffsetHole = 2
	chunkErrorBit   = 1 << 15

	requestBytes    = 28
	simpleBytes     = 16
	structuredBytes = 20
	// maxErrorChunk is ours: an error, its offset and a string of at most 4096 bytes.
	maxErrorChunk = 4096 + 64
)

// "Block size constraints": what holds where the server names none, and the most that it may ask of us.
const (
	defaultMaxBlock = 32 << 20
	maxMinBlock     = 64 << 10
)

// export is what a server said of it when a connection was made.
type export struct {
	sizeBytes  int64
	flags      uint16
	minBlock   int64 // a power of two, at least 1
	maxBlock   int64 // a multiple of minBlock, and never below a sector
	structured bool  // replies are
}

func (e *export) has(flag uint16) bool { return e.flags&flag != 0 }

// takes reports whether a request can go to the server as one command.
func (e *export) takes(op disk.Op, offset, length int64, durable bool) bool {
	switch op {
	case disk.Flush:
		return true
	case disk.WriteZeroes:
		if !e.has(flagWriteZeroes) {
			return false
		}
	case disk.Discard:
		if !e.has(flagTrim) {
			return false
		}
	}
	if durable && !e.has(flagFUA) {
		return false
	}
	return (offset|length)&(e.minBlock-1) == 0 && length <= e.maxBlock
}

// commands are what the operations are called there.
var commands = [...]uint16{disk.Read: cmdRead, disk.Write: cmdWrite, disk.WriteDurable: cmdWrite, disk.Flush: cmdFlush,
	disk.Discard: cmdTrim, disk.WriteZeroes: cmdWriteZeroes}

// putRequest encodes a request of k in b ("Request message").
func (k *call) putRequest(b []byte) {
	flags := uint16(0)
	if k.durable {
		flags = cmdFlagFUA
	}
	binary.BigEndian.PutUint32(b, magicRequest)
	binary.BigEndian.PutUint16(b[4:], flags)
	binary.BigEndian.PutUint16(b[6:], commands[k.op])
	binary.BigEndian.PutUint64(b[8:], k.cookie)
	binary.BigEndian.PutUint64(b[16:], uint64(k.offset))
	binary.BigEndian.PutUint32(b[24:], uint32(k.length))
}
