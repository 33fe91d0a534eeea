package target_test

import (
	"encoding/binary"
	"flag"
	"math/rand/v2"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

var frameBytes = flag.Int("frames.bytes", 100e6, "bytes of TestRandomFrames")

// victim is a target for hostile frames: three addresses on eth0, one of them
// read-only, on disks of 100 sectors with guards around.
type victim struct {
	machine *targettest.Machine
	target  *target.Target
	worker  *target.Borrowed
	own     map[aoe.Addr]bool
}

func newVictim(t testing.TB) *victim {
	rig := newRigOf(t, 1)
	v := &victim{machine: rig.Machine(), target: rig.Target(), own: map[aoe.Addr]bool{}}
	rig.Interface("eth0", 4200)
	for i, name := range []string{"a", "b", "r"} {
		addr := aoe.Addr{Shelf: 1, Slot: uint8(i)}
		must(t, v.target.Do(target.AddDrive{Name: name, Path: rig.Disk(name, 100, name == "r")}))
		must(t, v.target.Do(target.AddPort{Drive: name, Addr: addr, Interface: "eth0"}))
		v.own[addr] = true
	}
	v.machine.Quiesce()
	v.machine.Sent("eth0")
	v.worker = target.Borrow(v.target, "eth0")
	t.Cleanup(v.worker.Return)
	return v
}

// ask has a frame served and holds the replies to what every reply must be.
func (v *victim) ask(t *testing.T, frame []byte) (replies [][]byte) {
	t.Helper()
	v.machine.Inject("eth0", frame)
	for v.worker.Turn() {
	}
	for _, r := range v.machine.Sent("eth0") {
		if h, _ := aoe.DecodeHeader(r); h.Dst != aoe.Broadcast || h.Tag != 0 { // an announcement is repeated
			replies = append(replies, r)
		}
	}
	asked, ok := aoe.DecodeHeader(frame)
	if len(replies) > 0 && (!ok || asked.Response || asked.Src.Group()) {
		t.Fatalf("an answer to % x", frame)
	}
	seen := map[aoe.Addr]bool{}
	for _, r := range replies {
		h, ok := aoe.DecodeHeader(r)
		if !ok || !h.Response || h.Version != aoe.Version || r[14]&3 != 0 || h.Dst != asked.Src || h.Src != targettest.MAC("eth0") ||
			h.Tag != asked.Tag || h.Command != asked.Command || h.Failed != (h.Error != 0) {
			t.Fatalf("% x\nis no answer to\n% x", r, frame)
		}
		if !v.own[h.Addr] || !asked.Addr.Matches(h.Addr) || seen[h.Addr] {
			t.Fatalf("%v answers, or answers twice, what asks %v", h.Addr, asked.Addr)
		}
		seen[h.Addr] = true
		if want := v.length(h, frame, r); len(r) != want {
			t.Fatalf("% x\n is %d bytes long, want %d", r, len(r), want)
		}
	}
	return replies
}

// length is how long a reply must be.
func (v *victim) length(h aoe.Header, frame, reply []byte) int {
	config, _ := aoe.DecodeConfig(reply)
	masks, _ := aoe.DecodeMaskList(reply)
	reserve, _ := aoe.DecodeReserve(reply)
	switch {
	case h.Command == aoe.CmdConfig && (!h.Failed || h.Error == aoe.ErrConfigString):
		return max(aoe.MinFrame, aoe.ConfigSize+config.Length)
	case h.Failed:
		return aoe.MinFrame
	case h.Command == aoe.CmdMaskList && masks.Error == 0:
		return max(aoe.MinFrame, aoe.MaskListSize+8*int(masks.Count))
	case h.Command == aoe.CmdReserve:
		return max(aoe.MinFrame, aoe.ReserveSize+6*int(reserve.Count))
	case h.Command != aoe.CmdATA:
		return aoe.MinFrame
	}
	asked, _, _ := aoe.DecodeATA(frame)
	done, _, _ := aoe.DecodeATA(reply)
	good := done.Command&1 == 0
	switch asked.Command {
	case 0xb0:
		return aoe.ATASize + 512
	case 0xec:
		return aoe.ATASize + 512
	case 0x20, 0x24, 0x25, 0x29, 0xc4, 0xc8:
		if good {
			return aoe.ATASize + 512*int(asked.Count)
		}
	}
	return aoe.MinFrame
}

// aim makes a frame one for the victim, as far as it is long enough.
func aim(frame []byte, shelf uint16, slot uint8, command uint8) []byte {
	whole := make([]byte, max(len(frame), aoe.HeaderSize))
	copy(whole, frame)
	binary.BigEndian.PutUint16(whole[12:], aoe.EtherType)
	whole[6] &^= 1
	whole[14] = 0x10
	binary.BigEndian.PutUint16(whole[16:], shelf)
	whole[18], whole[19] = slot, command
	return whole[:len(frame)]
}

// FuzzFrame serves any frame, as it is and aimed at an export.
func FuzzFrame(f *testing.F) {
	addr := aoe.Addr{Shelf: 1, Slot: 1}
	for _, frame := range [][]byte{queryFrame(addr, 1), readFrame(addr, 2, 99, 1), readFrame(addr, 3, 99, 2), writeFrame(addr, 4, 92, make([]byte, 4096)),
		commandFrame(addr, 5, 0xec, 0), commandFrame(addr, 6, 0xe7, 0), commandFrame(addr, 7, 0xef, 0x82), commandFrame(addr, 8, 0xb0, 0xd0), trimFrame(13),
		frameOf(addr, aoe.CmdMaskList, 9, 60), frameOf(addr, aoe.CmdReserve, 10, 60), frameOf(addr, 9, 11, 24),
		frameOf(aoe.Addr{Shelf: aoe.AnyShelf, Slot: aoe.AnySlot}, aoe.CmdConfig, 12, 32), {}} {
		f.Add(frame)
	}
	v := newVictim(f)
	f.Fuzz(func(t *testing.T, frame []byte) {
		v.ask(t, frame)
		target.ForgetRules(v.target)
		if len(frame) > 19 {
			v.ask(t, aim(frame, 1, frame[18]%4, frame[19]%5))
			target.ForgetRules(v.target)
			v.ask(t, aim(frame, aoe.AnyShelf, aoe.AnySlot, frame[19]%5))
			target.ForgetRules(v.target)
		}
	})
}

// TestRandomFrames serves noise, most of it behind a good header.
func TestRandomFrames(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 2))
	noise := make([]byte, 1<<20)
	for i := range noise {
		noise[i] = byte(rnd.Uint32())
	}
	v := newVictim(t)
	codes := []byte{0x06, 0x20, 0x24, 0x30, 0x34, 0x3d, 0x42, 0xb0, 0xe5, 0xe7, 0xec, 0xef}
	frames, answers := 0, 0
	for served := 0; served < *frameBytes; frames++ {
		size := []int{rnd.IntN(64), rnd.IntN(600), rnd.IntN(4215)}[rnd.IntN(3)]
		at := rnd.IntN(len(noise) - size)
		frame := noise[at : at+size]
		if rnd.IntN(8) > 0 && size > aoe.HeaderSize {
			shelf, slot := uint16(1), uint8(rnd.IntN(4))
			if rnd.IntN(8) == 0 {
				shelf = aoe.AnyShelf
			}
			frame = aim(frame, shelf, slot, uint8(rnd.IntN(5)))
			if size > aoe.ATASize && rnd.IntN(2) == 0 {
				frame[19] = 0
				code := codes[rnd.IntN(len(codes))]
				frame[26], frame[27] = frame[26]%10, code
				if rnd.IntN(4) > 0 { // near the disk, or on it, and well flagged
					frame[24] &^= 1
					if code&0xf0 == 0x30 || code == 0x06 {
						frame[24] |= 1
					}
					frame[28] %= 112
					copy(frame[29:34], make([]byte, 5))
				}
			}
		}
		answers += len(v.ask(t, frame))
		served += size
		target.ForgetRules(v.target) // or noise would soon have locked all out
		if frames%64 == 0 {
			v.worker.Spoil()
		}
	}
	stats := v.target.Ports()
	for _, p := range stats {
		t.Logf("%s: %+v", p.Addr, p.Stats)
	}
	t.Logf("%d frames, %d answers", frames, answers)
	if s := stats[0].Stats; s.Reads < 100 || s.Writes < 100 || s.Others == 0 || s.Errors == 0 || stats[2].Stats.Writes != 0 {
		t.Error("the noise did not reach everything, or wrote to the read-only drive")
	}
}

