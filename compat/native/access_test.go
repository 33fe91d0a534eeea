package native

import (
	"reflect"
	"strings"
	"testing"

	"vbladefs/target"
)

func TestParseAccess(t *testing.T) {
	parse := func(line string) (target.Operation, error) { return ParseAccess(addr, target.ReadData, line) }
	set := func(l target.AccessList) target.SetAccess {
		return target.SetAccess{Addr: addr, Point: target.ReadData, List: &l}
	}
	rows := []target.AccessRow{{Host: alice, Accept: true}, {Host: bob}}
	testParse(t, parse, []parseTest{
		{line: "set accept", want: set(target.AccessList{Accept: true})},
		{line: "set reject accept 0:1:2:3:4:ab reject 00:01:02:03:04:05", want: set(target.AccessList{Rows: rows})},
		{line: "set reject log name=lan # mine", want: set(target.AccessList{Log: true, Name: "lan"})},
		{line: `set reject name="my\x20list"`, want: set(target.AccessList{Name: "my list"})},
		{line: "set reject name=", want: set(target.AccessList{})},
		{line: "add accept 0:1:2:3:4:ab reject 00:01:02:03:04:05", want: target.AddAccess{Addr: addr, Point: target.ReadData, Rows: rows}},
		{line: "clear", want: target.SetAccess{Addr: addr, Point: target.ReadData}},
		{line: "# clear"},
		{line: "set", column: 4, reason: "want set POLICY"},
		{line: "set allow", column: 5, reason: `"allow": want accept or reject`},
		{line: "set accept reject", column: 12, reason: "without a host"},
		{line: "add accept x", column: 12, reason: "want six hex pairs"},
		{line: "add 0:1:2:3:4:5", column: 5, reason: "want accept or reject"},
		{line: `set accept name="x`, column: 17, reason: "must be a Go string"},
		{line: `set accept name="\n"`, column: 17, reason: "control character"},
		{line: "set accept name=" + strings.Repeat("x", 121), column: 17, reason: "121 bytes: want at most 120"},
		{line: "clear all", column: 7, reason: "one word too many"},
		{line: "del accept 0:1:2:3:4:5", column: 1, reason: "want set POLICY [ROW...] [name=NAME] [log], add ROW..., or clear"},
	})
}

// FuzzParseAccess: a list that was read is written as commands that make it again.
func FuzzParseAccess(f *testing.F) {
	for _, line := range []string{"set accept", "set reject accept 0:1:2:3:4:5 log name=a", `set accept name="\x00ü"`, "add reject 1:2:3:4:5:6", "clear", "#"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		op, err := ParseAccess(addr, target.WriteData, line)
		if op != nil && err != nil {
			t.Fatalf("%q: operation %+v and error %v", line, op, err)
		}
		set, ok := op.(target.SetAccess)
		if !ok || set.List == nil {
			return
		}
		var again *target.AccessList
		for text := range strings.Lines(string(ListAccess(set.List))) {
			op, err := ParseAccess(addr, target.WriteData, strings.TrimSuffix(text, "\n"))
			switch op := op.(type) {
			case target.SetAccess:
				again = op.List
			case target.AddAccess:
				again.Rows = append(again.Rows, op.Rows...)
			default:
				t.Fatalf("%q is written as %q: %+v, %v", line, text, op, err)
			}
		}
		if !reflect.DeepEqual(again, set.List) {
			t.Errorf("%q: %+v comes back as %+v", line, set.List, again)
		}
	})
}
