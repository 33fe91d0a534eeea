package nbd

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"

	"golang.org/x/sys/unix"

	"vbladefs/disk"
)

// handshake is the negotiation on one new connection.
type handshake struct {
	net   net.Conn // becomes a tls.Conn
	addr  *Address
	tls   func() (*tls.Config, error)
	flags uint16 // of the server
	e     export
}

// refusal is an error reply to an option.
type refusal uint32

func (r refusal) Error() string {
	switch r {
	case repErrUnsup:
		return "the server does not have that option"
	case repErrPolicy:
		return "the server's policy does not allow it"
	case repErrTLSReqd:
		return "the server wants TLS: use nbds:// and give it certificates"
	case repErrUnknown:
		return "the server has no export of that name"
	case repErrShutdown:
		return "the server is shutting down"
	case repErrBlockSize:
		return "the server wants its block sizes to be known"
	}
	return fmt.Sprintf("the server refuses with error %d", uint32(r)&^repError)
}

// Unwrap is the errno that a user should see.
func (r refusal) Unwrap() error {
	switch r {
	case repErrPolicy, repErrTLSReqd:
		return unix.EACCES
	case repErrUnknown:
		return unix.ENOENT
	}
	return unix.EPROTO
}

// run negotiates until the transmission phase.
func (h *handshake) run() error {
	if err := h.greet(); err != nil {
		return err
	}
	if h.addr.tls {
		if err := h.startTLS(); err != nil {
			return err
		}
	}
	err := h.choose()
	if err == refusal(repErrTLSReqd) && !h.addr.tls {
		if err = h.startTLS(); err == nil {
			err = h.choose()
		}
	}
	if err != nil {
		return err
	}
	return h.e.check()
}

func (h *handshake) greet() error {
	var b [18]byte
	if _, err := io.ReadFull(h.net, b[:16]); err != nil {
		return fmt.Errorf("no greeting: %w", err)
	}
	if binary.BigEndian.Uint64(b[:]) != magicServer {
		return fmt.Errorf("%w: what answers is no NBD server", unix.EPROTO)
	}
	switch binary.BigEndian.Uint64(b[8:]) {
	case magicOption:
	case magicOldstyle:
		return fmt.Errorf("%w: the server speaks the old style of NBD only", unix.EPROTO)
	default:
		return fmt.Errorf("%w: what answers is no NBD server", unix.EPROTO)
	}
	if _, err := io.ReadFull(h.net, b[16:]); err != nil {
		return err
	}
	h.flags = binary.BigEndian.Uint16(b[16:])
	if h.flags&flagFixedNewstyle == 0 {
		return fmt.Errorf("%w: the server speaks NBD without fixed newstyle", unix.EPROTO)
	}
	_, err := h.net.Write(binary.BigEndian.AppendUint32(nil, uint32(h.flags&(flagFixedNewstyle|flagNoZeroes))))
	return err
}

// option sends an option and has each reply that is neither the last nor an error told.
func (h *handshake) option(number uint32, data []byte, told func(kind uint32, data []byte) error) error {
	b := binary.BigEndian.AppendUint64(nil, magicOption)
	b = binary.BigEndian.AppendUint32(b, number)
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	if _, err := h.net.Write(append(b, data...)); err != nil {
		return err
	}
	for range maxOptionReplies {
		var head [20]byte
		if _, err := io.ReadFull(h.net, head[:]); err != nil {
			return err
		}
		kind, length := binary.BigEndian.Uint32(head[12:]), binary.BigEndian.Uint32(head[16:])
		if binary.BigEndian.Uint64(head[:]) != magicOptionReply || binary.BigEndian.Uint32(head[8:]) != number || length > maxOptionReply {
			return violation("its reply to option %d begins with %x", number, head)
		}
		data := make([]byte, length)
		if _, err := io.ReadFull(h.net, data); err != nil {
			return err
		}
		switch {
		case kind == repAck:
			return nil
		case kind&repError != 0:
			return refusal(kind)
		}
		if err := told(kind, data); err != nil {
			return err
		}
	}
	return violation("more than %d replies to option %d", maxOptionReplies, number)
}

func noReply(kind uint32, _ []byte) error { return violation("a reply of type %d", kind) }

