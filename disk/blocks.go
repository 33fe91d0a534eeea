package disk

import (
	"sync"

	"golang.org/x/sys/unix"
)

// A store whose medium has blocks larger than a sector (4 KiB, mostly) takes O_DIRECT requests in whole blocks only. Other
// requests go through a bounce buffer: reads read the blocks that cover them; writes read the blocks at both ends that they
// cover in part, change them, and write all back. Two such writes to different sectors of one block must not meet, on
// whatever queues they are, or the later would undo the earlier: each locks its blocks. Requests in whole blocks need no
// lock, as whatever shares a block with them overlaps them, which the caller keeps apart.

const (
	// maxBlockBytes is the largest block that is read and written for the sake of a sector.
	maxBlockBytes = 64 << 10
	blockStripes  = 64
)

// blockLocks serialises changes of parts of blocks. Blocks share locks by their number, which costs time only.
type blockLocks [blockStripes]sync.Mutex

// lock locks two blocks, which may be the same.
func (l *blockLocks) lock(a, b int64) {
	first, second := min(a%blockStripes, b%blockStripes), max(a%blockStripes, b%blockStripes)
	l[first].Lock()
	if second != first {
		l[second].Lock()
	}
}

// unlock is the reverse of lock.
func (l *blockLocks) unlock(a, b int64) {
	l[a%blockStripes].Unlock()
	if a%blockStripes != b%blockStripes {
		l[b%blockStripes].Unlock()
	}
}

// inParts reports whether a request covers blocks in part that O_DIRECT takes as a whole only.
func (s *Store) inParts(op Op, length int, offset int64) bool {
	return s.directs(op) && s.blocks != nil && (offset|int64(length))&(s.offsetAlign-1) != 0
}

// cover returns the range of whole blocks that covers a request, and whether the store has all of it: the last block of a
// regular file may be incomplete.
func (s *Store) cover(length int, offset int64) (start, end int64, whole bool) {
	start = offset &^ (s.offsetAlign - 1)
	end = (offset + int64(length) + s.offsetAlign - 1) &^ (s.offsetAlign - 1)
	return start, end, start < end && end <= s.SizeBytes() // start is not, if the sum is too large
}

// readInParts reads the blocks that cover data.
func (s *Store) readInParts(data []byte, offset int64, b *bounce) error {
	start, end, whole := s.cover(len(data), offset)
	if !whole {
		return readFull(s.fd, data, offset)
	}
	buf, err := b.take(int(end - start))
	if err != nil {
		return err
	}
	if err := readFull(s.directFD, buf, start); err == unix.EINVAL {
		return readFull(s.fd, data, offset)
	} else if err != nil {
		return err
	}
	copy(data, buf[offset-start:])
	return nil
}

// writeInParts changes the blocks that cover data while no other request does so. An incomplete block at the end of a file
// goes through the page cache, since writing all of it would make the file longer.
func (s *Store) writeInParts(data []byte, offset int64, durable bool, b *bounce) error {
	first, last := offset/s.offsetAlign, (offset+int64(len(data))-1)/s.offsetAlign
	s.blocks.lock(first, last)
	defer s.blocks.unlock(first, last)
	if start, end, whole := s.cover(len(data), offset); whole {
		if err := s.changeBlocks(data, offset, start, end, durable, b); err != unix.EINVAL {
			return err
		}
	}
	return s.writeFull(s.fd, data, offset, true)
}

// changeBlocks writes the blocks from start to end with data in them, and what they hold already around it.
func (s *Store) changeBlocks(data []byte, offset, start, end int64, durable bool, b *bounce) error {
	buf, err := b.take(int(end - start))
	if err != nil {
		return err
	}
	if offset > start {
		if err := readFull(s.directFD, buf[:s.offsetAlign], start); err != nil {
			return err
		}
	}
	lastStart := end - s.offsetAlign
	if offset+int64(len(data)) < end && (lastStart > start || offset == start) { // not read above
		if err := readFull(s.directFD, buf[lastStart-start:], lastStart); err != nil {
			return err
		}
	}
	copy(buf[offset-start:], data)
	return s.writeFull(s.directFD, buf, start, durable)
}
