package ata

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the R lines of testdata/*.txt with what the package answers")

// A conversation is a text file. `capacity N` and `bad LBA` describe the drive,
// `T` is what an initiator sends, `R` what it must get:
//
//	T flags feature count command lba0…lba5            bytes 24 to 33 of the frame
//	R what it decodes to -> error count status lba0…lba5 +data bytes
//
// The drive reads, writes and flushes nothing; it only has a capacity and
// sectors that fail.
type drive struct {
	capacity uint64
	bad      map[uint64]bool
}

func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no conversations in testdata: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { converse(t, file) })
	}
}

// converse plays one file and, with -update, rewrites it.
func converse(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d := drive{bad: map[uint64]bool{}}
	lines := strings.Split(string(text), "\n")
	expected, asked, said := "", 0, 0
	for i, line := range lines {
		keyword, rest, _ := strings.Cut(line, " ")
		switch keyword {
		case "T":
			if expected != "" {
				t.Errorf("%s:%d: T without an R before this line", file, asked)
			}
			expected, asked = d.answer(t, rest, fmt.Sprintf("%s:%d", file, i+1)), i+1
			said++
		case "R":
			if *update {
				lines[i] = "R " + expected
			} else if rest != expected {
				t.Errorf("%s:%d:\n got  R %s\n want R %s", file, i+1, expected, rest)
			}
			expected = ""
		case "capacity", "bad":
			d.set(t, keyword, rest)
		default:
			if line != "" && keyword[0] != '#' {
				t.Errorf("%s:%d: want T, R, capacity, bad or #, not %q", file, i+1, line)
			}
		}
	}
	if said == 0 || expected != "" {
		t.Errorf("%s: %d requests, and the last has no reply", file, said)
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// set applies a line that describes the drive.
func (d *drive) set(t *testing.T, keyword, value string) {
	n, err := strconv.ParseUint(value, 0, 64)
	if err != nil {
		t.Fatal(err)
	}
	if keyword == "bad" {
		d.bad[n] = true
		return
	}
	d.capacity = n
}

// answer is the R line to the T line.
func (d *drive) answer(t *testing.T, line, at string) string {
	line, _, _ = strings.Cut(line, "#")
	b, err := hex.DecodeString(strings.ReplaceAll(line, " ", ""))
	if err != nil || len(b) != 10 {
		t.Fatalf("%s: want 10 bytes in hex: %v", at, err)
	}
	r := Registers{Feature: b[1], Count: b[2], Command: b[3], LBA: [6]byte(b[4:])}
	q := Decode(r, b[0]&1 != 0)
	reply, ok := r.Answer(q, d.capacity)
	data := 0
	if !ok {
		reply, data = d.perform(r, q)
	}
	if q.Smart {
		data = SectorSize
	}
	return fmt.Sprintf("%s -> %02x %02x %02x % x +%d", q, reply.Feature, reply.Count, reply.Command, reply.LBA, data)
}

// perform is what the drive makes of a request that Answer left to it: the
// registers of the reply and the size of its data.
func (d *drive) perform(r Registers, q Request) (Registers, int) {
	for lba := q.LBA; lba < q.LBA+uint64(q.Sectors); lba++ {
		if d.bad[lba] && q.Action == Write {
			return r.Failed(ABRT, r.Count), 0
		} else if d.bad[lba] {
			return r.Failed(UNC, r.Count).WithLBA(lba, q.Extended), 0
		}
	}
	switch q.Action {
	case Read:
		return r.Done(), q.Sectors * SectorSize
	case Identify, SmartData:
		return r.Done(), SectorSize
	}
	return r.Done(), 0
}

// String is the decoded form in an R line: fields that are not zero.
func (q Request) String() string {
	s := q.Action.String()
	if q.Sectors != 0 {
		s += fmt.Sprintf(" lba=%d sectors=%d", q.LBA, q.Sectors)
	}
	if q.Blocks != 0 {
		s += fmt.Sprintf(" blocks=%d", q.Blocks)
	}
	if q.Action == SetWriteCache {
		s += fmt.Sprintf(" on=%v", q.WriteCache)
	}
	for _, f := range []struct {
		name string
		set  bool
	}{{"extended", q.Extended}, {"durable", q.Durable}, {"smart", q.Smart}} {
		if f.set {
			s += " " + f.name
		}
	}
	return s
}
