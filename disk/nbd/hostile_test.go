package nbd

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/disk"
)

// bare is a store without a server, and a connection of it whose replies come from r, with a read of 4096 bytes from byte 8192
// on and a write of 512 in flight. Their cookies are 256+255-… as enlist gives them.
func bare(r io.Reader, structured bool) (*conn, *owner, [][]byte) {
	s := &Store{}
	s.live.Store(new([]*conn))
	s.export.Store(&export{sizeBytes: 1 << 20, minBlock: 1, maxBlock: defaultMaxBlock, flags: flagHasFlags})
	s.sizeBytes.Store(1 << 20)
	c := &conn{store: s, fd: -1, export: *s.export.Load(), r: bufio.NewReaderSize(r, 4096), ended: make([]*call, 0, depth)}
	c.export.structured = structured
	c.still.L = &c.mu
	for i := range depth {
		c.free = append(c.free, uint16(depth-1-i))
	}
	o := &owner{woke: make(chan struct{}, 1), errs: map[uint64]error{}}
	o.q = NewQueue(func() {})
	data := [][]byte{bytes.Repeat([]byte{0xaa}, 4096), make([]byte, 512)}
	for i, op := range []disk.Op{disk.Read, disk.Write} {
		k := &call{queue: o.q, store: s, data: data[i], offset: 8192, length: int64(len(data[i])), op: op, token: uint64(i)}
		o.q.inFlight++
		c.enlist(k)
	}
	c.sent.Store(c.serial)
	c.out = list{}
	return c, o, data
}

const readCookie, writeCookie = 1 * depth, 2*depth + 1

func simpleReply(value uint32, cookie uint64, data ...byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, magicSimple)
	b = binary.BigEndian.AppendUint32(b, value)
	return append(binary.BigEndian.AppendUint64(b, cookie), data...)
}

func chunk(flags, kind uint16, cookie uint64, payload ...byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, magicStructured)
	b = binary.BigEndian.AppendUint16(b, flags)
	b = binary.BigEndian.AppendUint16(b, kind)
	b = binary.BigEndian.AppendUint64(b, cookie)
	return append(binary.BigEndian.AppendUint32(b, uint32(len(payload))), payload...)
}

func dataAt(offset uint64, n int) []byte {
	return append(binary.BigEndian.AppendUint64(nil, offset), bytes.Repeat([]byte{7}, n)...)
}

func holeAt(offset uint64, n uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, offset), n)
}

