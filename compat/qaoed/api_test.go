package qaoed

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"strings"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

var (
	someTarget = Target{Path: "/dev/loop0", Shelf: 0x1234, Slot: 0x56, Interface: "eth0", Writecache: Unset, Broadcast: On}
	someMAC    = aoe.MAC{0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}
)

// numbers in the order of this machine.
func u16(n uint16) string { return string(binary.NativeEndian.AppendUint16(nil, n)) }
func u32(n uint32) string { return string(binary.NativeEndian.AppendUint32(nil, n)) }

// at puts texts at offsets of size bytes.
func at(size int, texts map[int]string) []byte {
	b := make([]byte, size)
	for offset, text := range texts {
		copy(b[offset:], text)
	}
	return b
}

// TestStructures holds each structure against the sheet's table of offsets, both
// ways.
func TestStructures(t *testing.T) {
	wantTarget := map[int]string{0: "/dev/loop0", 120: u16(0x1234), 122: "\x56", 123: "eth0", 144: u32(0xffffffff), 148: u32(1)}
	detail := Detail{Target: someTarget, Log: "default", Level: 3, Config: []byte("text")}
	detail.Lists = [target.AccessPoints]string{target.WriteData: "w", target.ReadData: "r", target.StoreConfig: "s", target.ReadConfig: "c"}
	wantDetail := map[int]string{152: "w", 172: "r", 192: "s", 212: "c", 232: "default", 252: u32(3), 256: u32(4), 260: "text"}
	for offset, text := range wantTarget {
		wantDetail[offset] = text
	}
	row := target.AccessRow{Host: someMAC, Accept: true}
	h := Header{7, 1, 2, 3, 0x01020304}
	for _, c := range []struct {
		name      string
		got, want []byte
		is        any
		decode    func([]byte) (any, error)
	}{
		{"header", h.Append(nil), at(8, map[int]string{0: "\x07\x01\x02\x03", 4: u32(0x01020304)}), h,
			func(b []byte) (any, error) { return DecodeHeader(b), nil }},
		{"status", Status{1, 2, 5}.Append(nil), []byte(u32(1) + u32(2) + u32(5)), Status{1, 2, 5}, decoder(DecodeStatus)},
		{"interface command", InterfaceCommand{"eth0", -1}.Append(nil), at(24, map[int]string{0: "eth0", 20: u32(0xffffffff)}),
			InterfaceCommand{"eth0", -1}, decoder(DecodeInterfaceCommand)},
		{"interface info", InterfaceInfo{"eth0", someMAC, 1500}.Append(nil),
			at(32, map[int]string{0: "eth0", 20: string(someMAC[:]), 28: u32(1500)}), InterfaceInfo{"eth0", someMAC, 1500}, decoder(DecodeInterfaceInfo)},
		{"target info", someTarget.Append(nil), at(152, wantTarget), someTarget, decoder(DecodeTarget)},
		{"target detail", detail.Append(nil), at(1284, wantDetail), detail, decoder(DecodeDetail)},
		{"ACL info", ListInfo{"few", 3, false}.Append(nil), at(128, map[int]string{0: "few", 120: u32(3), 124: u32(2)}),
			ListInfo{"few", 3, false}, decoder(DecodeListInfo)},
		{"ACL entry", AppendRow(nil, row), append([]byte{1}, someMAC[:]...), row, decoder(DecodeRow)},
	} {
		if !bytes.Equal(c.got, c.want) {
			t.Errorf("%s:\n% x, want\n% x", c.name, c.got, c.want)
		}
		if is, err := c.decode(c.want); err != nil || !reflect.DeepEqual(is, c.is) {
			t.Errorf("%s: decoded %+v, %v, want %+v", c.name, is, err, c.is)
		}
		if c.name == "header" {
			continue
		}
		for _, wrong := range [][]byte{nil, c.want[1:], append(bytes.Clone(c.want), 0)} {
			if _, err := c.decode(wrong); !errors.Is(err, target.ErrMalformed) {
				t.Errorf("%s of %d bytes: %v", c.name, len(wrong), err)
			}
		}
	}
}

