package disk

import "golang.org/x/sys/unix"

// carry does a request on the calling goroutine, however long that takes.
func (s *Store) carry(op Op, data []byte, offset int64, b *bounce) error {
	if refused, err := s.refuse(op, data, offset); refused {
		return err
	}
	switch op {
	case Read:
		return s.read(data, offset, b)
	case Write, WriteDurable:
		return s.write(op, data, offset, b)
	default:
		return s.sync(s.Losses())
	}
}

// refuse answers requests that need no device, and those that must not reach it.
func (s *Store) refuse(op Op, data []byte, offset int64) (refused bool, err error) {
	switch {
	case op > Flush:
		return true, unix.EINVAL
	case op == Flush:
		return s.ReadOnly(), nil // nothing was written
	case op != Read && s.ReadOnly():
		return true, unix.EROFS
	case offset < 0:
		return true, ErrRange
	case op != Read && int64(len(data)) > s.SizeBytes()-offset:
		return true, ErrRange
	}
	return len(data) == 0, nil
}

func (s *Store) read(data []byte, offset int64, b *bounce) error {
	if s.usesDirect(Read, data, offset) {
		if err := s.readDirect(data, offset, b); err != unix.EINVAL {
			return err
		}
		// The device's alignment has grown since it was opened: the page cache can still serve it.
	}
	if s.inParts(Read, len(data), offset) {
		return s.readInParts(data, offset, b)
	}
	return readFull(s.fd, data, offset)
}

func (s *Store) readDirect(data []byte, offset int64, b *bounce) error {
	if alignedTo(data, s.memAlign) {
		return readFull(s.directFD, data, offset)
	}
	buf, err := b.take(len(data))
	if err != nil {
		return err
	}
	if err := readFull(s.directFD, buf, offset); err != nil {
		return err
	}
	copy(data, buf)
	return nil
}

func (s *Store) write(op Op, data []byte, offset int64, b *bounce) error {
	if err := s.checkEnd(data, offset); err != nil {
		return err
	}
	durable := op == WriteDurable || s.Policy() == Durable
	if s.inParts(op, len(data), offset) {
		return s.writeInParts(data, offset, durable, b)
	}
	if s.usesDirect(op, data, offset) {
		if err := s.writeDirect(data, offset, durable, b); err != unix.EINVAL {
			return err
		}
	}
	// Not O_DIRECT although the policy is Direct: the promise is kept by making the write durable.
	return s.writeFull(s.fd, data, offset, durable || s.Policy() == Direct)
}

func (s *Store) writeDirect(data []byte, offset int64, durable bool, b *bounce) error {
	if alignedTo(data, s.memAlign) {
		return s.writeFull(s.directFD, data, offset, durable)
	}
	buf, err := b.take(len(data))
	if err != nil {
		return err
	}
	copy(buf, data)
	return s.writeFull(s.directFD, buf, offset, durable)
}

// checkEnd keeps a write from extending a regular file that was truncated since its size was asked for. The rest of the
// file would come back as zeros, which an initiator would take for its data; an error tells it.
func (s *Store) checkEnd(data []byte, offset int64) error {
	if s.id.block {
		return nil
	}
	sizeBytes, err := fileSizeBytes(s.fd)
	if err != nil {
		return err
	}
	if int64(len(data)) > sizeBytes-offset {
		return ErrShort
	}
	return nil
}

func readFull(fd int, data []byte, offset int64) error {
	for len(data) > 0 {
		n, err := unix.Pread(fd, data, offset)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		case n == 0:
			return ErrShort
		}
		data, offset = data[n:], offset+int64(n)
	}
	return nil
}

// writeFull writes data. What is to be durable through the page cache shares a sync with others, but for a single write that
// is forced although the policy is Writeback: there may be much that need not be written for its sake.
func (s *Store) writeFull(fd int, data []byte, offset int64, durable bool) error {
	seen := s.Losses()
	dsync := durable && !s.noDsync.Load() && (fd != s.fd || s.Policy() == Writeback)
	for len(data) > 0 {
		n, err := s.writeOnce(fd, data, offset, dsync)
		switch {
		case err == unix.EINTR:
			continue
		case dsync && (err == unix.EOPNOTSUPP || err == unix.ENOSYS):
			s.noDsync.Store(true)
			dsync = false
			continue
		case err != nil:
			return err
		case n == 0:
			return ErrShort
		}
		data, offset = data[n:], offset+int64(n)
	}
	if durable && !dsync {
		return s.sync(seen)
	}
	return nil
}

func (s *Store) writeOnce(fd int, data []byte, offset int64, dsync bool) (int, error) {
	switch {
	case dsync && fd == s.fd:
		return s.writeSync(data, offset)
	case dsync:
		return pwriteDsync(fd, data, offset)
	}
	return unix.Pwrite(fd, data, offset)
}

func flush(fd int) error {
	for {
		if err := unix.Fdatasync(fd); err != unix.EINTR {
			return err
		}
	}
}