// TestReplies has a server say what it should not, and what it may: the connection ends, or the request has its result.
func TestReplies(t *testing.T) {
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	failed := []byte{0, 0, 0, 5, 0, 2, 'n', 'o'}
	for name, c := range map[string]struct {
		structured bool
		reply      []byte
		broken     bool  // by a violation
		done       int   // requests that have ended
		err        error // of the first of them
	}{
		"write":                   {false, simpleReply(0, writeCookie), false, 1, nil},
		"failed read":             {false, simpleReply(5, readCookie), false, 1, unix.EIO},
		"unknown error":           {false, simpleReply(11, readCookie), false, 1, unix.EIO},
		"short data":              {false, simpleReply(0, readCookie, 1, 2, 3), false, 0, nil},
		"twice":                   {false, join(simpleReply(0, writeCookie), simpleReply(0, writeCookie)), true, 1, nil},
		"stale cookie":            {false, simpleReply(0, writeCookie+depth), true, 0, nil},
		"no cookie":               {false, simpleReply(0, 1<<63), true, 0, nil},
		"no magic":                {false, bytes.Repeat([]byte{1}, 16), true, 0, nil},
		"structured unasked":      {false, chunk(1, chunkNone, writeCookie), true, 0, nil},
		"simple for a read":       {true, simpleReply(0, readCookie), true, 0, nil},
		"one chunk":               {true, chunk(1, chunkOffsetData, readCookie, dataAt(8192, 4096)...), false, 1, nil},
		"two chunks":              {true, join(chunk(0, chunkOffsetData, readCookie, dataAt(8192+1024, 3072)...), chunk(1, chunkOffsetHole, readCookie, holeAt(8192, 1024)...)), false, 1, nil},
		"a gap":                   {true, chunk(1, chunkOffsetData, readCookie, dataAt(8192, 1024)...), false, 1, unix.EIO},
		"too much":                {true, join(chunk(0, chunkOffsetData, readCookie, dataAt(8192, 4096)...), chunk(1, chunkOffsetHole, readCookie, holeAt(8192, 1)...)), true, 0, nil},
		"before":                  {true, chunk(1, chunkOffsetData, readCookie, dataAt(8191, 4096)...), true, 0, nil},
		"behind":                  {true, chunk(1, chunkOffsetData, readCookie, dataAt(8193, 4096)...), true, 0, nil},
		"far away":                {true, chunk(1, chunkOffsetData, readCookie, dataAt(1<<63+8192, 4096)...), true, 0, nil},
		"data for a write":        {true, chunk(1, chunkOffsetData, writeCookie, dataAt(8192, 512)...), true, 0, nil},
		"hole of 4 GiB":           {true, chunk(1, chunkOffsetHole, readCookie, holeAt(8192, 1<<32-1)...), true, 0, nil},
		"hole of nothing":         {true, chunk(1, chunkOffsetHole, readCookie, holeAt(8192, 0)...), true, 0, nil},
		"error":                   {true, chunk(1, chunkErrorBit|1, readCookie, failed...), false, 1, unix.EIO},
		"error, then done":        {true, join(chunk(0, chunkErrorBit|2, readCookie, append(failed, 0, 0, 0, 0, 0, 0, 0, 0)...), chunk(1, chunkNone, readCookie)), false, 1, unix.EIO},
		"error that is none":      {true, chunk(1, chunkErrorBit|1, readCookie, 0, 0, 0, 0, 0, 0), true, 0, nil},
		"error with a long text":  {true, chunk(1, chunkErrorBit|1, readCookie, 0, 0, 0, 5, 0, 9, 'n'), true, 0, nil},
		"error without an end":    {true, chunk(1, chunkErrorBit|1, readCookie, make([]byte, maxErrorChunk+1)...), true, 0, nil},
		"none that is not last":   {true, chunk(0, chunkNone, writeCookie), true, 0, nil},
		"unknown chunk":           {true, chunk(1, 77, writeCookie), true, 0, nil},
		"done without any data":   {true, chunk(1, chunkNone, readCookie), false, 1, unix.EIO},
		"the server shuts down":   {true, simpleReply(108, writeCookie), false, 0, nil},
		"shuts down, and replies": {false, join(simpleReply(108, writeCookie), simpleReply(0, readCookie, make([]byte, 4096)...)), false, 1, nil},
		"shuts down, both":        {true, join(chunk(1, chunkErrorBit|1, readCookie, 0, 0, 0, 108, 0, 0), simpleReply(108, writeCookie), simpleReply(0, 1<<63)), false, 0, nil},
		"shuts down, twice":       {false, join(simpleReply(108, writeCookie), simpleReply(108, writeCookie)), true, 0, nil},
		"nothing but a few bytes": {true, []byte{0x67}, false, 0, nil},
	} {
		conn, o, data := bare(bytes.NewReader(c.reply), c.structured)
		err := conn.receive()
		conn.deliver()
		var tokens [4]uint64
		var errs [4]error
		n := o.q.Reap(tokens[:], errs[:])
		if end := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || err == errShutdown; end == c.broken || n != c.done || errs[0] != c.err {
			t.Errorf("%s: %v, %d requests have ended, the first with %v; want broken %t, %d, %v", name, err, n, errs[0], c.broken, c.done, c.err)
		}
		if name == "a gap" && (data[0][0] != 7 || data[0][4095] != 0) {
			t.Errorf("%s: what the memory held before is in the data", name)
		}
	}
}

// TestEarlyReply answers a write before it is sent: its data must stay until then.
func TestEarlyReply(t *testing.T) {
	conn, o, _ := bare(bytes.NewReader(simpleReply(0, writeCookie)), false)
	conn.sent.Store(1) // the read only
	if err := conn.receive(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("an early reply: %v", err)
	}
	if n := o.q.Reap(make([]uint64, 4), make([]error, 4)); n != 0 {
		t.Errorf("%d requests have ended", n)
	}
}

// FuzzReplies reads what a server may send. Whatever it is, each request ends once at most, and nothing else is touched.
func FuzzReplies(f *testing.F) {
	f.Add(simpleReply(0, writeCookie), false)
	f.Add(simpleReply(0, readCookie, make([]byte, 4096)...), false)
	f.Add(chunk(1, chunkOffsetData, readCookie, dataAt(8192, 4096)...), true)
	f.Add(append(chunk(0, chunkOffsetData, readCookie, dataAt(8192+1024, 3072)...), chunk(1, chunkOffsetHole, readCookie, holeAt(8192, 1024)...)...), true)
	f.Add(chunk(1, chunkErrorBit|1, writeCookie, 0, 0, 0, 5, 0, 2, 'n', 'o'), true)
	f.Fuzz(func(t *testing.T, reply []byte, structured bool) {
		conn, o, data := bare(bytes.NewReader(reply), structured)
		if err := conn.receive(); err == nil {
			t.Error("the end of the replies is no error")
		}
		conn.deliver()
		n := o.q.Reap(make([]uint64, 4), make([]error, 4))
		if left := depth - len(conn.free); n > 2 || n+left != 2 {
			t.Errorf("%d of 2 requests have ended, and %d are in flight", n, left)
		}
		if !bytes.Equal(data[1], make([]byte, 512)) {
			t.Error("the data of a write has changed")
		}
	})
}

