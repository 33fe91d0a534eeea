package target

import (
	"fmt"
	"slices"
	"strings"
)

// This file is ports whose interface is a pattern: several names with * for any
// run of characters and ? for one, separated by commas. Such a port is on all
// interfaces that match, present and future. Target.ops is held.

// maxPatterns is how long a pattern may be, with all its parts: it is the name of
// a folder in the control tree, with an address before it.
const maxPatterns = 200

// isPattern reports whether the interface of a port stands for all that match it.
func isPattern(netif string) bool { return strings.ContainsAny(netif, "*?,") }

// CheckInterface refuses what a port's interface cannot be: neither the name of
// one nor a pattern of names.
func CheckInterface(netif string) error {
	if !isPattern(netif) {
		return CheckInterfaceName(netif)
	}
	if len(netif) > maxPatterns {
		return fmt.Errorf("%w: a pattern of %d characters: want at most %d", ErrNoInterface, len(netif), maxPatterns)
	}
	plain := strings.NewReplacer("*", "", "?", "x")
	for part := range strings.SplitSeq(netif, ",") {
		letters := plain.Replace(part)
		if part == "" || letters != "" && CheckInterfaceName(letters) != nil {
			return fmt.Errorf("%w: %q in %q: want the name of an interface, with * for any characters and ? for one", ErrNoInterface, part, netif)
		}
	}
	return nil
}

// many reports whether b may be on several interfaces.
func (b *binding) many() bool { return isPattern(b.netif) }

// matches reports whether b, which has a pattern, should be on the interface. A
// lone * is for Ethernet; loopback is asked for by its name. An interface that is
// called like a pattern matches that one only.
func (b *binding) matches(info Interface) bool {
	for part := range strings.SplitSeq(b.netif, ",") {
		switch {
		case part == EveryInterface:
			if info.Ethernet {
				return true
			}
		case (info.Ethernet || info.Loopback) && !isPattern(info.Name) && intersect(part, info.Name):
			return true
		}
	}
	return false
}

// overlap reports whether two ports of one address, by their interfaces, might be
// on the same one.
func overlap(a, b string) bool {
	if !isPattern(a) && !isPattern(b) {
		return a == b
	}
	for one := range strings.SplitSeq(a, ",") {
		for other := range strings.SplitSeq(b, ",") {
			if intersect(one, other) {
				return true
			}
		}
	}
	return false
}

// intersect reports whether there is a text that two patterns match; a name is a
// pattern that only it matches.
func intersect(a, b string) bool {
	if a == EveryInterface || b == EveryInterface {
		return true
	}
	// next[j] is whether a[i+1:] and b[j:] meet, this[j] whether a[i:] and b[j:] do.
	var next, this [maxPatterns + 1]bool
	for i := len(a); i >= 0; i-- {
		for j := len(b); j >= 0; j-- {
			switch {
			case i == len(a) && j == len(b):
				this[j] = true
			case i < len(a) && a[i] == '*':
				this[j] = next[j] || j < len(b) && this[j+1]
			case j < len(b) && b[j] == '*':
				this[j] = this[j+1] || i < len(a) && next[j]
			case i == len(a) || j == len(b):
				this[j] = false
			default:
				this[j] = (a[i] == b[j] || a[i] == '?' || b[j] == '?') && next[j+1]
			}
		}
		next = this
	}
	return next[0]
}

// leaveUnmatched takes ports off n whose pattern does not match its name any
// more, and has those not wait for it that did.
func (t *Target) leaveUnmatched(n *netif) {
	info := *n.info.Load()
	var gone []*port
	for p := range n.ports.all {
		if p.binding.many() && !p.binding.matches(info) {
			gone = append(gone, p)
		}
	}
	if err := t.detach(gone); err != nil {
		t.log.WithError(err).Warnf("ports stay on %s though it is renamed", info.Name)
	}
}

// fill has what waits at an address take the place of ports that have gone from
// there: of two bindings that match one interface the first has it.
func (t *Target) fill(b *blade) {
	for _, b := range slices.Clone(b.bindings) {
		if b.wants.taken {
			t.reach(b, nil)
		}
	}
}