func decoder[T any](decode func([]byte) (T, error)) func([]byte) (any, error) {
	return func(b []byte) (any, error) { return decode(b) }
}

// TestTexts: those without an end are refused, those too long are cut, and what
// clients leave behind the end means nothing.
func TestTexts(t *testing.T) {
	if _, err := DecodeInterfaceCommand(bytes.Repeat([]byte("x"), 24)); err == nil {
		t.Error("a name without an end was taken")
	}
	c, err := DecodeInterfaceCommand(at(24, map[int]string{0: "eth0\x00rubbish"}))
	if err != nil || c.Name != "eth0" {
		t.Errorf("a name with rubbish behind it: %q, %v", c.Name, err)
	}
	long := Target{Path: "/" + strings.Repeat("d", 200)}
	cut, err := DecodeTarget(long.Append(nil))
	if err != nil || cut.Path != long.Path[:119] {
		t.Errorf("a long path: %q, %v", cut.Path, err)
	}
	d := at(detailSize, map[int]string{256: u32(1025)})
	if _, err := DecodeDetail(d); err == nil {
		t.Error("a config string of 1025 bytes was taken")
	}
}

// machinery is what a fake daemon has been asked to do.
type machinery struct{ asked []any }

var errFake = errors.New("refused")

// refusing makes the fake fail: what it is asked about this interface or shelf.
const (
	refusedNetif = "bad0"
	refusedShelf = 666
)

func (m *machinery) Status() Status              { return Status{1, 2, 5} }
func (m *machinery) Interfaces() []InterfaceInfo { return []InterfaceInfo{{"eth0", someMAC, 1500}} }
func (m *machinery) Targets() []Target           { return []Target{someTarget} }
func (m *machinery) Lists() []ListInfo           { return []ListInfo{{"few", 0, true}, {"none", 1, false}} }

func (m *machinery) SetMTU(netif string, mtu int32) (int32, error) {
	m.asked = append(m.asked, netif, mtu)
	if netif == refusedNetif {
		return 1234, errFake
	}
	return mtu, nil
}

func (m *machinery) do(t Target) error {
	m.asked = append(m.asked, t)
	if t.Shelf == refusedShelf {
		return errFake
	}
	return nil
}

func (m *machinery) Target(t Target) (Detail, error)    { return Detail{Target: t}, m.do(t) }
func (m *machinery) AddTarget(t Target) (Target, error) { return t, m.do(t) }
func (m *machinery) RemoveTarget(t Target) error        { return m.do(t) }
func (m *machinery) SetACLs(d Detail) error             { return m.do(d.Target) }

