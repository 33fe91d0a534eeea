package netio

import (
	"encoding/binary"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is struct mmsghdr of sendmmsg(2).
type mmsghdr struct {
	header unix.Msghdr
	length uint32
	_      [unsafe.Sizeof(uintptr(0)) - 4]byte
}

// vnetHeader is struct virtio_net_hdr (linux/virtio_net.h), which a socket with PACKET_VNET_HDR takes before each
// frame: flags, gso_type, then 16-bit hdr_len, gso_size, csum_start, csum_offset.
//
// All of it is zero but hdr_len, which says how much of the frame the kernel should lay out in one piece. Without it
// the kernel puts whatever is over a page into pages that it allocates for each frame (net/packet/af_packet.c
// packet_alloc_skb); a piece from its slab costs some 400 ns less for a frame of 4 KiB.
type vnetHeader [10]byte

// linearBytes is the most to ask for in one piece: what with the kernel's own part still fits 8 KiB, its largest slab.
const linearBytes = 7680

func (v *vnetHeader) setLinear(frameBytes int) {
	binary.NativeEndian.PutUint16(v[2:], uint16(min(frameBytes, linearBytes)))
}

// sendBatch is the argument of sendmmsg for up to maxBatch frames, kept so that sending allocates
// nothing. Its vectors hold Go pointers, so the collector sees the buffers while they are loaded.
type sendBatch struct {
	messages [maxBatch]mmsghdr
	vectors  [maxBatch]frameVector
	vnets    [maxBatch]vnetHeader
}

// frameVector is one frame: its vnetHeader, its header, and its payload if that is not directly behind the header.
type frameVector [3]unix.Iovec

func newSendBatch() *sendBatch {
	b := new(sendBatch)
	for i := range b.messages {
		b.messages[i].header.Iov = &b.vectors[i][0]
		b.vectors[i][0].Base = &b.vnets[i][0]
		b.vectors[i][0].SetLen(len(vnetHeader{}))
	}
	return b
}

// load points the messages at the buffers. It needs len(payloads) <= len(headers) <= maxBatch.
func (b *sendBatch) load(headers, payloads [][]byte) {
	for i, h := range headers {
		var payload []byte
		if i < len(payloads) {
			payload = payloads[i]
		}
		count := b.vectors[i].point(h, payload)
		b.vnets[i].setLinear(len(h) + len(payload))
		b.messages[i].header.SetIovlen(count)
	}
}

// point returns how many elements are in use.
func (v *frameVector) point(header, payload []byte) (count int) {
	v[1].Base = unsafe.SliceData(header)
	v[1].SetLen(len(header))
	if len(payload) == 0 {
		return 2
	}
	if addressOf(header)+uintptr(len(header)) == addressOf(payload) {
		v[1].SetLen(len(header) + len(payload)) // one copy is cheaper than two
		return 2
	}
	v[2].Base = unsafe.SliceData(payload)
	v[2].SetLen(len(payload))
	return 3
}

func addressOf(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

// unload forgets the buffers: memory that is unmapped later must not be seen by the collector.
func (b *sendBatch) unload(n int) {
	for i := range n {
		b.vectors[i][1], b.vectors[i][2] = unix.Iovec{}, unix.Iovec{}
	}
}

// sendmmsg sends messages[from:to] without waiting and returns how many went out. It is a raw call, although reading a
// buffer may fault: told of a call that takes as long as a batch does, the Go scheduler wakes up to see to the thread
// every few microseconds, which costs several percent.
func (b *sendBatch) sendmmsg(fd, from, to int) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.messages[from])),
		uintptr(to-from), unix.MSG_DONTWAIT, 0, 0)
	runtime.KeepAlive(b)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}
