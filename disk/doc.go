// Package disk opens what an export stores its sectors in, a regular file or a block device, and carries requests to it
// without ever making one store wait for another.
//
// A Store is one opened and claimed backing store: its size, its write policy, its descriptors. A Queue belongs to one
// worker goroutine and carries requests to any number of stores:
//
//	worker ── Try ──────▶ page cache                     (answered at once, or not at all)
//	       ── Submit ─┬─▶ io_uring ─▶ device             (O_DIRECT, and only if nothing is to be waited for)
//	                  └─▶ the store's FIFO ─▶ goroutine ─▶ pread, pwrite, fdatasync, fallocate, BLKDISCARD
//	       ◀─ Reap ────── finished list ◀────────┘
//	       ── Wait ─────▶ sleeps until a request finishes, a descriptor is readable, Wake, or a time limit
//
// There are two kinds of queue. SyncQueue has goroutines only; UringQueue adds the io_uring, and hands what would wait
// to a SyncQueue of its own. NewQueue makes the best that the kernel allows.
//
// Requests that were submitted finish in any order. Neighbours of one batch may go to the kernel as one request, and
// still finish each with a result of its own. Any sector can be read and written, also on media with larger blocks, whose
// parts blocks.go keeps from undoing each other. Keeping overlapping requests in order, one of them being a write, and
// finishing all requests of a Store before it is closed, is the caller's work.
//
// The package knows sectors only as a smallest size; it knows nothing of AoE, ATA, drives or exports.
package disk

// SectorBytes is the size of a sector, the unit every store must hold at least one of.
const SectorBytes = 512
