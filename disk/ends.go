package disk

// ends remembers how long regular files are, so that the writes of one turn of a worker share a system call. A turn ends
// with the owner's next Reap or Wait. Asking for each write would leave a shorter time for a truncation to go unseen, but
// some time too.
type ends struct {
	turn  uint64
	files [64]struct { // at the store's descriptor modulo their number
		store     *Store
		turn      uint64
		sizeBytes int64
	}
}

// next begins another turn.
func (e *ends) next() { e.turn++ }

// check is Store.checkEnd, from memory where that says that the write fits.
func (e *ends) check(s *Store, data []byte, offset int64) error {
	if s.id.block {
		return nil
	}
	file := &e.files[s.fd%len(e.files)]
	if file.store == s && file.turn == e.turn && int64(len(data)) <= file.sizeBytes-offset {
		return nil
	}
	sizeBytes, err := fileSizeBytes(s.fd)
	if err != nil {
		return err
	}
	file.store, file.turn, file.sizeBytes = s, e.turn, sizeBytes
	if int64(len(data)) > sizeBytes-offset {
		return ErrShort
	}
	return nil
}