// TestAnswer: every request has a reply, with its pad byte and the right length.
func TestAnswer(t *testing.T) {
	bad := someTarget
	bad.Shelf = refusedShelf
	for _, c := range []struct {
		command  Command
		argument []byte
		code     Code
		payload  []byte
	}{
		{CmdStatus, nil, CodeOK, Status{1, 2, 5}.Append(nil)},
		{CmdStatus, []byte("ignored"), CodeOK, Status{1, 2, 5}.Append(nil)},
		{CmdInterfaceList, nil, CodeOK, InterfaceInfo{"eth0", someMAC, 1500}.Append(nil)},
		{CmdInterfaceStatus, InterfaceCommand{"eth0", 0}.Append(nil), CodeOK, InterfaceInfo{"eth0", someMAC, 1500}.Append(nil)},
		{CmdInterfaceStatus, InterfaceCommand{"eth1", 0}.Append(nil), CodeFailure, make([]byte, 32)},
		{CmdInterfaceStatus, nil, CodeFailure, nil},
		{CmdSetMTU, InterfaceCommand{"eth0", -1}.Append(nil), CodeOK, InterfaceCommand{"eth0", -1}.Append(nil)},
		{CmdSetMTU, InterfaceCommand{refusedNetif, 9}.Append(nil), CodeFailure, InterfaceCommand{refusedNetif, 1234}.Append(nil)},
		{CmdTargetList, nil, CodeOK, someTarget.Append(nil)},
		{CmdTargetStatus, someTarget.Append(nil), CodeOK, Detail{Target: someTarget}.Append(nil)},
		{CmdTargetStatus, bad.Append(nil), CodeFailure, nil},
		{CmdTargetAdd, someTarget.Append(nil), CodeOK, someTarget.Append(nil)},
		{CmdTargetAdd, bad.Append(nil), CodeFailure, bad.Append(nil)},
		{CmdTargetAdd, Target{Broadcast: 2}.Append(nil), CodeFailure, nil},
		{CmdTargetDelete, someTarget.Append(nil), CodeOK, nil},
		{CmdTargetDelete, Target{Broadcast: 2}.Append(nil), CodeOK, nil},
		{CmdTargetDelete, bad.Append(nil), CodeFailure, nil},
		{CmdSetACLs, Detail{Target: someTarget}.Append(nil), CodeOK, Detail{Target: someTarget}.Append(nil)},
		{CmdSetACLs, Detail{Target: bad}.Append(nil), CodeFailure, Detail{Target: bad}.Append(nil)},
		{CmdACLList, nil, CodeOK, ListInfo{"none", 1, false}.Append(ListInfo{"few", 0, true}.Append(nil))},
		{3, nil, CodeFailure, nil}, {4, nil, CodeFailure, nil}, {10, nil, CodeFailure, nil},
		{13, nil, CodeFailure, nil}, {19, nil, CodeFailure, nil}, {20, nil, CodeUnknown, nil}, {255, nil, CodeUnknown, nil},
	} {
		reply, err := Answer(Header{Command: c.command, Pad: 9, Length: uint32(len(c.argument))}, c.argument, &machinery{})
		want := append(Header{c.command, 1, c.code, 9, uint32(len(c.payload))}.Append(nil), c.payload...)
		if !bytes.Equal(reply, want) || (err != nil) != (c.code != CodeOK) {
			t.Errorf("command %d, %d bytes: %v\n% x, want\n% x", c.command, len(c.argument), err, reply, want)
		}
	}
}

// FuzzAnswer: any bytes have one whole reply, and a structure that was read is
// written as it was, but for what stands behind its texts.
func FuzzAnswer(f *testing.F) {
	for command := range lastCommand + 2 {
		f.Add(uint8(command), []byte(nil))
	}
	f.Add(uint8(2), InterfaceCommand{"eth0", 1}.Append(nil))
	f.Add(uint8(8), someTarget.Append(nil))
	f.Add(uint8(11), Detail{Target: someTarget, Config: []byte("x")}.Append(nil))
	f.Fuzz(func(t *testing.T, command uint8, argument []byte) {
		if len(argument) > MaxArgument {
			return
		}
		reply, err := Answer(Header{Command: Command(command), Length: uint32(len(argument))}, argument, &machinery{})
		if len(reply) < HeaderSize {
			t.Fatalf("a reply of %d bytes", len(reply))
		}
		h := DecodeHeader(reply)
		if h.Command != Command(command) || h.Type != isReply || int(h.Length) != len(reply)-HeaderSize || (h.Error == CodeOK) != (err == nil) {
			t.Errorf("header %+v, %d bytes, %v", h, len(reply), err)
		}
		unchanged(t, argument, DecodeTarget)
		unchanged(t, argument, DecodeDetail)
		unchanged(t, argument, DecodeInterfaceCommand)
		unchanged(t, argument, DecodeInterfaceInfo)
		unchanged(t, argument, DecodeListInfo)
		unchanged(t, argument, DecodeStatus)
	})
}

func unchanged[T interface{ Append([]byte) []byte }](t *testing.T, b []byte, decode func([]byte) (T, error)) {
	one, err := decode(b)
	if err != nil {
		return
	}
	two, err := decode(one.Append(nil))
	if err != nil || !reflect.DeepEqual(one, two) {
		t.Errorf("%+v came back as %+v, %v", one, two, err)
	}
}
