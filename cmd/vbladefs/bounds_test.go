package main_test

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe"
)

// TestReadOnlyStaysAsItIs: no ATA command, whatever its flags and address, changes
// the file of a read-only export, neither its content nor its time.
func TestReadOnlyStaysAsItIs(t *testing.T) {
	t.Parallel()
	for _, mtu := range []int{1500, 9000} {
		here, there := netiotest.Pair(t, mtu)
		d := serve(t, here)
		probe, _ := image(t, 64<<10)
		d.echo("add "+probe+" 0 9 eth0", "aoeserver")
		w := newRaw(t, here, there, aoe.Addr{Slot: 9})
		var exports []aoe.Addr
		var check []func()
		slot := uint8(0)
		for _, cache := range []string{"direct", "writeback", "durable"} {
			for _, from := range []string{"the start", "later on"} {
				path, content := image(t, 64<<10)
				past := time.Now().Add(-time.Hour)
				if err := os.Chtimes(path, past, past); err != nil {
					t.Fatal(err)
				}
				before := statOf(t, path)
				name, rw := fmt.Sprintf("d%d", slot), " ro"
				if from != "the start" {
					rw = ""
				}
				d.echo("add "+name+" "+path+rw+" "+cache, "vblade/drives")
				d.echo(fmt.Sprintf("add eth0 0 %d", slot), "vblade/"+name+"/ports")
				if rw == "" {
					d.echo("1", "vblade/"+name+"/readonly")
				}
				exports = append(exports, aoe.Addr{Slot: slot})
				check = append(check, func() {
					checkFile(t, path, content)
					if after := statOf(t, path); !after.ModTime().Equal(before.ModTime()) || after.Size() != before.Size() {
						t.Errorf("MTU %d, cache %s, read-only from %s: of %v, %d bytes; it was of %v, %d bytes", mtu, cache, from,
							after.ModTime(), after.Size(), before.ModTime(), before.Size())
					}
				})
				slot++
			}
		}
		frames := everyATA(w, exports)
		for _, c := range check {
			c()
		}
		t.Logf("MTU %d: %d frames", mtu, frames)
	}
}

func statOf(t *testing.T, path string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// everyATA sends all ATA commands with all flags and data to exports, which must
// answer each, and refuse those that write.
func everyATA(w *raw, exports []aoe.Addr) (sent int) {
	w.t.Helper()
	data := bytes.Repeat(trimRange(0, 8), 128)
	for _, addr := range exports {
		for c := range 256 {
			var batch [][]byte
			feature := uint8(0x02)
			if c == trimCommand {
				feature = trimFeature
			}
			for _, flags := range []uint8{0, aoe.ATAWrite, aoe.ATAExtended, aoe.ATAWrite | aoe.ATAExtended, 0xff} {
				for _, lba := range [][6]byte{lba28(5), lba48(5), lba48(0xc24f00)} {
					for _, count := range []uint8{1, 2} {
						a := aoe.ATA{Flags: flags, Feature: feature, Count: count, Command: uint8(c), LBA: lba}
						batch = append(batch, w.ata(w.mac, addr, a, data))
					}
				}
			}
			replies := w.exchange(batch, len(batch))
			sent += len(batch)
			for _, frame := range batch {
				h, _ := aoe.DecodeHeader(frame)
				if len(replies[h.Tag]) != 1 {
					w.t.Fatalf("ATA command %#02x of %v: %d replies", c, addr, len(replies[h.Tag]))
				}
				a, _, _ := aoe.DecodeATA(replies[h.Tag][0])
				if (servedATA[uint8(c)].kind == kindWrite || c == trimCommand) && a.Command != 0x41 {
					w.t.Errorf("%v says that it has written: ATA command %#02x, status %#02x", addr, c, a.Command)
				}
			}
		}
	}
	return sent
}

// The part of the file that is exported in TestNothingOutside, in sectors, and how
// many a request may have on its interface.
const (
	partFirst, partSectors, fileSectors = 96, 257, 500
	partMost                            = 16
)

// TestNothingOutside: whatever address and count a command names, in 28 or in 48
// bits, no byte outside the exported part of the file is read or written, and in it
// only what the command names.
func TestNothingOutside(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 9000)
	d := serve(t, here)
	for _, cache := range []string{"writeback", "direct"} {
		path, file := image(t, fileSectors*512)
		before := bytes.Clone(file)
		d.echo(fmt.Sprintf("add %s %s %s offset=%d length=%d", cache, path, cache, partFirst, partSectors), "vblade/drives")
		d.echo("add eth0 0 1", "vblade/"+cache+"/ports")
		probe, _ := image(t, 64<<10)
		d.echo("add "+probe+" 0 9 eth0", "aoeserver")
		s := &sweep{raw: newRaw(t, here, there, aoe.Addr{Slot: 9}), part: file[partFirst*512:][:partSectors*512]}
		for _, lba := range sweepAddresses() {
			for _, count := range []int{0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 128, 255} {
				for _, command := range []uint8{0x20, 0x30, 0x24, 0x34, 0x3d, 0x40, 0x42, 0xc8, 0xca} {
					s.try(command, lba, count)
				}
			}
			if t.Failed() {
				t.FailNow()
			}
		}
		checkFile(t, path, file)
		if !bytes.Equal(file[:partFirst*512], before[:partFirst*512]) || !bytes.Equal(file[(partFirst+partSectors)*512:], before[(partFirst+partSectors)*512:]) {
			t.Error("the test itself has changed what it guards")
		}
		t.Logf("cache %s: %d commands, %d of them done", cache, s.commands, s.done)
		if s.done == 0 || s.done == s.commands {
			t.Error("no end was found")
		}
		d.echo("del eth0 0 1", "vblade/"+cache+"/ports")
		d.echo("del whatever 0 9 eth0", "aoeserver")
	}
}