// FuzzHandshake negotiates with a server that says anything: an export that can be used comes of it, or an error.
func FuzzHandshake(f *testing.F) {
	greeting := binary.BigEndian.AppendUint64(nil, magicServer)
	greeting = binary.BigEndian.AppendUint64(greeting, magicOption)
	greeting = append(greeting, 0, flagFixedNewstyle|flagNoZeroes)
	option := func(number, kind uint32, data ...byte) []byte {
		b := binary.BigEndian.AppendUint64(nil, magicOptionReply)
		b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, number), kind)
		return append(binary.BigEndian.AppendUint32(b, uint32(len(data))), data...)
	}
	size := []byte{0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 1}
	f.Add(bytes.Join([][]byte{greeting, option(8, repAck), option(7, repInfo, size...), option(7, repAck)}, nil))
	f.Add(bytes.Join([][]byte{greeting, option(8, repErrUnsup), option(7, repErrUnsup), size[2:]}, nil))
	f.Add(bytes.Join([][]byte{greeting, option(8, repAck), option(7, repErrUnknown)}, nil))
	f.Add(bytes.Join([][]byte{greeting, option(8, repAck), option(7, repInfo, 0, 3, 0, 0, 2, 0, 0, 0, 16, 0, 0, 1, 0, 0), option(7, repInfo, size...), option(7, repAck)}, nil))
	f.Fuzz(func(t *testing.T, said []byte) {
		h := &handshake{net: &script{r: bytes.NewReader(said)}, addr: &Address{export: "x"},
			tls: func() (*tls.Config, error) { return &tls.Config{ServerName: "x"}, nil }}
		if err := h.run(); err == nil {
			e := h.e
			if e.sizeBytes < 512 || e.minBlock < 1 || e.minBlock&(e.minBlock-1) != 0 || e.maxBlock < 512 || e.maxBlock%e.minBlock != 0 || e.maxBlock > defaultMaxBlock {
				t.Errorf("an export that cannot be used: %+v", e)
			}
		}
	})
}

// script is a connection to a server that says what it will say, whatever it is asked.
type script struct {
	net.Conn
	r io.Reader
}

func (s *script) Read(b []byte) (int, error)  { return s.r.Read(b) }
func (s *script) Write(b []byte) (int, error) { return len(b), nil }
func (s *script) Close() error                { return nil }
func (s *script) SetDeadline(time.Time) error { return nil }

// TestOldHandshakes negotiates with servers that lack what newer ones have.
func TestOldHandshakes(t *testing.T) {
	greeting := binary.BigEndian.AppendUint64(nil, magicServer)
	old := binary.BigEndian.AppendUint64(bytes.Clone(greeting), magicOldstyle)
	greeting = append(binary.BigEndian.AppendUint64(greeting, magicOption), 0, flagFixedNewstyle)
	no := func(number byte) []byte {
		b := binary.BigEndian.AppendUint64(nil, magicOptionReply)
		return append(b, 0, 0, 0, number, 0x80, 0, 0, 1, 0, 0, 0, 0)
	}
	byName := bytes.Join([][]byte{greeting, no(8), no(7), {0, 0, 0, 0, 0, 0, 16, 0, 0, 1 | flagFlush}, make([]byte, 124)}, nil)
	h := &handshake{net: &script{r: bytes.NewReader(byName)}, addr: &Address{}}
	if err := h.run(); err != nil || h.e.sizeBytes != 4096 || !h.e.has(flagFlush) || h.e.structured {
		t.Errorf("NBD_OPT_EXPORT_NAME: %+v, %v", h.e, err)
	}
	for name, said := range map[string][]byte{"old style": append(old, make([]byte, 200)...), "not fixed": append(bytes.Clone(greeting[:17]), 0), "HTTP": []byte("HTTP/1.0 400 Bad Request\r\n"), "nothing": nil} {
		h := &handshake{net: &script{r: bytes.NewReader(said)}, addr: &Address{}}
		if err := h.run(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// FuzzURI reads URIs: an error, or an address whose key is stable.
func FuzzURI(f *testing.F) {
	for _, uri := range []string{"nbd://host/x", "nbds://[::1]:99/a%20b?tls-verify-peer=0", "nbd+unix:///x?socket=/run/s", "nbd+unix:///?socket=s", "nbd://"} {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		a, err := ParseURI(uri)
		if (err == nil) != (a != nil) {
			t.Fatalf("%q: %v and %v", uri, a, err)
		}
		if err != nil {
			if !errors.Is(err, unix.EINVAL) {
				t.Errorf("%q: %v", uri, err)
			}
			return
		}
		if key, err := Identify(uri); err != nil || key != a.Key() || a.server == "" || a.network == "" {
			t.Errorf("%q: key %q, %v; %+v", uri, key, err, a)
		}
	})
}
