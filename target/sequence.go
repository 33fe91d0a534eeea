package target

// sequence keeps values in the order in which they were added. Adding one and
// taking one out cost the same for ten as for ten thousand. The zero value is
// empty.
type sequence[T any] struct {
	first, last *place[T]
	length      int
}

// place is where a value is in a sequence; it is part of the value itself.
type place[T any] struct {
	value      T
	prev, next *place[T]
	taken      bool
}

// add puts v at the end, at p, which is free.
func (s *sequence[T]) add(p *place[T], v T) {
	*p = place[T]{value: v, prev: s.last, taken: true}
	if s.last == nil {
		s.first = p
	} else {
		s.last.next = p
	}
	s.last = p
	s.length++
}

// remove takes out what is at p; what all iterates over may be taken out. A place
// that is free stays so.
func (s *sequence[T]) remove(p *place[T]) {
	if !p.taken {
		return
	}
	if p.prev == nil {
		s.first = p.next
	} else {
		p.prev.next = p.next
	}
	if p.next == nil {
		s.last = p.prev
	} else {
		p.next.prev = p.prev
	}
	*p = place[T]{}
	s.length--
}

// all iterates over the values in order.
func (s *sequence[T]) all(yield func(T) bool) {
	for p := s.first; p != nil; {
		next := p.next
		if !yield(p.value) {
			return
		}
		p = next
	}
}