func (h *handshake) startTLS() error {
	config, err := h.tls()
	if err != nil {
		return err
	}
	if err := h.option(optStartTLS, nil, noReply); err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	// Nothing that came before counts, nor can anything be in a buffer of ours: it is read with the conn's own calls.
	c := tls.Client(h.net, config)
	if err := c.Handshake(); err != nil {
		return fmt.Errorf("TLS: %w: see option tls-certificates", err)
	}
	h.net = c
	return nil
}

// choose asks for structured replies and for the export.
func (h *handshake) choose() error {
	h.e = export{minBlock: 1, maxBlock: defaultMaxBlock}
	switch err := h.option(optStructuredReply, nil, noReply); err.(type) {
	case nil:
		h.e.structured = true
	case refusal:
		if err == refusal(repErrTLSReqd) {
			return err
		}
	default:
		return err
	}
	name := h.addr.export
	data := binary.BigEndian.AppendUint32(nil, uint32(len(name)))
	data = append(data, name...)
	data = binary.BigEndian.AppendUint16(data, 1) // number of what else is asked for
	data = binary.BigEndian.AppendUint16(data, infoBlockSize)
	known := false
	err := h.option(optGo, data, func(kind uint32, data []byte) error {
		if kind != repInfo || len(data) < 2 {
			return violation("a reply of type %d and %d bytes to NBD_OPT_GO", kind, len(data))
		}
		told, err := h.info(data)
		known = known || told
		return err
	})
	if err == refusal(repErrUnsup) {
		return h.byName()
	}
	if err == nil && !known {
		return violation("it does not tell the size of the export")
	}
	return err
}

// info reads one NBD_REP_INFO, and reports whether it was the one that must be there.
func (h *handshake) info(data []byte) (size bool, err error) {
	switch kind := binary.BigEndian.Uint16(data); {
	case kind == infoExport && len(data) == 12:
		return true, h.size(data[2:])
	case kind == infoBlockSize && len(data) == 14:
		h.e.minBlock = int64(binary.BigEndian.Uint32(data[2:]))
		h.e.maxBlock = int64(binary.BigEndian.Uint32(data[10:]))
	case kind == infoExport || kind == infoBlockSize:
		return false, violation("information %d of %d bytes", kind, len(data))
	}
	return false, nil
}

// size reads the size and the flags of an export.
func (h *handshake) size(data []byte) error {
	size := binary.BigEndian.Uint64(data)
	if size > math.MaxInt64 {
		return violation("an export of %d bytes", size)
	}
	h.e.sizeBytes, h.e.flags = int64(size), binary.BigEndian.Uint16(data[8:])
	return nil
}

// byName is NBD_OPT_EXPORT_NAME, which all servers have, and which says no by closing the connection.
func (h *handshake) byName() error {
	b := binary.BigEndian.AppendUint64(nil, magicOption)
	b = binary.BigEndian.AppendUint32(b, optExportName)
	b = binary.BigEndian.AppendUint32(b, uint32(len(h.addr.export)))
	if _, err := h.net.Write(append(b, h.addr.export...)); err != nil {
		return err
	}
	reply := make([]byte, 10+124)
	if h.flags&flagNoZeroes != 0 {
		reply = reply[:10]
	}
	if _, err := io.ReadFull(h.net, reply); err != nil {
		return fmt.Errorf("export %q: %w: check its name", h.addr.export, err)
	}
	return h.size(reply)
}

// check makes sure that the export can be used, and makes its block sizes fit ours.
func (e *export) check() error {
	switch {
	case e.sizeBytes < disk.SectorBytes:
		return fmt.Errorf("the export has %d bytes: %w: give it at least one sector of 512", e.sizeBytes, unix.ENXIO)
	case e.minBlock < 1 || e.minBlock&(e.minBlock-1) != 0 || e.minBlock > maxMinBlock:
		return fmt.Errorf("the export has blocks of %d bytes: %w: want a power of two of at most %d", e.minBlock, unix.EPROTO, maxMinBlock)
	case e.maxBlock < e.minBlock || e.maxBlock < disk.SectorBytes:
		return fmt.Errorf("the server takes %d bytes at a time: %w: want a sector of 512, and a block of %d, at least", e.maxBlock, unix.EPROTO, e.minBlock)
	}
	e.maxBlock = min(e.maxBlock, defaultMaxBlock) &^ (max(e.minBlock, disk.SectorBytes) - 1)
	if !e.has(flagHasFlags) {
		e.flags = 0
	}
	return nil
}
