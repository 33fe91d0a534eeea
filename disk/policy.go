package disk

import (
	"fmt"
	"os"
)

// Policy says how safe a write is once it is acknowledged ("cache" in the control tree).
type Policy uint8

const (
	// Writeback acknowledges a write when the kernel's page cache has it.
	Writeback Policy = iota
	// Direct acknowledges a write when the device has it, perhaps in the device's own cache: O_DIRECT. On media with
	// blocks larger than a sector, a write to a part of one reads and writes all of it. A request that O_DIRECT cannot
	// take even so goes through the page cache and is made durable instead; Store.Note says when that is so for every
	// request.
	Direct
	// Durable acknowledges a write when it would survive a loss of power. Writes are direct where they can be, with the same
	// exceptions, and reads come from the page cache.
	Durable
)

var policyNames = [...]string{Writeback: "writeback", Direct: "direct", Durable: "durable"}

// ParsePolicy is the inverse of String.
func ParsePolicy(text string) (Policy, error) {
	for p, name := range policyNames {
		if text == name {
			return Policy(p), nil
		}
	}
	return 0, fmt.Errorf("cache policy %q is unknown: use writeback, direct or durable", text)
}

// String returns "writeback", "direct" or "durable".
func (p Policy) String() string {
	if int(p) < len(policyNames) {
		return policyNames[p]
	}
	return fmt.Sprintf("policy(%d)", uint8(p))
}

// Access says what a store is opened for.
type Access uint8

const (
	// ReadWrite fails with EROFS when the medium is read-only.
	ReadWrite Access = iota
	// ReadOnly never writes, whatever the medium allows.
	ReadOnly
	// Auto is ReadWrite where the medium and its permissions allow it, else ReadOnly.
	Auto
)

// Options are the choices of Open. The zero value claims the store for reading and writing through the page cache.
type Options struct {
	Access Access
	Policy Policy
	// Force opens without an exclusive claim: a mounted or otherwise used store is opened nevertheless.
	Force bool
	// Claim, when set, is the claim of a store of the same file or device, as Store.Claim of another process gave it away:
	// that is joined, and no other is made. Open makes a copy of the descriptor.
	Claim *os.File
}
