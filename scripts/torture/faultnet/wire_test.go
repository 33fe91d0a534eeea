package faultnet

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe"
)

const testMTU = 2000

// carry sends frames one by one from a to b and returns what comes out.
func carry(t *testing.T, faults Faults, frames [][]byte) (out [][]byte, counts Counts) {
	t.Helper()
	client, near := netiotest.Pipe(testMTU)
	target, far := netiotest.Pipe(testMTU)
	for _, end := range []*netiotest.End{client, near, target, far} {
		defer end.Close()
	}
	w := New(near, far, testMTU, 1)
	if err := w.SetFaults(faults, Faults{}); err != nil {
		t.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- w.Run() }()
	var batch [64][]byte
	take := func() {
		n, err := target.Receive(batch[:])
		if err != nil {
			t.Fatal(err)
		}
		for _, frame := range batch[:n] {
			out = append(out, bytes.Clone(frame))
		}
		target.Release()
	}
	for i, frame := range frames {
		if _, err := client.Send([][]byte{frame}, [][]byte{nil}); err != nil {
			t.Fatal(err)
		}
		for counts.Frames <= uint64(i) { // a pipe holds few frames
			counts, _ = w.Counts()
			take()
		}
	}
	for {
		counts, _ = w.Counts()
		take()
		if uint64(len(out)) == counts.Carried && counts.Carried+counts.Lost+counts.Late+counts.Refused == counts.Frames+counts.Repeated {
			break
		}
		time.Sleep(time.Millisecond)
	}
	w.Close()
	if err := <-ran; err != nil {
		t.Fatal(err)
	}
	return out, counts
}

// numbered makes write requests that differ in tag and data.
func numbered(n int) [][]byte {
	var frames [][]byte
	for i := range n {
		frame := make([]byte, aoe.ATASize+1024)
		aoe.Header{Dst: aoe.MAC{2}, Src: aoe.MAC{4}, Version: aoe.Version, Addr: aoe.Addr{Shelf: 1, Slot: 2}, Tag: uint32(i)}.Put(frame)
		aoe.ATA{Flags: 0x41, Count: 2, Command: 0x34, LBA: [6]byte{byte(i), byte(i >> 8)}}.Put(frame)
		for at := aoe.ATASize; at < len(frame); at++ {
			frame[at] = byte(i + at)
		}
		frames = append(frames, frame)
	}
	return frames
}

func number(frame []byte) int { return int(binary.BigEndian.Uint32(frame[20:])) }

func TestWithoutFaultsEveryFrameIsCarried(t *testing.T) {
	frames := numbered(2000)
	out, counts := carry(t, Faults{}, frames)
	if len(out) != len(frames) || counts.Injected() != 0 {
		t.Fatalf("%d frames come out, want %d: %+v", len(out), len(frames), counts)
	}
	for i := range out {
		if !bytes.Equal(out[i], frames[i]) {
			t.Fatalf("frame %d is another", i)
		}
	}
}

