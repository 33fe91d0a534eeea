package target

import (
	"vbladefs/target/aoe"
	"vbladefs/target/ata"
)

// Sizes of the buffers of a worker's pool.
const (
	// maxSectors is what a request buffer holds: 31 sectors fill the frame of
	// the largest usual MTU, 16110.
	maxSectors   = 31
	bufferBytes  = maxSectors * aoe.SectorSize
	bufferStride = 16384 // whole pages, so that every buffer is aligned for direct I/O
	bufferHead   = 4096  // before the first buffer
)

// request is one ATA transfer on its way through the engine. It comes from
// its worker's pool, belongs to the worker (or, while blocked, to the order of
// its device), and returns to the pool when its reply has been sent.
type request struct {
	w      *worker
	token  uint64 // its index in the pool
	buffer []byte // its own memory, where reads land and writes wait
	head   []byte // the bytes before buffer, for the header of a reply with data: sent in one piece

	port     *port
	device   *device
	header   aoe.Header // of the reply
	ata      aoe.ATA    // as asked
	op       Op
	lba      uint64 // in the store
	sectors  int
	next     int    // range of an OpDiscard
	turn     uint64 // of device.initiatorCache when a barrier entered
	began    int64  // the turn in which it came, by the clock of w
	blockers int    // earlier requests that it waits for; guarded by device.order.mu
}

// pool is a fixed stock of requests. The one given back last is lent first,
// so that an idle or lightly loaded worker touches few pages.
type pool struct {
	memory   []byte
	requests []request
	free     []*request
}

// PoolBytes is the memory of a worker that can have n transfers in flight.
func PoolBytes(n int) int { return bufferHead + n*bufferStride }

// newPool makes a pool of n requests in memory of PoolBytes(n).
func newPool(w *worker, memory []byte, n int) *pool {
	p := &pool{memory: memory, requests: make([]request, n), free: make([]*request, 0, n)}
	for i := n - 1; i >= 0; i-- {
		r := &p.requests[i]
		r.w, r.token = w, uint64(i)
		start := bufferHead + i*bufferStride
		r.head = memory[start-aoe.ATASize : start : start]
		r.buffer = memory[start : start+bufferBytes : start+bufferBytes]
		p.free = append(p.free, r)
	}
	return p
}

// take lends a request, or nil when all are lent.
func (p *pool) take() *request {
	if len(p.free) == 0 {
		return nil
	}
	r := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	return r
}

// put takes a request back.
func (p *pool) put(r *request) {
	r.port, r.device = nil, nil
	p.free = append(p.free, r)
}

// data is the part of the request's own buffer that its transfer uses.
func (r *request) data() []byte { return r.buffer[:r.sectors*aoe.SectorSize] }

// offset is where the transfer begins in the store, in bytes.
func (r *request) offset() int64 { return int64(r.lba) * aoe.SectorSize }

// registers is the task file of an ATA argument.
func registers(a aoe.ATA) ata.Registers {
	return ata.Registers{Feature: a.Feature, Count: a.Count, Command: a.Command, LBA: a.LBA}
}

// argument is the ATA argument that carries the result g of request a.
func argument(a aoe.ATA, g ata.Registers) aoe.ATA {
	return aoe.ATA{Flags: a.Flags, Feature: g.Feature, Count: g.Count, Command: g.Command, LBA: g.LBA}
}
