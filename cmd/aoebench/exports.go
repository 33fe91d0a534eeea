package main

import (
	"fmt"
	"strconv"
	"strings"

	"vbladefs/target/aoe"
)

// maxExports bounds the memory of a run over many exports.
const maxExports = 1 << 16

// parseExports reads a list of exports such as e0.1,e0.2 or e0-39.0-249: a
// range stands for each number in it, and shelves with slots for all of both.
func parseExports(text string) ([]aoe.Addr, error) {
	var list []aoe.Addr
	for item := range strings.SplitSeq(text, ",") {
		shelf, slot, ok := strings.Cut(strings.TrimPrefix(item, "e"), ".")
		firstShelf, lastShelf, ok1 := parseRange(shelf, aoe.AnyShelf-1)
		firstSlot, lastSlot, ok2 := parseRange(slot, aoe.AnySlot-1)
		if !ok || !ok1 || !ok2 {
			return nil, fmt.Errorf("%w %q: want shelf.slot with shelf 0-65534 and slot 0-254, or ranges of them, such as e0.1 or e0-39.0-249",
				aoe.ErrAddr, item)
		}
		if len(list)+(lastShelf-firstShelf+1)*(lastSlot-firstSlot+1) > maxExports {
			return nil, fmt.Errorf("%q: more than %d exports", text, maxExports)
		}
		for a := firstShelf; a <= lastShelf; a++ {
			for b := firstSlot; b <= lastSlot; b++ {
				list = append(list, aoe.Addr{Shelf: uint16(a), Slot: uint8(b)})
			}
		}
	}
	seen := make(map[aoe.Addr]bool, len(list))
	for _, a := range list {
		if seen[a] {
			return nil, fmt.Errorf("%q names e%v twice", text, a)
		}
		seen[a] = true
	}
	return list, nil
}

// parseRange reads a number or first-last, at most most.
func parseRange(text string, most int) (first, last int, ok bool) {
	a, b, isRange := strings.Cut(text, "-")
	if !isRange {
		b = a
	}
	from, err1 := strconv.ParseUint(a, 10, 31)
	to, err2 := strconv.ParseUint(b, 10, 31)
	return int(from), int(to), err1 == nil && err2 == nil && from <= to && to <= uint64(most)
}

// pids is a flag value: numbers of processes, with commas between.
type pids []int

func (p *pids) String() string {
	words := make([]string, len(*p))
	for i, pid := range *p {
		words[i] = strconv.Itoa(pid)
	}
	return strings.Join(words, ",")
}

func (p *pids) Set(text string) error {
	var list pids
	for word := range strings.SplitSeq(text, ",") {
		pid, err := strconv.ParseInt(word, 10, 31)
		if err != nil || pid <= 0 {
			return fmt.Errorf("process %q: want numbers with commas between, such as 1234,1235", word)
		}
		list = append(list, int(pid))
	}
	*p = list
	return nil
}