// TestFaults: each fault happens to about the share of frames that is asked for,
// and does to them what it says and nothing else.
func TestFaults(t *testing.T) {
	const n, hold = 5000, 20 * time.Millisecond
	frames := numbered(n)
	for _, tt := range []struct {
		name   string
		faults Faults
		count  func(Counts) uint64
		check  func(t *testing.T, out [][]byte, c Counts)
	}{
		{"lose", Faults{Lose: 0.1}, func(c Counts) uint64 { return c.Lost }, func(t *testing.T, out [][]byte, c Counts) {
			if uint64(len(out)) != n-c.Lost {
				t.Errorf("%d frames come out", len(out))
			}
		}},
		{"repeat", Faults{Repeat: 0.1, Hold: hold}, func(c Counts) uint64 { return c.Repeated }, func(t *testing.T, out [][]byte, c Counts) {
			if uint64(len(out)) != n+c.Repeated-c.Late {
				t.Errorf("%d frames come out", len(out))
			}
		}},
		{"delay", Faults{Delay: 0.1, Hold: hold}, func(c Counts) uint64 { return c.Delayed }, disordered},
		{"reorder", Faults{Reorder: 0.1, Hold: hold}, func(c Counts) uint64 { return c.Reordered }, disordered},
		{"truncate", Faults{Truncate: 0.1}, func(c Counts) uint64 { return c.Truncated }, func(t *testing.T, out [][]byte, c Counts) {
			short := uint64(0)
			for _, frame := range out {
				if len(frame) < aoe.EthernetSize {
					t.Fatalf("a frame of %d bytes", len(frame))
				}
				if len(frame) < len(frames[0]) {
					short++
				}
			}
			if short != c.Truncated {
				t.Errorf("%d frames are short, want %d", short, c.Truncated)
			}
		}},
		{"damage", Faults{Damage: 0.1}, func(c Counts) uint64 { return c.Damaged }, func(t *testing.T, out [][]byte, c Counts) {
			damaged := uint64(0)
			for i, frame := range out {
				if !bytes.Equal(frame, frames[i]) {
					damaged++
				}
				if !bytes.Equal(frame[20:24], frames[i][20:24]) || !bytes.Equal(frame[28:len(frames[i])], frames[i][28:]) {
					t.Fatalf("tag, LBA or data of frame %d are damaged", i)
				}
				if frame[atCount] < frames[i][atCount] && frame[atCount] != 0 {
					t.Fatalf("frame %d became a request for less", i)
				}
			}
			if damaged != c.Damaged {
				t.Errorf("%d frames are damaged, want %d", damaged, c.Damaged)
			}
		}},
		{"corrupt", Faults{Corrupt: 0.1}, func(c Counts) uint64 { return c.Damaged }, func(t *testing.T, out [][]byte, c Counts) {
			bits := 0
			for i, frame := range out {
				if len(frame) != len(frames[i]) || !bytes.Equal(frame[:aoe.EthernetSize], frames[i][:aoe.EthernetSize]) {
					t.Fatalf("frame %d has another length or other MACs", i)
				}
				for at := range frame {
					for x := frame[at] ^ frames[i][at]; x != 0; x &= x - 1 {
						bits++
					}
				}
			}
			if n := int(c.Damaged); bits < n || bits > 8*n {
				t.Errorf("%d bits of %d frames are changed", bits, n)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, counts := carry(t, tt.faults, frames)
			if got := tt.count(counts); got < n/20 || got > n/5 || got != counts.Injected() {
				t.Errorf("%d times in %d frames, want about a tenth: %+v", got, n, counts)
			}
			if counts.Held > hold {
				t.Errorf("a frame was held for %v, want at most %v", counts.Held, hold)
			}
			tt.check(t, out, counts)
		})
	}
}

// disordered checks that all frames but those that were late come out, and not
// in order.
func disordered(t *testing.T, out [][]byte, c Counts) {
	seen, back := map[int]bool{}, 0
	for i, frame := range out {
		if n := number(frame); seen[n] {
			t.Fatalf("frame %d comes out twice", n)
		}
		seen[number(frame)] = true
		if i > 0 && number(frame) < number(out[i-1]) {
			back++
		}
	}
	if uint64(len(out)) != c.Frames-c.Late || back == 0 {
		t.Errorf("%d of %d frames come out, %d behind a later one", len(out), c.Frames, back)
	}
}

func TestFaultsAreChecked(t *testing.T) {
	w := New(nil, nil, testMTU, 1)
	for _, f := range []Faults{{Lose: -0.1}, {Damage: 1.1}, {Hold: -1}, {Hold: time.Hour}} {
		if err := w.SetFaults(Faults{}, f); err == nil {
			t.Errorf("%+v is taken", f)
		}
	}
}

// FuzzDamage: whatever the frame, damage leaves alone what it must and stays
// within what a link carries.
func FuzzDamage(f *testing.F) {
	f.Add(numbered(1)[0], uint64(1))
	f.Add(make([]byte, aoe.EthernetSize), uint64(2))
	f.Add(make([]byte, aoe.ConfigSize), uint64(3))
	f.Fuzz(func(t *testing.T, frame []byte, seed uint64) {
		if len(frame) < aoe.EthernetSize || len(frame) > testMTU+aoe.EthernetSize {
			return
		}
		v := &New(nil, nil, testMTU, seed).ways[0]
		got := v.damage(append(make([]byte, 0, testMTU+aoe.EthernetSize), frame...))
		if len(got) < len(frame) || len(got) > testMTU+aoe.EthernetSize {
			t.Fatalf("%d bytes became %d", len(frame), len(got))
		}
		if len(frame) >= 24 && !bytes.Equal(got[20:24], frame[20:24]) || len(frame) > 28 && !bytes.Equal(got[28:len(frame)], frame[28:]) {
			t.Fatal("tag, LBA or data are damaged")
		}
	})
}
