package disk

import (
	"errors"

	"golang.org/x/sys/unix"
)

// zeros is what is written where the kernel cannot zero a range.
var zeros [64 << 10]byte

// carryRange does an operation without data on the calling goroutine.
func (s *Store) carryRange(op Op, offset, length int64, b *bounce) error {
	if refused, err := s.refuseRange(op, offset, length); refused {
		return err
	}
	seen := s.Losses()
	var err error
	switch op {
	case Discard:
		err = s.discard(offset, offset+length)
	case WriteZeroes:
		err = s.writeZeroes(offset, offset+length, b, s.zeroKept)
	default:
		err = s.writeZeroes(offset, offset+length, b, s.punch)
	}
	// That a range of a file is zero is in its file system's journal, and not with the device yet.
	if err == nil && (s.Policy() == Durable || s.Policy() == Direct && op != Discard && !s.id.block) {
		err = s.sync(seen)
	}
	return err
}

// refuseRange answers as refuse and checkEnd do.
func (s *Store) refuseRange(op Op, offset, length int64) (refused bool, err error) {
	switch {
	case op < Discard || op > Punch:
		return true, unix.EINVAL
	case s.ReadOnly():
		return true, unix.EROFS
	case offset < 0 || length < 0 || length > s.SizeBytes()-offset:
		return true, ErrRange
	case length == 0:
		return true, nil
	case s.id.block:
		return false, nil
	}
	sizeBytes, err := fileSizeBytes(s.fd)
	if err == nil && length > sizeBytes-offset {
		err = ErrShort
	}
	return err != nil, err
}

// discard gives the blocks of a range back. What the store cannot do is no error: the contents stay as they are.
func (s *Store) discard(offset, end int64) error {
	start, end, err := s.wholeBlocks(offset, end)
	if err != nil || start >= end {
		return err
	}
	if s.id.block {
		err = blockRange(s.fd, unix.BLKDISCARD, start, end-start)
	} else {
		err = s.punch(start, end-start)
	}
	if refusesRange(err) {
		return nil
	}
	return err
}

// zeroKept has the kernel zero a range. A file keeps its blocks where its file system knows how, so that later writes do
// not fail for want of room.
func (s *Store) zeroKept(start, length int64) error {
	if s.id.block {
		return blockRange(s.fd, unix.BLKZEROOUT, start, length)
	}
	err := allocate(s.fd, unix.FALLOC_FL_ZERO_RANGE, start, length)
	if refusesRange(err) {
		err = s.punch(start, length)
	}
	return err
}

// punch has the kernel zero a range and give its blocks back; devices know this as fallocate(2), too (Linux 4.9).
func (s *Store) punch(start, length int64) error {
	return allocate(s.fd, unix.FALLOC_FL_PUNCH_HOLE, start, length)
}

// writeZeroes has the kernel zero the whole blocks of a range, and writes zeros to the rest, or to all if it cannot.
func (s *Store) writeZeroes(offset, end int64, b *bounce, zero func(start, length int64) error) error {
	start, stop, err := s.wholeBlocks(offset, end)
	if err != nil {
		return err
	}
	if start >= stop {
		return s.writeZeroData(offset, end, b)
	}
	if err = zero(start, stop-start); refusesRange(err) {
		return s.writeZeroData(offset, end, b)
	}
	if err == nil {
		err = s.writeZeroData(offset, start, b)
	}
	if err == nil {
		err = s.writeZeroData(stop, end, b)
	}
	return err
}

// writeZeroData writes zeros as any other data.
func (s *Store) writeZeroData(offset, end int64, b *bounce) error {
	for offset < end {
		n := min(end-offset, int64(len(zeros)))
		if err := s.write(Write, zeros[:n], offset, b); err != nil {
			return err
		}
		offset += n
	}
	return nil
}

// wholeBlocks is the part of a range that the kernel can change as a whole; it is empty if start is not below stop. Parts of
// blocks are left to write, which keeps other changes of the same block off.
func (s *Store) wholeBlocks(offset, end int64) (start, stop int64, err error) {
	align := int64(1)
	if s.writesDirect() && s.blocks != nil {
		align = s.offsetAlign
	}
	if s.id.block {
		blockBytes, err := unix.IoctlGetInt(s.fd, unix.BLKSSZGET)
		if err != nil {
			return 0, 0, err
		}
		align = max(align, int64(blockBytes))
	}
	return (offset + align - 1) / align * align, end / align * align, nil
}

// allocate is fallocate(2), which does not change the length of the file.
func allocate(fd int, mode uint32, offset, length int64) error {
	return ignoringEINTR(func() error { return unix.Fallocate(fd, mode|unix.FALLOC_FL_KEEP_SIZE, offset, length) })
}

// refusesRange reports whether an error says that nothing was done, as the store has no such operation, or not for us: one
// opened by force may be in use (EBUSY), and a file may be allowed to grow only (EPERM).
func refusesRange(err error) bool {
	for _, refusal := range []unix.Errno{unix.EOPNOTSUPP, unix.ENOSYS, unix.ENOTTY, unix.EINVAL, unix.EBUSY, unix.EPERM} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}
