package targettest

import (
	"bytes"
	"fmt"
	"io"
	"sync/atomic"
	"syscall"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// guardBytes lie before and after a medium's contents and must stay as they are.
const (
	guardBytes = 64 << 10
	guardByte  = 0xa5
)

// Medium is a disk of a Machine, which guards it.
type Medium struct {
	m        *Machine
	path     string
	memory   []byte // guard, contents, guard
	sectors  int
	known    atomic.Int64 // sectors, when the size was last asked for
	readOnly bool
	open     bool
	cache    target.Cache
	opened   int // times
	failures map[target.Op]error
	log      []string // transfers since the last Log
	logging  bool
}

// Pattern is what sector lba of a new medium holds: a text of 16 bytes that
// names it, again and again.
func Pattern(lba uint64) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "sector %08d\n", lba%1e8), aoe.SectorSize/16)
}

// AddMedium makes a disk filled with Pattern.
func (m *Machine) AddMedium(path string, sectors int, readOnly bool) *Medium {
	d := &Medium{m: m, path: path, sectors: sectors, readOnly: readOnly, failures: map[target.Op]error{}}
	d.memory = bytes.Repeat([]byte{guardByte}, 2*guardBytes+sectors*aoe.SectorSize)
	for i := range sectors {
		copy(d.memory[guardBytes+i*aoe.SectorSize:], Pattern(uint64(i)))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.media[path] = d
	return d
}

// Alias makes path lead to d too.
func (d *Medium) Alias(path string) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	d.m.media[path] = d
}

// Fail makes every transfer of that kind fail; nil ends that.
func (d *Medium) Fail(op target.Op, err error) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	d.failures[op] = err
}

// Contents returns n sectors from lba on, a copy.
func (d *Medium) Contents(lba, n int) []byte {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	start := guardBytes + lba*aoe.SectorSize
	return bytes.Clone(d.memory[start : start+n*aoe.SectorSize])
}

// Resize gives d another size, and new sectors their Pattern.
func (d *Medium) Resize(sectors int) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	guard := bytes.Repeat([]byte{guardByte}, guardBytes)
	d.memory = d.memory[:guardBytes+min(sectors, d.sectors)*aoe.SectorSize]
	for i := d.sectors; i < sectors; i++ {
		d.memory = append(d.memory, Pattern(uint64(i))...)
	}
	d.memory = append(d.memory, guard...)
	d.sectors = sectors
}

// SetReadOnly changes whether d can be written.
func (d *Medium) SetReadOnly(readOnly bool) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	d.readOnly = readOnly
}

// Opened is how often d was opened.
func (d *Medium) Opened() int {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	return d.opened
}

// Cache is the write policy it was last opened with or set to.
func (d *Medium) Cache() target.Cache {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	return d.cache
}

// Log returns the transfers since the last call, as "read 0+8", "write 3+1",
// "write-durable 3+1", "flush". The first call starts it.
func (d *Medium) Log() []string {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	log := d.log
	d.log, d.logging = nil, true
	return log
}

// CheckGuards reports what was written outside of d.
func (d *Medium) CheckGuards() error {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	end := len(d.memory) - guardBytes
	for i := range guardBytes {
		if d.memory[i] != guardByte || d.memory[end+i] != guardByte {
			return fmt.Errorf("%s: a transfer has written outside of the medium", d.path)
		}
	}
	return nil
}

func describeTransfer(op target.Op, data []byte, offset int64) string {
	name, ok := map[target.Op]string{target.OpRead: "read", target.OpWrite: "write", target.OpWriteDurable: "write-durable",
		target.OpFlush: "flush", target.OpDiscard: "discard", target.OpPunch: "punch"}[op]
	switch {
	case op == target.OpFlush:
		return name
	case !ok:
		name = fmt.Sprintf("operation %d", op)
	}
	return fmt.Sprintf("%s %d+%d", name, offset/aoe.SectorSize, len(data)/aoe.SectorSize)
}

