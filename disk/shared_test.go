package disk

import (
	"os"
	"testing"
)

// TestOpenForgetsAnotherHostsPast: while somebody here has a disk open, its pages stay in the cache although another host, to
// which the file behind the loop device belongs here, writes the disk. A store that is opened then shows what is on the disk.
func TestOpenForgetsAnotherHostsPast(t *testing.T) {
	onEachQueue(t, testOpenForgetsAnotherHostsPast)
}

func testOpenForgetsAnotherHostsPast(t *testing.T, newQueue queueMaker) {
	for _, policy := range []Policy{Writeback, Durable, Direct} {
		file, _ := image(t, tmpfsDir(t), 1<<20)
		device := loopDevice(t, file)
		watcher, err := os.Open(device)
		if err != nil {
			t.Fatal(err)
		}
		defer watcher.Close()
		old := make([]byte, 1<<20)
		if _, err := watcher.ReadAt(old, 0); err != nil {
			t.Fatal(err)
		}
		fresh := randomBytes(1 << 20)
		other, err := os.OpenFile(file, os.O_WRONLY, 0)
		if err == nil {
			_, err = other.WriteAt(fresh, 0)
		}
		if err != nil {
			t.Fatal(err)
		}
		other.Close()
		page := make([]byte, 4096)
		if _, err := watcher.ReadAt(page, 64<<10); err != nil {
			t.Fatal(err)
		}
		wantSame(t, page, old[64<<10:][:4096]) // else there is nothing to forget
		q, s := newQueue(t), open(t, device, Options{Policy: policy})
		got := make([]byte, 1<<20)
		for at := int64(0); at < 1<<20; at += 64 << 10 {
			if err := do(t, q, s, Read, got[at:][:64<<10], at); err != nil {
				t.Fatal(err)
			}
		}
		wantSame(t, got, fresh)
	}
}
