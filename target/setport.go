package target

import (
	"cmp"
	"fmt"

	"vbladefs/target/aoe"
)

// This file changes ports that are served; Target.ops is held.

// SetLoud has the blade at Addr announced by broadcast, whatever its lists say.
type SetLoud struct {
	Addr aoe.Addr
	Loud bool
}

// SetPort changes what a port was added with. A request as large as was
// advertised before is served still, as initiators may not know better.
type SetPort struct {
	Addr      aoe.Addr
	Interface string // as it was added
	Buffers   uint16 // 0: DefaultBuffers
	Sectors   uint8  // 0: what the MTU allows
	Quiet     bool
}

func (op SetLoud) apply(t *Target) error {
	blade := t.blades[op.Addr]
	if blade == nil {
		return noBlade(op.Addr)
	}
	blade.change(func(r *rules) { r.loud = op.Loud })
	return nil
}

func (op SetPort) apply(t *Target) error {
	b := t.findBinding(op.Addr, t.realName(op.Interface))
	if b == nil {
		return fmt.Errorf("%w: %s on %s", ErrNoPort, op.Addr, orAny(op.Interface))
	}
	buffers := cmp.Or(op.Buffers, DefaultBuffers)
	tell := b.buffers != buffers || b.quiet && !op.Quiet
	t.mu.Lock()
	b.buffers, b.sectors, b.quiet = buffers, op.Sectors, op.Quiet
	t.mu.Unlock()
	for _, p := range b.ports {
		p.buffers.Store(portBuffers(buffers))
		if p.fit() || tell {
			t.announce(p)
		}
	}
	return nil
}

func portBuffers(configured uint16) int32 { return int32(max(configured, MinBuffers)) }

// fit makes the sectors of p what its interface and its binding say, and reports
// whether others are advertised now.
func (p *port) fit() (changed bool) {
	mtu := p.netif.info.Load().MTU
	sectors := portSectors(p.netif.mtu(), p.binding.sectors)
	fits := min(aoe.Sectors(mtu), maxSectors)
	p.most.Store(int32(min(max(int(p.most.Load()), sectors), fits)))
	return p.sectors.Swap(int32(sectors)) != int32(sectors)
}