// transferLocked carries a transfer out.
func (d *Medium) transferLocked(op target.Op, data []byte, offset int64) error {
	if d.logging {
		d.log = append(d.log, describeTransfer(op, data, offset))
	}
	if !d.open {
		d.m.t.Errorf("%s: %s of a store that is closed", d.path, describeTransfer(op, data, offset))
		return syscall.EBADF
	}
	if err := d.failures[op]; err != nil {
		return err
	}
	if op == target.OpFlush {
		return nil
	}
	if op > target.OpWriteDurable && op != target.OpDiscard && op != target.OpPunch {
		d.m.t.Errorf("%s: unknown operation %d", d.path, op)
		return syscall.EINVAL
	}
	if offset >= 0 && offset+int64(len(data)) > int64(d.sectors)*aoe.SectorSize && offset+int64(len(data)) <= d.known.Load()*aoe.SectorSize {
		return io.ErrUnexpectedEOF // it has shrunk, and nobody knows
	}
	if n := int64(len(data)); n == 0 || n%aoe.SectorSize != 0 || offset < 0 || offset+n > int64(d.sectors)*aoe.SectorSize {
		d.m.t.Errorf("%s: %s, outside of its %d sectors", d.path, describeTransfer(op, data, offset), d.sectors)
		return syscall.EINVAL
	}
	contents := d.memory[guardBytes+offset:][:len(data)]
	switch {
	case op == target.OpRead:
		copy(data, contents)
	case d.readOnly:
		return syscall.EROFS
	default:
		copy(contents, data)
	}
	return nil
}

// store is an opened Medium.
type store struct {
	*Medium
	asReadOnly *atomic.Bool
}

func (m *Machine) identify(path string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.hanging[path] {
		m.changed.Wait()
	}
	if err := m.allowLocked("Identify"); err != nil {
		return "", err
	}
	if d := m.media[path]; d != nil {
		return d.path, nil
	}
	return "", fmt.Errorf("%s: %w", path, syscall.ENOENT)
}

// WhenFlushed has f called during the next Flush of a store, before it is done;
// flushes that initiators ask for are transfers, and none of these.
func (m *Machine) WhenFlushed(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.whenFlushed = f
}

// Hang has whoever asks for a path, to identify or open it, wait until release
// is called.
func (m *Machine) Hang(path string) (release func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hanging[path] = true
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.hanging, path)
		m.changed.Broadcast()
	}
}

func (m *Machine) openStore(path string, o target.StoreOptions) (target.Store, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.hanging[path] {
		m.changed.Wait()
	}
	if err := m.allowLocked("OpenStore"); err != nil {
		return nil, err
	}
	d := m.media[path]
	switch {
	case d == nil:
		return nil, fmt.Errorf("%s: %w", path, syscall.ENOENT)
	case d.open:
		return nil, fmt.Errorf("%s: %w", path, syscall.EBUSY)
	case d.readOnly && o.Access == target.AccessReadWrite:
		return nil, fmt.Errorf("%s: %w", path, syscall.EROFS)
	}
	d.open, d.cache = true, o.Cache
	d.opened++
	d.known.Store(int64(d.sectors))
	s := &store{d, new(atomic.Bool)}
	s.asReadOnly.Store(d.readOnly || o.Access == target.AccessReadOnly)
	return s, nil
}

func (m *Machine) makeStore(path string, bytes int64) (undo func(), err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.allowLocked("MakeStore"); err != nil {
		return nil, err
	}
	if d := m.media[path]; d != nil {
		if int64(d.sectors)*aoe.SectorSize != bytes {
			return nil, fmt.Errorf("%s: %w", path, syscall.EEXIST)
		}
		return func() {}, nil
	}
	m.mu.Unlock()
	m.AddMedium(path, int(bytes/aoe.SectorSize), false)
	m.mu.Lock()
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.media, path)
	}, nil
}

func (s *store) SizeBytes() int64 { return s.known.Load() * aoe.SectorSize }
func (s *store) ReadOnly() bool   { return s.asReadOnly.Load() }
func (s *store) Note() string     { return "" }
func (s *store) Key() string      { return s.path }

func (s *store) Device() (major, minor uint32) { return 7, uint32(len(s.path)) }

func (s *store) Refresh() (int64, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if err := s.m.allowLocked("Refresh"); err != nil {
		return 0, err
	}
	s.known.Store(int64(s.sectors))
	return s.SizeBytes(), nil
}

func (s *store) SetCache(c target.Cache) error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if err := s.m.allowLocked("SetCache"); err != nil {
		return err
	}
	s.cache = c
	return nil
}

func (s *store) SetWritable() error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	switch err := s.m.allowLocked("SetWritable"); {
	case err != nil:
		return err
	case s.readOnly:
		return fmt.Errorf("%s: %w", s.path, syscall.EROFS)
	}
	s.asReadOnly.Store(false)
	return nil
}

func (s *store) Flush() error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if f := s.m.whenFlushed; f != nil {
		s.m.whenFlushed = nil
		s.m.mu.Unlock()
		f()
		s.m.mu.Lock()
	}
	if err := s.m.allowLocked("Flush"); err != nil {
		return err
	}
	if s.logging {
		s.log = append(s.log, "flush")
	}
	return nil
}

func (s *store) Close() error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if !s.open {
		s.m.t.Errorf("%s closed twice", s.path)
	}
	s.open = false
	return nil
}
