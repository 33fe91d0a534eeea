package netio

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A slot of a TPACKET_V2 ring begins with struct tpacket2_hdr, followed by a struct sockaddr_ll
// (linux/if_packet.h TPACKET2_HDRLEN). The frame's network header comes at the next multiple of 16
// that leaves 16 bytes for the link header, plus PACKET_RESERVE; the frame begins its 14 bytes of link
// header before that (net/packet/af_packet.c tpacket_rcv).
const (
	ringHeaderBytes  = unix.SizeofTpacket2Hdr + unix.SizeofSockaddrLinklayer
	ringFrameDefault = (ringHeaderBytes+16+15)/16*16 - ethernetHeaderBytes
	ringReserve      = frameOffset - ringFrameDefault
)

// status is the word that the kernel and we write in turns; the rest of the header is the kernel's
// before the status says TP_STATUS_USER and constant after.
func status(slot []byte) *uint32 {
	return &header(slot).Status
}

func header(slot []byte) *unix.Tpacket2Hdr {
	_ = slot[unix.SizeofTpacket2Hdr-1]
	return (*unix.Tpacket2Hdr)(unsafe.Pointer(unsafe.SliceData(slot)))
}

// loadStatus orders the reads of the header and frame after it.
func loadStatus(slot []byte) uint32 { return atomic.LoadUint32(status(slot)) }

// storeStatus orders all reads of the frame before it.
func storeStatus(slot []byte, v uint32) { atomic.StoreUint32(status(slot), v) }
