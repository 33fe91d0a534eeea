package nbd

import (
	"bytes"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/disk"
)

const (
	// unflushedMost is how much a store keeps of what its server has acknowledged, and may lose. Writes wait beyond it, for the
	// flush that is begun at half of it. What is in flight comes on top.
	unflushedMost = 64 << 20
	// unflushedAge is about how long something is kept before a flush is begun, as Linux writes back what is dirty.
	unflushedAge = 5 * time.Second
	// unflushedCost is what one is counted with besides its data.
	unflushedCost = 64
	chunkBytes    = 256 << 10
)

// unflushed is what a server has acknowledged since its last flush, in that order: changes of ranges that overlap are in the
// order of their effect. The server may have them in a cache that dies with it, and initiators were told that they are written.
// So they are done again by the server that comes after it (replay.go).
//
// Its zero value is empty. Its methods may be called from any goroutine.
type unflushed struct {
	bytes atomic.Int64 // with the costs
	wants atomic.Bool  // a flush is to be begun
	// losses is how many times changes were lost, or may have been.
	losses atomic.Uint64

	mu       sync.Mutex
	entries  []change // from head on
	head     int
	last     uint64 // number of the newest; they are numbered one after the other
	chunk    *chunkOfData
	flushing bool   // a flush of ours is under way
	lost     string // why changes are lost, until a flush has told so
	alarm    *time.Timer
	expired  func() // called unflushedAge after the first change
}

// change is one of them.
type change struct {
	op             disk.Op
	offset, length int64
	data           []byte
	chunk          *chunkOfData // whose data is in use as long as this, or one before it, is here
}

type chunkOfData struct {
	used int
	b    [chunkBytes]byte
}

var chunks = sync.Pool{New: func() any { return new(chunkOfData) }}

// ended takes notice of a change or a flush that a server has acknowledged, and returns what is to be said of it.
func (u *unflushed) ended(k *call) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case k.replayed:
	case k.op == disk.Flush:
		u.drop(k.mark)
		if u.head < len(u.entries) && u.alarm != nil {
			u.alarm.Reset(unflushedAge)
		}
		if k.own {
			u.flushing = false
			u.wants.Store(u.bytes.Load() >= unflushedMost/2)
		} else if u.lost != "" {
			u.lost = ""
			return unix.EIO
		}
	case k.durable && u.head == len(u.entries): // overlaps nothing that is here
	default:
		u.add(k)
	}
	return nil
}

// add keeps a change; mu is held.
func (u *unflushed) add(k *call) {
	if u.head == len(u.entries) && u.expired != nil {
		if u.alarm == nil {
			u.alarm = time.AfterFunc(unflushedAge, u.expired)
		}
		u.alarm.Reset(unflushedAge)
	}
	if len(u.entries) == cap(u.entries) && u.head > len(u.entries)/2 {
		u.entries, u.head = u.entries[:copy(u.entries, u.entries[u.head:])], 0
	}
	data := u.copy(k)
	u.entries = append(u.entries, change{op: k.op, offset: k.offset, length: k.length, data: data, chunk: u.chunk})
	u.last++
	if u.bytes.Add(int64(len(data))+unflushedCost) >= unflushedMost/2 && !u.flushing {
		u.wants.Store(true)
	}
}

// copy returns the data of a write in memory of u.
func (u *unflushed) copy(k *call) []byte {
	n := len(k.data)
	if k.op != disk.Write || n > chunkBytes {
		return bytes.Clone(k.data)
	}
	if u.chunk == nil || n > chunkBytes-u.chunk.used {
		u.chunk = chunks.Get().(*chunkOfData)
		u.chunk.used = 0
	}
	to := u.chunk.b[u.chunk.used : u.chunk.used+n]
	u.chunk.used += n
	copy(to, k.data)
	return to
}

// drop forgets changes up to number mark; mu is held.
func (u *unflushed) drop(mark uint64) {
	for u.head < len(u.entries) && u.last-uint64(len(u.entries)-u.head)+1 <= mark {
		e := u.entries[u.head]
		u.entries[u.head] = change{}
		u.head++
		u.bytes.Add(-int64(len(e.data)) - unflushedCost)
		if e.chunk != nil && e.chunk != u.chunk && (u.head == len(u.entries) || u.entries[u.head].chunk != e.chunk) {
			chunks.Put(e.chunk)
		}
	}
	if u.head == len(u.entries) {
		u.entries, u.head = u.entries[:0], 0
		if u.chunk != nil {
			chunks.Put(u.chunk)
			u.chunk = nil
		}
	}
}

// newest is the number of the newest change: a flush that is sent after it covers all up to it.
func (u *unflushed) newest() uint64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.last
}

// any reports whether there is something.
func (u *unflushed) any() bool { return u.bytes.Load() > 0 }

// full reports whether a change has to wait.
func (u *unflushed) full() bool { return u.bytes.Load() >= unflushedMost }

// begin reports whether a flush is to be sent now, which the caller does, or calls abandon.
func (u *unflushed) begin() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.wants.Load() || u.flushing {
		return false
	}
	u.wants.Store(false)
	u.flushing = true
	return true
}

// abandon notes that the flush that was begun is not carried out.
func (u *unflushed) abandon() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.flushing = false
	u.wants.Store(u.bytes.Load() > 0)
}

// lose forgets all, as it cannot be done again. The next flush of an initiator fails.
func (u *unflushed) lose(why string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.drop(u.last)
	u.losses.Add(1)
	u.flushing, u.lost = false, why
	u.wants.Store(false)
}

// loss is why changes are lost; empty: none is, or a flush has told so.
func (u *unflushed) loss() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.lost
}

// all is what is kept. It stays so until a flush or a change ends.
func (u *unflushed) all() []change {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.entries[u.head:]
}