// sweepAddresses are those around both ends of the part and of the file, and around
// every power of two, also such that the beginning of the part, added to them,
// leads back into the file when something overflows.
func sweepAddresses() (all []uint64) {
	seen := map[uint64]bool{}
	add := func(around uint64) {
		for d := range uint64(5) {
			for _, lba := range []uint64{around + d, around - d} {
				if lba &= 1<<48 - 1; !seen[lba] {
					seen[lba] = true
					all = append(all, lba)
				}
			}
		}
	}
	for _, a := range []uint64{0, partMost, partSectors - 255, partSectors - partMost, partSectors, fileSectors - partFirst, fileSectors} {
		add(a)
	}
	for bit := 23; bit <= 48; bit++ {
		add(1 << bit)
		add(1<<bit - partFirst)
		add(1<<bit + partSectors)
	}
	return all
}

// sweep is a part of a file, as it must be.
type sweep struct {
	*raw
	part           []byte
	commands, done int
}

// try sends one command and checks its answer; a write that is in range changes
// the part.
func (s *sweep) try(command uint8, lba uint64, count int) {
	s.t.Helper()
	short := map[uint8]bool{0x20: true, 0x30: true, 0x40: true, 0xc8: true, 0xca: true}[command]
	a := aoe.ATA{Flags: aoe.ATAExtended, Count: uint8(count), Command: command, LBA: lba48(lba)}
	if short {
		a.Flags, a.LBA, lba = 0, lba28(lba), lba&0xfffffff
	}
	writes, verifies := command&0xf0 == 0x30 || command == 0xca, command&0xf0 == 0x40
	sectors := uint64(count)
	if count == 0 {
		sectors = map[bool]uint64{true: 256, false: 65536}[short]
	}
	inside := lba < partSectors && lba+sectors <= partSectors
	want := [2]uint8{0x40, 0}
	switch {
	case count == 0 && !verifies:
		want = [2]uint8{0x41, abrt}
	case !inside:
		want = [2]uint8{0x41, 0x10} // IDNF
	case !verifies && count > partMost:
		want = [2]uint8{0x41, abrt}
	}
	var data []byte
	if writes {
		a.Flags |= aoe.ATAWrite
		data = random(min(count, partMost) * 512)
	}
	frame := s.raw.ata(s.mac, gated, a, data)
	tag := s.tag
	s.commands++
	replies := s.exchange([][]byte{frame}, 1)[tag]
	if len(replies) != 1 {
		s.t.Fatalf("command %#02x at %d, count %d: %d replies", command, lba, count, len(replies))
	}
	r, got, _ := aoe.DecodeATA(replies[0])
	if r.Command != want[0] || r.Feature != want[1] {
		s.t.Errorf("command %#02x at %d, count %d: status %#02x, error %#02x, want %#02x, %#02x", command, lba, count, r.Command, r.Feature, want[0], want[1])
	}
	switch {
	case want[0] != 0x40 || verifies:
		if len(replies[0]) != aoe.MinFrame || len(bytes.Trim(got, "\x00")) > 0 {
			s.t.Errorf("command %#02x at %d, count %d brings data: %d bytes", command, lba, count, len(got))
		}
	case writes:
		copy(s.part[lba*512:], data)
		s.done++
	default:
		checkBytes(s.t, fmt.Sprintf("command %#02x at %d, count %d", command, lba, count), got, s.part[lba*512:(lba+sectors)*512])
		s.done++
	}
}
