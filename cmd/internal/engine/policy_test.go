package engine

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
)

// TestPolicyChangesUnderLoad changes the write policy between the page cache and direct I/O, over and over, while
// neighbouring parts of pages are written: no write undoes another.
func TestPolicyChangesUnderLoad(t *testing.T) {
	const size, rounds = 600 * aoe.SectorSize, 60
	tgt, _, x := exportOn(t, Options{}, 9000, size)
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() { stopped <- changePolicies(tgt, stop) }()
	random := rand.NewChaCha8([32]byte{1})
	want, got := make([]byte, size), make([]byte, size)
	for range rounds {
		_, _ = random.Read(want)
		writeInPieces(t, x, want)
		if _, err := x.ReadAt(got, 0); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Fatal("a write that was acknowledged is gone")
		}
	}
	close(stop)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// changePolicies goes back and forth until stop is closed.
func changePolicies(tgt *target.Target, stop chan struct{}) error {
	drive := tgt.Drives()[0].Name
	for {
		for _, c := range []target.Cache{target.CacheWriteback, target.CacheDirect} {
			select {
			case <-stop:
				return nil
			default:
			}
			if err := tgt.Do(target.SetCache{Drive: drive, Cache: c}); err != nil {
				return err
			}
		}
	}
}

// writeInPieces writes data, cut into pieces of a few sectors, in any order and as many at a time as the window takes.
func writeInPieces(t *testing.T, x *initiator.Export, data []byte) {
	t.Helper()
	var pieces []*initiator.IO
	for at := 0; at < len(data); {
		end := min(at+(1+rand.IntN(7))*aoe.SectorSize, len(data))
		pieces = append(pieces, &initiator.IO{Op: initiator.Write, LBA: uint64(at / aoe.SectorSize), Data: data[at:end]})
		at = end
	}
	e := x.Engine()
	for _, i := range rand.Perm(len(pieces)) {
		if err := e.Submit(pieces[i]); err != nil {
			t.Fatal(err)
		}
	}
	for !e.Idle() {
		if err := e.Push(); err != nil {
			t.Fatal(err)
		}
		done, err := e.Poll()
		if err != nil {
			t.Fatal(err)
		}
		for _, io := range done {
			if io.Err != nil {
				t.Fatal(io.Err)
			}
		}
	}
}