// TestEveryLength sends every command at every length around its fixed part.
func TestEveryLength(t *testing.T) {
	v := newVictim(t)
	fixed := map[uint8]int{0: aoe.ATASize, 1: aoe.ConfigSize, 2: aoe.MaskListSize, 3: aoe.ReserveSize, 4: aoe.HeaderSize, 0xf0: aoe.HeaderSize}
	for command, least := range fixed {
		for _, fill := range []byte{0, 1, 2, 3, 0xff} {
			for size := range 101 {
				frame := make([]byte, size)
				for i := aoe.HeaderSize; i < size; i++ {
					frame[i] = fill
				}
				copy(frame[min(6, size):], alice[:])
				v.worker.Spoil()
				replies := v.ask(t, aim(frame, 1, 1, command))
				if silent := size < least; silent && len(replies) > 0 || !silent && len(replies) != 1 {
					t.Errorf("command %d of %#x bytes, %d long: %d replies", command, fill, size, len(replies))
				}
				for _, r := range replies {
					checkPadding(t, r)
				}
				target.ForgetRules(v.target)
			}
		}
	}
}

// checkPadding reports bytes of a short reply that nothing has written.
func checkPadding(t *testing.T, reply []byte) {
	t.Helper()
	for i, b := range reply[aoe.HeaderSize:] {
		if b == 0xee {
			t.Errorf("byte %d of % x is what was there before", aoe.HeaderSize+i, reply)
			return
		}
	}
}
