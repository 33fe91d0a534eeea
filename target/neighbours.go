package target

import "vbladefs/target/aoe"

// answered reports whether another machine answers for an address on the
// segment of an interface, and which. The interface has a netif, linked if it can
// be; Target.ops is held.
func (t *Target) answered(a aoe.Addr, netif string) (aoe.MAC, bool) { return aoe.MAC{}, false }
