package main

import (
	"time"

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
	both("all but damage", faultnet.Faults{Lose: 0.05, Repeat: 0.10, Delay: 0.20, Reorder: 0.20, Truncate: 0.02, Hold: hold}),
}

func both(name string, f faultnet.Faults) trial { return trial{name: name, toward: f, back: f} }
