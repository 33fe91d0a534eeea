package disk

import (
	"math/rand/v2"
	"os"
	"testing"
)

// TestMerge submits neighbours and looks at how many requests the kernel got.
func TestMerge(t *testing.T) {
	const piece = 1024
	for _, kind := range queues[1:] {
		t.Run(kind.name, func(t *testing.T) {
			file, content := image(t, "", 256<<10)
			q := made(t, kind.make).(*UringQueue)
			s, other := open(t, loopDevice(t, file), Options{Policy: Direct}), open(t, loopDevice(t, file), Options{Policy: Direct})
			type place struct {
				s  *Store
				op Op
				at int
			}
			for name, c := range map[string]struct {
				places []place
				joined uint64
			}{
				"neighbours":        {[]place{{s, Read, 5}, {s, Read, 6}, {s, Read, 7}}, 2},
				"streams":           {[]place{{s, Read, 5}, {other, Read, 6}, {s, Read, 6}, {other, Read, 7}}, 2},
				"writes":            {[]place{{s, Write, 5}, {s, Write, 6}}, 1},
				"durable writes":    {[]place{{s, WriteDurable, 5}, {s, WriteDurable, 6}}, 1},
				"another operation": {[]place{{s, Write, 5}, {s, Read, 6}, {s, WriteDurable, 7}}, 0},
				"another store":     {[]place{{s, Read, 5}, {other, Read, 6}}, 0},
				"a gap":             {[]place{{s, Read, 5}, {s, Read, 7}}, 0},
				"backwards":         {[]place{{s, Read, 6}, {s, Read, 5}}, 0},
			} {
				data := buffers(t, len(c.places)*piece*2)
				joined, handed := q.joined, q.handed
				for i, p := range c.places {
					mine := data[i*2*piece:][:piece]
					if p.op != Read {
						copy(mine, randomBytes(piece))
						copy(content[p.at*piece:], mine)
					}
					q.Submit(p.s, p.op, mine, int64(p.at)*piece, uint64(i))
				}
				check(t, reapAll(t, q, len(c.places)))
				if q.joined-joined != c.joined || q.handed != handed || q.inFlight != 0 {
					t.Errorf("%s: %d requests were merged, want %d; %d handed over", name, q.joined-joined, c.joined, q.handed-handed)
				}
				for i, p := range c.places {
					if p.s == s {
						wantSame(t, data[i*2*piece:][:piece], content[p.at*piece:][:piece])
					}
				}
				if err := do(t, q, s, Flush, nil, 0); err != nil { // for the reads of the other device
					t.Fatal(err)
				}
			}
			got := make([]byte, len(content))
			check(t, map[uint64]error{0: do(t, q, s, Read, got, 0)})
			wantSame(t, got, content)
		})
	}
}

// TestMergedError has errors and short results within merged requests: they meet the right ones.
func TestMergedError(t *testing.T) {
	const pieces, piece, good = 16, 4096, 5
	for name, damage := range map[string]func(t *testing.T) string{
		"end of file": func(t *testing.T) string {
			file, _ := image(t, "", pieces*piece)
			return file
		},
		"unreadable": func(t *testing.T) string {
			file, _ := image(t, "", pieces*piece)
			return loopDevice(t, file)
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := damage(t)
			q, s := newUringQueue(t, ringEntries, ringInFlight), open(t, path, Options{Policy: Direct})
			file := path
			if name == "unreadable" {
				file = run(t, "losetup", "-n", "-O", "BACK-FILE", path)
			}
			want, err := os.ReadFile(file)
			if err != nil || os.Truncate(file, good*piece) != nil {
				t.Fatal("cannot truncate the file", err)
			}
			data := buffers(t, pieces*piece)
			for i := range pieces {
				q.Submit(s, Read, data[i*piece:][:piece], int64(i)*piece, uint64(i))
			}
			results := reapAll(t, q, pieces)
			if q.joined != pieces-1 {
				t.Errorf("%d requests were merged, want all", q.joined)
			}
			for i := range pieces {
				if err := results[uint64(i)]; (err == nil) != (i < good) {
					t.Errorf("request %d of %d good ones: %v", i, good, err)
				}
			}
			wantSame(t, data[:good*piece], want[:good*piece])
		})
	}
}

// TestMergePause has a store whose merged requests the kernel refuses, as blocks must be allocated first.
func TestMergePause(t *testing.T) {
	path, _ := image(t, "", 512)
	if err := os.Truncate(path, 4<<20); err != nil {
		t.Fatal(err)
	}
	q, s := newUringQueue(t, ringEntries, ringInFlight), open(t, path, Options{Policy: Direct})
	data := buffers(t, 4096)
	for range 2 {
		for i := range 8 {
			q.Submit(s, Write, data, int64(64+i)<<12, uint64(i))
		}
		check(t, reapAll(t, q, 8))
	}
	if q.joined != 7 || s.mergePause.Load() != mergePause-7 {
		t.Errorf("%d requests were merged, want 7 at first and then none; %d are to wait", q.joined, s.mergePause.Load())
	}
	s.mergePause.Store(0)
	for i := range 8 {
		q.Submit(s, Write, data, int64(64+i)<<12, uint64(i))
	}
	check(t, reapAll(t, q, 8))
	if q.joined != 14 {
		t.Errorf("%d requests were merged, want them to be again after the pause", q.joined)
	}
}

// TestMergedModel cuts a device into pieces, transfers them in batches of mostly neighbours, and compares with a model.
func TestMergedModel(t *testing.T) {
	const sectors = 512
	for _, size := range []struct{ entries, inFlight uint32 }{{4, 8}, {8, 64}, {ringEntries, ringInFlight}} {
		file, model := image(t, "", sectors*512)
		q, s := newUringQueue(t, size.entries, size.inFlight), open(t, loopDevice(t, file), Options{Policy: Direct})
		data := buffers(t, sectors*512)
		for range 200 {
			type piece struct{ at, end int }
			var pieces []piece
			op := Op(rand.IntN(3))
			for at := rand.IntN(sectors); at < sectors && len(pieces) < 100; {
				end := min(at+1+rand.IntN(16), sectors)
				pieces = append(pieces, piece{at * 512, end * 512})
				if at = end; rand.IntN(8) == 0 {
					at += rand.IntN(20)
				}
			}
			for range rand.IntN(10) { // some out of order
				i, j := rand.IntN(len(pieces)), rand.IntN(len(pieces))
				pieces[i], pieces[j] = pieces[j], pieces[i]
			}
			for token, p := range pieces {
				mine := data[p.at:p.end]
				if op == Read {
					clear(mine)
				} else {
					copy(mine, randomBytes(len(mine)))
					copy(model[p.at:p.end], mine)
				}
				q.Submit(s, op, mine, int64(p.at), uint64(token))
			}
			check(t, reapAll(t, q, len(pieces)))
			for _, p := range pieces {
				wantSame(t, data[p.at:p.end], model[p.at:p.end])
			}
		}
		check(t, map[uint64]error{0: do(t, q, s, Read, data, 0)})
		wantSame(t, data, model)
		if q.joined == 0 || q.inFlight != 0 {
			t.Errorf("%d requests were merged, %d are in flight", q.joined, q.inFlight)
		}
	}
}
