package initiator

import "testing"

func TestTagSpace(t *testing.T) {
	for _, slots := range []int{1, 2, 3, 16, 64, 4096} {
		space := newTagSpace(slots)
		for _, generation := range []uint32{0, 1, 77, 1<<19 - 1, 1 << 31, 1<<32 - 1} {
			seen := map[uint32]bool{}
			for slot := range slots {
				tag := space.tag(slot, generation)
				if tag&ownTag == 0 || seen[tag] || space.slot(tag) != slot || space.age(tag, generation) != 0 || space.age(tag, generation+3) != 3 {
					t.Fatalf("%d slots, generation %d, slot %d: tag %08x", slots, generation, slot, tag)
				}
				seen[tag] = true
			}
		}
	}
}

func TestGenerations(t *testing.T) {
	g := generations{current: 1<<32 - 2}
	if ours, _ := g.answer(0); ours {
		t.Fatal("a slot that was never used answers to a tag")
	}
	for range 100 {
		g.next()
	}
	for _, c := range []struct {
		age         uint32
		ours, again bool
	}{{0, true, false}, {0, true, true}, {63, true, false}, {63, true, true}, {64, true, false}, {99, true, false}, {100, false, false}} {
		if ours, again := g.answer(c.age); ours != c.ours || again != c.again {
			t.Errorf("age %d: %v, %v; want %v, %v", c.age, ours, again, c.ours, c.again)
		}
	}
	if g.next(); g.answered&1 != 0 {
		t.Error("a new generation counts as answered")
	}
}
