package ggaoed

import (
	"time"

	"vbladefs/compat/ggaoed"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// baseline is what the counters were when they were last cleared: the engine's
// only go up, and others read them, too.
type baseline struct {
	devices map[string]target.Stats
	nets    map[string]target.InterfaceInfo
}

func newBaseline() baseline {
	return baseline{map[string]target.Stats{}, map[string]target.InterfaceInfo{}}
}

// keep forgets devices that are no more, and those whose counters began anew at 0,
// as total has them: when they pass what they were, nothing would tell.
func (b *baseline) keep(devices []device, total func(device) target.Stats) {
	kept := map[string]target.Stats{}
	for _, d := range devices {
		if s, ok := b.devices[d.name]; ok && !below(total(d), s) {
			kept[d.name] = s
		}
	}
	b.devices = kept
}

// below reports whether a counter is less than it was.
func below(now, before target.Stats) bool {
	return now.Reads < before.Reads || now.Writes < before.Writes || now.Others < before.Others || now.Errors < before.Errors
}

// total is the sum of a device's ports; c.mu is held, as below.
func (c *control) total(d device) (sum target.Stats) {
	for _, p := range c.exports.BladePorts(d.addr) {
		sum.Add(p.Stats)
	}
	return sum
}

// stats answers for devices in the order of the configuration, then interfaces.
func (c *control) stats(r ggaoed.Request) []ggaoed.Answer {
	answers := []ggaoed.Answer{ggaoed.UptimeAnswer{Since: time.Since(c.since)}}
	for _, d := range c.devices {
		if r.Selects(d.name) {
			answers = append(answers, ggaoed.DeviceAnswer{Name: d.name, DeviceStats: deviceStats(c.total(d), c.cleared.devices[d.name])})
		}
	}
	for _, n := range c.exports.Interfaces() {
		if r.Selects(n.Name) {
			answers = append(answers, ggaoed.NetAnswer{Name: n.Name, NetStats: netStats(n, c.cleared.nets[n.Name])})
		}
	}
	return answers
}

func (c *control) clearStats(r ggaoed.Request) {
	for _, d := range c.devices {
		if r.Selects(d.name) {
			c.cleared.devices[d.name] = c.total(d)
		}
	}
	for _, n := range c.exports.Interfaces() {
		if r.Selects(n.Name) {
			c.cleared.nets[n.Name] = n
		}
	}
}

// deviceStats are the counters since they were o. What this engine does not count
// stays 0: merged transfers, calls that submitted some, and refusals by the kernel.
func deviceStats(s, o target.Stats) ggaoed.DeviceStats {
	return ggaoed.DeviceStats{
		Reads: since(s.Reads, o.Reads), ReadBytes: since(s.ReadSectors, o.ReadSectors) * aoe.SectorSize, ReadTime: since(s.ReadTime, o.ReadTime),
		Writes: since(s.Writes, o.Writes), WriteBytes: since(s.WriteSectors, o.WriteSectors) * aoe.SectorSize, WriteTime: since(s.WriteTime, o.WriteTime),
		Others: uint32(since(s.Others, o.Others)), OtherTime: since(s.OtherTime, o.OtherTime),
		QueueLength:    since(s.Depth, o.Depth),
		QueueOver:      uint32(since(s.Full, o.Full)),
		ATAErrors:      uint32(since(s.ATAErrors, o.ATAErrors)),
		ProtocolErrors: uint32(since(s.Errors-s.ATAErrors, o.Errors-o.ATAErrors)),
	}
}

// netStats are the counters since they were o.
func netStats(n, o target.InterfaceInfo) ggaoed.NetStats {
	return ggaoed.NetStats{
		Received: since(n.Received.Frames, o.Received.Frames), ReceivedBytes: since(n.Received.Bytes, o.Received.Bytes),
		ReceivedRuns: since(n.Received.Batches, o.Received.Batches),
		Sent:         since(n.Sent.Frames, o.Sent.Frames), SentBytes: since(n.Sent.Bytes, o.Sent.Bytes), SentRuns: since(n.Sent.Batches, o.Sent.Batches),
		SendFull:   uint32(since(n.SendDrops, o.SendDrops)),
		Dropped:    uint32(since(n.ReceiveDrops, o.ReceiveDrops)),
		Ignored:    uint32(since(n.Ignored+n.Foreign, o.Ignored+o.Foreign)),
		Broadcasts: uint32(since(n.Wildcards, o.Wildcards)),
	}
}

// since is how far a counter went; one that began anew meanwhile began at 0.
func since[N uint64 | time.Duration](now, before N) N {
	if now < before {
		return now
	}
	return now - before
}
