package qaoed

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"vbladefs/compat/qaoed"
)

// said is a client that has said all that it ever will.
type said struct {
	net.Conn // its deadlines
	*bytes.Reader
}

func (s said) Read(b []byte) (int, error) { return s.Reader.Read(b) }

// FuzzReadRequest: of what a client says, a request is taken whole or not at all,
// nothing behind it is touched, and its length is bounded before anything is made
// of it.
func FuzzReadRequest(f *testing.F) {
	request := func(h qaoed.Header, argument string) []byte { return append(h.Append(nil), argument...) }
	f.Add(request(qaoed.Header{Command: qaoed.CmdStatus}, ""))
	f.Add(request(qaoed.Header{Command: qaoed.CmdTargetStatus, Length: 4}, "abcdefgh"))
	f.Add(request(qaoed.Header{Command: qaoed.CmdSetACLs, Length: qaoed.MaxArgument + 1}, "x"))
	f.Add(request(qaoed.Header{Command: 255, Length: 1 << 31}, ""))
	f.Add([]byte{1, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		near, far := net.Pipe()
		defer near.Close()
		defer far.Close()
		c := said{near, bytes.NewReader(b)}
		h, argument, err := readRequest(c)
		whole := len(b) >= qaoed.HeaderSize && h.Length <= qaoed.MaxArgument && len(b)-qaoed.HeaderSize >= int(h.Length)
		switch {
		case (err == nil) != whole:
			t.Fatalf("%d bytes, header %+v: %v", len(b), h, err)
		case err == nil && (!bytes.Equal(argument, b[qaoed.HeaderSize:][:h.Length]) || c.Len() != len(b)-qaoed.HeaderSize-int(h.Length)):
			t.Fatalf("%d bytes were taken as %+v with %d, and %d are left", len(b), h, len(argument), c.Len())
		}
	})
}

// FuzzOptions: any words end the program with a text, or leave a configuration to
// read.
func FuzzOptions(f *testing.F) {
	for _, line := range []string{"", "-f -c /x", "-fc/x", "-V", "-h", "-?", "-c", "--mount /x -f", "--mount", "--link=x", "-- -x", "a b"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		var stdout strings.Builder
		o, code, done := parseOptions(append([]string{"qaoed"}, strings.Fields(line)...), &stdout)
		if done == (stdout.Len() == 0) || !done && (code != exitOK || o.config == "") {
			t.Errorf("%q: %+v, exit code %d, done %v, %q", line, o, code, done, &stdout)
		}
	})
}
