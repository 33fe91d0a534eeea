package convert

import (
	"fmt"
	"slices"

	"vbladefs/compat/plan"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// join makes one plan of what came from several files: names that two of them
// gave become different, and what both cannot have is a mistake.
func (c *converter) join() {
	c.addresses()
	c.stores()
	c.limits()
	drives := make([]string, len(c.plan.Exports))
	for i, e := range c.plan.Exports {
		drives[i] = e.Drive
	}
	for i, drive := range plan.DriveNames(drives) {
		e := &c.plan.Exports[i]
		e.Drive, e.Name = drive, drive // names are only for plans that come later, and there is none
	}
}

// addresses finds those that two files have.
func (c *converter) addresses() {
	at := map[aoe.Addr]int{}
	for i, e := range c.plan.Exports {
		if other, taken := at[e.Addr]; taken {
			c.refuse(fmt.Errorf("%s: e%s is exported by %s, too: want another shelf or slot", c.origin[i], e.Addr, c.origin[other]))
			continue
		}
		at[e.Addr] = i
	}
}

// safest are write policies, the safest first.
var safest = []target.Cache{target.CacheDurable, target.CacheDirect, target.CacheWriteback}

// stores gives the exports of one path one write policy, which is the store's
// here: the safest of them.
func (c *converter) stores() {
	best := map[string]target.Cache{}
	for i, e := range c.plan.Exports {
		was, again := best[e.Path]
		switch {
		case !again:
			best[e.Path] = e.Cache
		case was != e.Cache:
			best[e.Path] = safest[min(slices.Index(safest, was), slices.Index(safest, e.Cache))]
			c.warn("%s: %s is exported with write policy %s, and elsewhere %s: it has one here, %s", c.origin[i], e.Path, e.Cache, was, best[e.Path])
		}
	}
	for i := range c.plan.Exports {
		c.plan.Exports[i].Cache = best[c.plan.Exports[i].Path]
	}
}

// limits has one MTU limit of each interface, the smallest.
func (c *converter) limits() {
	at := map[string]int{}
	var limits []target.MTULimit
	for _, l := range c.plan.Limits {
		i, again := at[l.Interface]
		switch {
		case !again:
			at[l.Interface] = len(limits)
			limits = append(limits, l)
		case limits[i].MTU != l.MTU:
			c.warn("interface %s has MTU limits %d and %d: it has one here, the smaller", l.Interface, limits[i].MTU, l.MTU)
			limits[i].MTU = min(limits[i].MTU, l.MTU)
		}
	}
	c.plan.Limits = limits
}
