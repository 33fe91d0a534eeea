package initiator

import (
	"math/bits"
	"math/rand/v2"
)

// ownTag is the bit that userspace initiators set in their tags, so that a
// kernel initiator on the same host ignores the replies (INITIATORS §2.7, §3).
const ownTag = 1 << 31

// newTag is a tag to start from, unlike the one that an earlier run started
// from: its late replies must not be taken for ours.
func newTag() uint32 { return ownTag | rand.Uint32() }

// tagSpace divides the 31 bits below ownTag into slot (low) and generation.
// Each use of a slot has its own generation, so a late reply never matches the
// request that has the slot now.
type tagSpace struct{ slotBits int }

func newTagSpace(slots int) tagSpace { return tagSpace{slotBits: bits.Len(uint(slots - 1))} }

func (s tagSpace) tag(slot int, generation uint32) uint32 {
	return ownTag | (generation<<s.slotBits|uint32(slot))&^ownTag
}

func (s tagSpace) slot(tag uint32) int { return int(tag & (1<<s.slotBits - 1)) }

// age is how many uses of its slot ago tag was current, given the current
// generation; large when it never was.
func (s tagSpace) age(tag, generation uint32) uint32 {
	mask := uint32(1)<<(31-s.slotBits) - 1
	return (generation - (tag&^ownTag)>>s.slotBits) & mask
}

// generations remembers which of a slot's last 64 tags have been answered.
type generations struct {
	current  uint32
	issued   uint64 // uses so far
	answered uint64 // bit i: the use i generations ago
}

func (g *generations) next() {
	g.current++
	g.issued++
	g.answered <<= 1
}

// answer notes a reply to the use of age generations ago, and reports whether
// that use existed and whether it had been answered before.
func (g *generations) answer(age uint32) (ours, again bool) {
	if uint64(age) >= g.issued {
		return false, false
	}
	if age >= 64 { // forgotten: it is ours, and late for sure
		return true, false
	}
	bit := uint64(1) << age
	again = g.answered&bit != 0
	g.answered |= bit
	return true, again
}
