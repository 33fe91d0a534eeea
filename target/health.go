package target

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"vbladefs/target/aoe"
)

// Health says whether an address does what it is there for.
type Health uint8

// From well to not at all.
const (
	HealthOK       Health = iota
	HealthDegraded        // it is served, and something wants a look
	HealthDown            // nobody can read or write it
)

// String is the health in one word.
func (h Health) String() string { return [...]string{"ok", "degraded", "down"}[h] }

// HealthMemory is for how long a failed transfer, or another machine that answered,
// makes an address degraded.
const HealthMemory = 10 * time.Minute

// ExportInfo describes an address in sum at one moment.
type ExportInfo struct {
	Addr      aoe.Addr
	Drive     string
	Sectors   uint64
	Health    Health
	Reason    string // why it is not well; "; " between several
	Ports, Up int    // as configured, and those of them that are served
	Hosts     int    // initiators that were heard lately
	Conflicts int    // other machines that answered lately
	Buffers   int    // requests that may be in flight, on all its interfaces
	Stats     Stats
}

// Exports describes all addresses, in ascending order. each, if not nil, is called with
// the Latencies of each, for the time of the call.
func (t *Target) Exports(each func(int, *Latencies)) []ExportInfo {
	t.mu.RLock()
	defer t.mu.RUnlock()
	list := make([]ExportInfo, 0, len(t.blades))
	now := time.Now()
	blades := slices.SortedFunc(maps.Values(t.blades), func(a, b *blade) int { return compareAddr(a.addr, b.addr) })
	for i, b := range blades {
		list = append(list, b.export(now))
		if each != nil {
			var sum Latencies
			for _, binding := range b.bindings {
				binding.addTimes(&sum)
			}
			each(i, &sum)
		}
	}
	return list
}

// export describes b in sum; mu is held.
func (b *blade) export(now time.Time) ExportInfo {
	e := ExportInfo{Addr: b.addr, Drive: b.drive.name, Ports: len(b.bindings)}
	var h doctor
	if d := b.drive.device.Load(); d == nil {
		h.says(HealthDown, "drive %s is down: %s", b.drive.name, b.drive.down)
	} else {
		e.Sectors = b.drive.window.capacity(d.sectors())
		if d.paused.Load() {
			h.says(HealthDown, "drive %s is paused", b.drive.name)
		}
		if why := d.outage(); why != "" {
			h.says(HealthDown, "drive %s is down: %s", b.drive.name, why)
		}
	}
	if e.Ports == 0 {
		h.says(HealthDown, "it has no port; add one to the file targets/ports")
	}
	var failed uint32
	for _, o := range b.bindings {
		o.addStats(&e.Stats)
		for _, p := range o.ports {
			e.Buffers += int(p.buffers.Load())
			e.Hosts += p.heardSince(now.Add(-hostSilence * time.Second))
			failed = max(failed, p.counts.failedAt.Load())
			e.Conflicts += p.answeredSince(now.Add(-HealthMemory), &h)
		}
		if o.up() {
			e.Up++
		}
	}
	b.examinePorts(e.Up, &h)
	if ago := now.Sub(time.Unix(int64(failed), 0)); ago < HealthMemory {
		h.says(HealthDegraded, "a transfer failed %d s ago; see the file log", max(int(ago.Seconds()), 0))
	}
	e.Health, e.Reason = h.worst, strings.Join(h.reasons, "; ")
	return e
}

// examinePorts tells of the ports of b that are not up, of which so many are.
func (b *blade) examinePorts(up int, h *doctor) {
	if b.drive.device.Load() == nil {
		return // that says it all
	}
	worst := HealthDegraded
	if up == 0 {
		worst = HealthDown
	}
	for _, o := range b.bindings {
		if !o.up() {
			h.says(worst, "port on %s: %s", o.netif, o.why())
			continue
		}
		for _, netif := range slices.Sorted(maps.Keys(o.held)) {
			h.says(HealthDegraded, "port on %s: %s", netif, o.held[netif])
		}
	}
}

// up reports whether b is served anywhere.
func (b *binding) up() bool {
	for _, p := range b.ports {
		if p.netif.up() && p.sectors.Load() > 0 {
			return true
		}
	}
	return false
}

// heardSince counts the initiators that p has heard.
func (p *port) heardSince(then time.Time) (n int) {
	second, latest := uint32(then.Unix()), p.latest.Load()
	for i := range p.hosts.keys {
		if key := p.hosts.keys[i].Load(); key != 0 && key != latest && p.hosts.seen[i].Load() >= second {
			n++
		}
	}
	if latest != 0 && p.seen.Load() >= second {
		n++
	}
	return n
}

// answeredSince counts the other machines that answered for p, which h hears of unless
// that is as somebody asked for.
func (p *port) answeredSince(then time.Time, h *doctor) (n int) {
	p.conflicts.mu.Lock()
	defer p.conflicts.mu.Unlock()
	for _, c := range p.conflicts.list {
		if c.last.Before(then) {
			continue
		}
		n++
		if !p.binding.force {
			h.says(HealthDegraded, "%s answers for it, too, on %s", c.host, p.netif.name())
		}
	}
	return n
}

// doctor collects what is not well.
type doctor struct {
	worst   Health
	reasons []string
}

func (d *doctor) says(h Health, format string, args ...any) {
	d.worst = max(d.worst, h)
	d.reasons = append(d.reasons, fmt.Sprintf(format, args...))
}
