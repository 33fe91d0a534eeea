package plan

import (
	"fmt"
	"math"
	"strings"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// Validate says what is wrong with p, the first thing only. Its error wraps one
// of target's, and names the export.
func Validate(p Plan) error {
	names := make(map[string]bool)
	drives := make(map[string]string)
	addrs := make(map[aoe.Addr]string)
	for i := range p.Exports {
		e := &p.Exports[i]
		if err := e.validate(); err != nil {
			return fmt.Errorf("export %q: %w", e.Name, err)
		}
		if names[e.Name] {
			return fmt.Errorf("export %q: %w: it is there twice; give each its own name", e.Name, target.ErrNameTaken)
		}
		if other, taken := drives[e.Drive]; taken {
			return fmt.Errorf("export %q: %w: export %q has drive name %s, too", e.Name, target.ErrNameTaken, other, e.Drive)
		}
		if other, taken := addrs[e.Addr]; taken {
			return fmt.Errorf("export %q: %w: export %q is at %s already; choose another shelf or slot", e.Name,
				target.ErrAddressTaken, other, e.Addr)
		}
		names[e.Name], drives[e.Drive], addrs[e.Addr] = true, e.Name, e.Name
	}
	return validateLimits(p.Limits)
}

func (e *Export) validate() error {
	switch {
	case !driveName(e.Drive):
		return fmt.Errorf("%w: drive name %q: want 1 to %d of letters, digits, '_', '-', '.'", target.ErrMalformed, e.Drive, target.MaxDriveName)
	case !target.IsBacking(e.Path) || strings.ContainsRune(e.Path, 0):
		return fmt.Errorf("%w: path %q: want an absolute one, or a URI such as nbd://host/export", target.ErrMalformed, e.Path)
	case e.Addr.Shelf > target.MaxShelf || e.Addr.Slot > target.MaxSlot:
		return fmt.Errorf("%w: address %s: want shelf 0-%d and slot 0-%d", target.ErrRange, e.Addr, target.MaxShelf, target.MaxSlot)
	case e.Offset > maxSectors || e.Length > maxSectors-e.Offset:
		return fmt.Errorf("%w: %d sectors from sector %d on: want at most %d in all", target.ErrRange, e.Length, e.Offset, maxSectors)
	case len(e.ports()) == 0:
		return fmt.Errorf("%w: no interface: want names, patterns, or %s for every one", target.ErrMalformed, target.EveryInterface)
	}
	for _, netif := range e.ports() {
		if PlainInterface(netif) { // which may be an alternative name, longer than CheckInterface has it
			continue
		}
		if err := target.CheckInterface(netif); err != nil {
			return err
		}
	}
	for list, hosts := range e.hosts() {
		if n := len(hosts); n > aoe.MaxListed {
			return fmt.Errorf("%w: %s of %d hosts: want at most %d", target.ErrFull, list, n, aoe.MaxListed)
		}
	}
	switch e.Cache {
	case "", target.CacheWriteback, target.CacheDirect, target.CacheDurable:
		return nil
	}
	return fmt.Errorf("%w: write policy %q: want %s, %s or %s", target.ErrMalformed, e.Cache,
		target.CacheWriteback, target.CacheDirect, target.CacheDurable)
}

// maxSectors is what a file can have: its size in bytes is a signed 64-bit number.
const maxSectors = math.MaxInt64 / aoe.SectorSize

func validateLimits(limits []target.MTULimit) error {
	seen := make(map[string]bool)
	for _, l := range limits {
		switch {
		case !PlainInterface(l.Interface):
			return fmt.Errorf("%w: MTU limit of interface %q: want the name of one", target.ErrMalformed, l.Interface)
		case l.MTU < target.MinMTULimit || l.MTU > target.MaxMTULimit:
			return fmt.Errorf("%w: MTU limit %d of interface %s: want %d to %d", target.ErrRange, l.MTU, l.Interface,
				target.MinMTULimit, target.MaxMTULimit)
		case seen[l.Interface]:
			return fmt.Errorf("%w: interface %s has two MTU limits", target.ErrNameTaken, l.Interface)
		}
		seen[l.Interface] = true
	}
	return nil
}
