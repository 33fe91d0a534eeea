package aoe

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

var update = flag.Bool("update", false, "rewrite the D lines of testdata/*.txt with what the package decodes")

// A conversation is a text file of frames: `T` what an initiator transmits, `R`
// what it receives, each followed by `D`, what the frame decodes to. A frame is
// hex; `ed*16` stands for 16 such bytes; a line that begins with a space goes
// on with the frame above. Every frame is also encoded again from what was
// decoded: bytes that come out otherwise (reserved bits, an ignored version)
// are named at the end of its D line as "but offset:byte".
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
	lines := strings.Split(string(text), "\n")
	var frame []byte
	pending, seen := false, 0
	for i, line := range lines {
		at := fmt.Sprintf("%s:%d", file, i+1)
		switch {
		case strings.HasPrefix(line, "T"), strings.HasPrefix(line, "R"):
			if pending {
				t.Errorf("%s: the frame above has no D", at)
			}
			frame, pending = appendHex(t, nil, line[1:], at), true
			seen++
		case strings.HasPrefix(line, " "):
			frame = appendHex(t, frame, line, at)
		case strings.HasPrefix(line, "D"):
			got := describe(frame)
			if *update {
				lines[i] = "D " + got
			} else if line != "D "+got {
				t.Errorf("%s:\n got  D %s\n want %s", at, got, line)
			}
			pending = false
		case line != "" && line[0] != '#':
			t.Errorf("%s: want T, R, D, a space or #, not %q", at, line)
		}
	}
	if pending || seen == 0 {
		t.Errorf("%s: %d frames, and the last has no D", file, seen)
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// appendHex appends the bytes that line stands for.
func appendHex(t *testing.T, frame []byte, line, at string) []byte {
	for _, word := range strings.Fields(line) {
		digits, times, repeated := strings.Cut(word, "*")
		b, err := hex.DecodeString(digits)
		n := 1
		if repeated && err == nil {
			n, err = strconv.Atoi(times)
		}
		if err != nil {
			t.Fatalf("%s: %q: %v", at, word, err)
		}
		for range n {
			frame = append(frame, b...)
		}
	}
	return frame
}

// describe is the D line of a frame.
func describe(frame []byte) string {
	h, ok := DecodeHeader(frame)
	if !ok {
		return "no AoE frame"
	}
	s := fmt.Sprintf("%v > %v v%d", h.Src, h.Dst, h.Version)
	if h.Response {
		s += " response"
	}
	if h.Failed {
		s += fmt.Sprintf(" error %d (%v)", h.Error, h.Error)
	}
	s += fmt.Sprintf(" %v tag %08x ", h.Addr, h.Tag)
	again := make([]byte, len(frame))
	copy(again, frame)
	h.Put(again)
	switch h.Command {
	case CmdATA:
		s += describeATA(frame, again)
	case CmdConfig:
		s += describeConfig(frame, again)
	case CmdMaskList:
		s += describeMaskList(frame, again)
	case CmdReserve:
		s += describeReserve(frame, again)
	default:
		s += fmt.Sprintf("command %d", h.Command)
	}
	for i := range frame {
		if again[i] != frame[i] {
			s += fmt.Sprintf(" but %d:%02x", i, again[i])
		}
	}
	return s
}

func describeATA(frame, again []byte) string {
	a, data, ok := DecodeATA(frame)
	if !ok {
		return "ata, too short"
	}
	a.Put(again)
	return fmt.Sprintf("ata flags %02x feature %02x count %d command %02x lba % x, %d bytes", a.Flags, a.Feature, a.Count, a.Command, a.LBA, len(data))
}

func describeConfig(frame, again []byte) string {
	c, ok := DecodeConfig(frame)
	if !ok {
		return "config, too short"
	}
	s := fmt.Sprintf("config %d buffers %d firmware %04x sectors %d ", c.Command, c.Buffers, c.Firmware, c.Sectors)
	if !c.Valid() {
		return s + fmt.Sprintf("a string of %d bytes is not there", c.Length)
	}
	c.Put(again)
	if len(c.String) > 64 {
		return s + fmt.Sprintf("%q… of %d", c.String[:8], c.Length)
	}
	return s + fmt.Sprintf("%q", c.String)
}

func describeMaskList(frame, again []byte) string {
	m, ok := DecodeMaskList(frame)
	if !ok {
		return "mask list, too short"
	}
	s := fmt.Sprintf("mask list %d error %d count %d", m.Command, m.Error, m.Count)
	if !m.Valid() {
		return s + ", which are not there"
	}
	m.Put(again)
	for i := range int(m.Count) {
		d, mac := m.Directive(i)
		PutDirective(again, i, d, mac)
		s += fmt.Sprintf(", %d %v", d, mac)
	}
	return s
}

func describeReserve(frame, again []byte) string {
	r, ok := DecodeReserve(frame)
	if !ok {
		return "reserve, too short"
	}
	s := fmt.Sprintf("reserve %d count %d", r.Command, r.Count)
	if !r.Valid() {
		return s + ", which are not there"
	}
	r.Put(again)
	for i := range int(r.Count) {
		PutReserved(again, i, r.MAC(i))
		s += fmt.Sprintf(", %v", r.MAC(i))
	}
	return s
}
