package main

import (
	"math/rand/v2"
	"sync/atomic"
	"syscall"
	"time"

	"vbladefs/disk/disktest"
	"vbladefs/scripts/torture/faultnet"
	"vbladefs/target/aoe/initiator"
)

// hold is the longest that a frame stays in a wire. It is longer than the
// client's shortest timeout, so that there are several copies on the way.
const hold = 150 * time.Millisecond

// setups are what every fault is tried on, in turn.
var setups = []setup{
	{"file", "writeback", "uring", "ring", 1, 1, 9000, initiator.RetransmitLinux},
	{"loop", "direct", "uring", "ring", 3, 2, 9000, initiator.RetransmitSame},
	{"file", "direct", "sync", "raw", 1, 2, 1500, initiator.RetransmitLinux},
	{"loop", "durable", "sync", "ring", 3, 1, 4200, initiator.RetransmitSame},
	{"file", "durable", "uring", "ring", 3, 2, 9000, initiator.RetransmitLinux},
	{"loop", "writeback", "uring", "xdp", 1, 2, 3000, initiator.RetransmitSame},
}

// diskSetups are what faults of a disk are tried on.
var diskSetups = []setup{
	{"fuse", "direct", "uring", "ring", 1, 1, 9000, initiator.RetransmitSame},
	{"fuse", "durable", "uring", "ring", 3, 2, 9000, initiator.RetransmitLinux},
	{"fuse", "direct", "sync", "ring", 3, 2, 1500, initiator.RetransmitSame},
	{"fuse", "writeback", "sync", "ring", 1, 1, 9000, initiator.RetransmitLinux},
}

// setupOf is what the n-th trial of a round is tried on.
func (t trial) setupOf(n int) setup {
	if t.disk != nil {
		return diskSetups[n%len(diskSetups)]
	}
	return setups[n%len(setups)]
}

// faults are the rows of the report. The shares of loss, copies and reordering
// are those that the project promises to stand.
var faults = []trial{
	{name: "none"},
	both("loss 10 %", faultnet.Faults{Lose: 0.10}),
	both("copies 5 %", faultnet.Faults{Repeat: 0.05, Hold: hold}),
	both("delay 20 %", faultnet.Faults{Delay: 0.20, Hold: hold}),
	both("reordering 20 %", faultnet.Faults{Reorder: 0.20, Hold: hold}),
	both("loss, copies, order", faultnet.Faults{Lose: 0.10, Repeat: 0.05, Reorder: 0.20, Hold: hold}),
	both("truncation 5 %", faultnet.Faults{Truncate: 0.05}),
	{name: "damage to target 10 %", toward: faultnet.Faults{Damage: 0.10}},
	{name: "damage to client 10 %", back: faultnet.Faults{Damage: 0.10}},
	{name: "any bit wrong 10 %", toward: faultnet.Faults{Corrupt: 0.10}},
	{name: "disk: errors 2 %", disk: failing(0.02)},
	{name: "disk: slow", disk: slow(20 * time.Millisecond)},
	{name: "disk: stops for 0.4 s", disk: stopping(400 * time.Millisecond)},
	both("all but damage", faultnet.Faults{Lose: 0.05, Repeat: 0.10, Delay: 0.20, Reorder: 0.20, Truncate: 0.02, Hold: hold}),
}

func both(name string, f faultnet.Faults) trial { return trial{name: name, toward: f, back: f} }

// failing fails a share of all transfers with EIO.
func failing(share float64) disktest.Hook {
	return func(disktest.Op, int64, int64) (time.Duration, syscall.Errno) {
		if rand.Float64() < share {
			return 0, syscall.EIO
		}
		return 0, 0
	}
}

// stopping has one of the first and a transfer in a thousand take so long.
func stopping(takes time.Duration) disktest.Hook {
	var n atomic.Uint64
	return func(disktest.Op, int64, int64) (time.Duration, syscall.Errno) {
		if n.Add(1) == 50 || rand.IntN(1000) == 0 {
			return takes, 0
		}
		return 0, 0
	}
}
