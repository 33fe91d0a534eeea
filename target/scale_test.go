package target_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// smallStore is a store that costs nothing.
type smallStore struct {
	target.Store
	key string
}

func (s *smallStore) Key() string              { return s.key }
func (s *smallStore) SizeBytes() int64         { return 512000 }
func (s *smallStore) Refresh() (int64, error)  { return 512000, nil }
func (s *smallStore) ReadOnly() bool           { return false }
func (s *smallStore) Note() string             { return "" }
func (s *smallStore) Device() (uint32, uint32) { return 0, 0 }
func (s *smallStore) Close() error             { return nil }

// smallTarget is a target whose stores cost nothing.
func smallTarget(t testing.TB) *target.Target {
	m := targettest.NewMachine(t)
	m.SetInterface("eth0", 1, 9000)
	c := m.Config()
	c.Parts.Identify = func(path string) (string, error) { return path, nil }
	c.Parts.OpenStore = func(path string, _ target.StoreOptions) (target.Store, error) { return &smallStore{key: path}, nil }
	small := target.New(c)
	t.Cleanup(func() { targettest.CloseTarget(t, m, small) })
	return small
}

// heap is what is in use of it.
func heap() int {
	runtime.GC()
	runtime.GC() // what finalizers let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// An export takes little memory, wherever its address is, and gives it back; a
// snapshot shows all.
func TestMemoryOfAnExport(t *testing.T) {
	const many, most = 10000, 3000
	for name, addr := range map[string]func(i int) aoe.Addr{
		"a shelf each": func(i int) aoe.Addr { return aoe.Addr{Shelf: uint16(i)} },
		"250 a shelf":  manyAddr,
	} {
		t.Run(name, func(t *testing.T) {
			small := smallTarget(t)
			must(t, small.Do(target.Export{Path: "/disks/first", Addr: aoe.Addr{Shelf: 65000}, Interface: "eth0"}))
			before := heap()
			start := time.Now()
			for i := range many {
				must(t, small.Do(target.Export{Path: fmt.Sprintf("/disks/%d", i), Addr: addr(i), Interface: "eth0"}))
			}
			added := time.Since(start)
			each := (heap() - before) / many
			if each > most {
				t.Errorf("an export takes %d bytes, want at most %d", each, most)
			}
			if s := small.State(); len(s.Ports) != many+1 || len(s.Drives) != many+1 || len(s.Blades) != many+1 {
				t.Errorf("%d ports, %d drives, %d blades", len(s.Ports), len(s.Drives), len(s.Blades))
			}
			start = time.Now()
			for i := range many {
				must(t, small.Do(target.RemovePort{Addr: addr(i), Interface: "eth0"}))
			}
			t.Logf("%d bytes an export, adding one took %v and removing it %v", each, added/many, time.Since(start)/many)
			if left := (heap() - before) / many; left > most/8 {
				t.Errorf("%d bytes are left of each export", left)
			}
		})
	}
}

// BenchmarkStateToSave is how long all that is asked of a target may have to wait for a
// save: while it looks, whoever wants to change something waits, and behind that one all.
func BenchmarkStateToSave(b *testing.B) {
	small := smallTarget(b)
	for i := range 10000 {
		must(b, small.Do(target.Export{Path: fmt.Sprintf("/disks/%d", i), Addr: manyAddr(i), Interface: "eth0"}))
	}
	for b.Loop() {
		if s := small.StateToSave(); len(s.Blades) != 10000 {
			b.Fatalf("%d blades", len(s.Blades))
		}
	}
}
