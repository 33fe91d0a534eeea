package netio

import (
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

// sendBatch is the argument of sendmmsg for up to maxBatch frames, kept so that sending allocates
// nothing. Its vectors hold Go pointers, so the collector sees the buffers while they are loaded.
type sendBatch struct {
	messages [maxBatch]mmsghdr
	vectors  [maxBatch][2]unix.Iovec
}

func newSendBatch() *sendBatch {
	b := new(sendBatch)
	for i := range b.messages {
		b.messages[i].header.Iov = &b.vectors[i][0]
	}
	return b
}

// load points the messages at the buffers. It needs len(payloads) <= len(headers) <= maxBatch.
func (b *sendBatch) load(headers, payloads [][]byte) {
	for i, h := range headers {
		vector, count := &b.vectors[i], 1
		vector[0].Base = unsafe.SliceData(h)
		vector[0].SetLen(len(h))
		if i < len(payloads) && len(payloads[i]) > 0 {
			vector[1].Base = unsafe.SliceData(payloads[i])
			vector[1].SetLen(len(payloads[i]))
			count = 2
		}
		b.messages[i].header.SetIovlen(count)
	}
}

// unload forgets the buffers: memory that is unmapped later must not be seen by the collector.
func (b *sendBatch) unload(n int) {
	clear(b.vectors[:n])
}

// sendmmsg sends messages[from:to] without waiting and returns how many went out. It is no raw call:
// reading a buffer may fault and wait.
func (b *sendBatch) sendmmsg(fd, from, to int) (int, unix.Errno) {
	n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.messages[from])),
		uintptr(to-from), unix.MSG_DONTWAIT, 0, 0)
	runtime.KeepAlive(b)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}
