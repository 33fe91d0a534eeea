package main_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// What 16 programs did to one object at once is right if it could have been done
// in some order, in which no operation comes before another that ended before it
// began: Herlihy and Wing, "Linearizability", 1990. Objects that are right each
// for itself are so together (ibid., Theorem 1), so that all that happened in the
// tree is equal to one serial order. The search goes through the history as it
// happened and keeps every state that the object could be in (Lowe, "Testing for
// linearizability", 2017).

// verb is what an operation did and how it ended.
type verb int

const (
	added       verb = iota // it was not there, and is arg now
	taken                   // was there already
	removed                 // was there
	removedThis             // was arg
	notThis                 // was not arg
	removedAny              // there or not, it is not now
	missing                 // was not there
	replaced                // was there, and is arg now
	set                     // whatever it was, it is arg now
	seen                    // is arg; empty: not there
	retry                   // nothing was done, as somebody was faster
)

var verbNames = [...]string{"added", "taken", "removed", "removed this", "not this", "removed or not", "missing", "replaced", "set", "seen", "to retry"}

// pure operations change nothing.
func (v verb) pure() bool {
	return v == taken || v == notThis || v == missing || v == seen || v == retry
}

// event is one operation on one object.
type event struct {
	verb          verb
	arg           string
	began, ended  time.Duration
	where, answer string // for messages
}

func (e event) String() string {
	return fmt.Sprintf("%v-%v %s: %s (%d %q)", e.began, e.ended, e.where, e.answer, e.verb, e.arg)
}

// next is the state after the operation, and whether it was possible in state.
func (e event) next(state string) (string, bool) {
	switch e.verb {
	case added:
		return e.arg, state == ""
	case taken:
		return state, state != ""
	case removed:
		return "", state != ""
	case removedThis:
		return "", state == e.arg
	case notThis:
		return state, state != e.arg
	case removedAny:
		return "", true
	case missing:
		return state, state == ""
	case replaced:
		return e.arg, state != ""
	case set:
		return e.arg, true
	case seen:
		return state, state == e.arg
	}
	return state, true
}

// configuration is a state that an object could be in, and which of the pending
// operations had taken effect then.
type configuration struct {
	state string
	done  uint64
}

// search goes through one object's history.
type search struct {
	events  []event
	pending [64]int // places for operations under way; -1: free
	now     map[configuration]bool
}

// explain returns nil if some order of the events is legal, from state first; else
// the events around the first one that none explains.
func explain(first string, events []event) []string {
	s := &search{events: events, now: map[configuration]bool{{state: first}: true}}
	for i := range s.pending {
		s.pending[i] = -1
	}
	type edge struct {
		at    time.Duration
		ends  bool
		event int
	}
	var edges []edge
	for i, e := range events {
		edges = append(edges, edge{e.began, false, i}, edge{e.ended, true, i})
	}
	slices.SortStableFunc(edges, func(a, b edge) int {
		if a.at == b.at && a.ends != b.ends { // at the same moment: both orders are possible
			if a.ends {
				return 1
			}
			return -1
		}
		return int(a.at - b.at)
	})
	for _, edge := range edges {
		if !edge.ends {
			s.pending[slices.Index(s.pending[:], -1)] = edge.event
			continue
		}
		place := slices.Index(s.pending[:], edge.event)
		if before := s.now; !s.end(place) {
			return s.story(before)
		}
		s.pending[place] = -1
	}
	return nil
}

// end keeps what is possible if the operation at place has taken effect by now.
func (s *search) end(place int) bool {
	bit := uint64(1) << place
	reached, after := map[configuration]bool{}, map[configuration]bool{}
	var visit func(c configuration)
	visit = func(c configuration) {
		for i, e := range s.pending { // what changes nothing may happen as soon as it can
			if _, possible := s.of(e).next(c.state); e >= 0 && s.of(e).verb.pure() && possible {
				c.done |= 1 << i
			}
		}
		if reached[c] {
			return
		}
		reached[c] = true
		if c.done&bit != 0 {
			after[configuration{c.state, c.done &^ bit}] = true
			return
		}
		for i, e := range s.pending {
			if e < 0 || c.done&(1<<i) != 0 {
				continue
			}
			if next, possible := s.of(e).next(c.state); possible {
				visit(configuration{next, c.done | 1<<i})
			}
		}
	}
	for c := range s.now {
		visit(c)
	}
	s.now = after
	return len(after) > 0
}

func (s *search) of(e int) event {
	if e < 0 {
		return event{verb: retry}
	}
	return s.events[e]
}

// story says what was under way when no order was left.
func (s *search) story(before map[configuration]bool) []string {
	var lines []string
	for c := range before {
		lines = append(lines, fmt.Sprintf("it could be %q", c.state))
	}
	for _, e := range s.pending {
		if e >= 0 {
			lines = append(lines, s.events[e].String())
		}
	}
	return lines
}

// The search finds what is wrong and only that.
func TestExplain(t *testing.T) {
	e := func(v verb, arg string, began, ended int) event {
		return event{verb: v, arg: arg, began: time.Duration(began), ended: time.Duration(ended)}
	}
	for _, c := range []struct {
		name   string
		events []event
		legal  bool
	}{
		{"one after the other", []event{e(added, "a", 0, 1), e(taken, "", 2, 3), e(removed, "", 4, 5), e(missing, "", 6, 7)}, true},
		{"two win", []event{e(added, "a", 0, 5), e(added, "b", 1, 4)}, false},
		{"two win, with a removal between", []event{e(added, "a", 0, 5), e(added, "b", 1, 4), e(removed, "", 2, 3)}, true},
		{"the removal came before", []event{e(removedAny, "", 0, 1), e(added, "a", 2, 5), e(added, "b", 3, 4)}, false},
		{"nobody wins", []event{e(taken, "", 0, 5), e(taken, "", 1, 4)}, false},
		{"seen early", []event{e(added, "a", 0, 9), e(seen, "a", 1, 2), e(seen, "a", 3, 4)}, true},
		{"seen and gone", []event{e(added, "a", 0, 9), e(seen, "a", 1, 2), e(seen, "", 3, 4)}, false},
		{"seen after its end", []event{e(set, "a", 0, 1), e(set, "b", 2, 3), e(seen, "a", 4, 5)}, false},
		{"seen in between", []event{e(set, "a", 0, 1), e(set, "b", 2, 5), e(seen, "a", 3, 6)}, true},
		{"a loose removal after an add", []event{e(added, "a", 0, 9), e(removedAny, "", 1, 8), e(seen, "", 10, 11)}, true},
		{"a loose removal before an add", []event{e(added, "a", 0, 9), e(removedAny, "", 1, 8), e(seen, "a", 10, 11)}, true},
		{"another's", []event{e(added, "a", 0, 1), e(notThis, "b", 2, 3), e(removedThis, "a", 4, 5), e(replaced, "c", 6, 7)}, false},
		{"replaced", []event{e(added, "a", 0, 1), e(replaced, "b", 2, 3), e(retry, "", 2, 9), e(seen, "b", 4, 5)}, true},
	} {
		if story := explain("", c.events); (story == nil) != c.legal {
			t.Errorf("%s: legal is %v, want %v: %s", c.name, story == nil, c.legal, strings.Join(story, "; "))
		}
	}
}
