package main

// cutSetups are the rows of the table of power cuts.
var cutSetups = []cutSetup{
	{name: "durable, loop, uring", start: serveCut("durable"), store: "loop", keeps: true, io: "uring", workers: 3, lines: 4, mtu: 9000},
	{name: "durable, loop, sync", start: serveCut("durable"), store: "loop", keeps: true, io: "sync", workers: 3, lines: 4, mtu: 9000},
	{name: "durable, file, uring", start: serveCut("durable"), store: "file", keeps: true, io: "uring", workers: 3, lines: 4, mtu: 9000},
	{name: "direct, loop, uring", start: serveCut("direct"), store: "loop", io: "uring", workers: 3, lines: 4, mtu: 9000},
	{name: "direct, loop, sync", start: serveCut("direct"), store: "loop", io: "sync", workers: 3, lines: 2, mtu: 1500},
	{name: "direct, file, sync", start: serveCut("direct"), store: "file", io: "sync", workers: 3, lines: 4, mtu: 9000},
	{name: "writeback, loop, uring", start: serveCut("writeback"), store: "loop", cached: true, io: "uring", workers: 3, lines: 3, mtu: 9000},
	{name: "writeback, loop, sync", start: serveCut("writeback"), store: "loop", cached: true, io: "sync", workers: 3, lines: 4, mtu: 9000},
	{name: "writeback, file, sync", start: serveCut("writeback"), store: "file", io: "sync", workers: 3, lines: 4, mtu: 9000},
	{name: "changed while it runs", start: serveCut("direct"), store: "loop", cached: true, io: "uring", workers: 3, lines: 3, mtu: 9000, changes: true},
	{name: "vblade", start: serveAs("vblade", "", "$SHELF", "$SLOT", "t0", "$DISK"), store: "loop", cached: true, lines: 1, mtu: 9000},
	{name: "vblade -d", start: serveAs("vblade", "", "-d", "$SHELF", "$SLOT", "t0", "$DISK"), store: "loop", lines: 1, mtu: 9000},
	{name: "vblade -s", start: serveAs("vblade", "", "-s", "$SHELF", "$SLOT", "t0", "$DISK"), store: "loop", keeps: true, lines: 1, mtu: 9000},
	{name: "ggaoed", start: serveAs("ggaoed", ggaoedCut+"direct-io = true\n", "-c", "$CONFIG", "-d"), store: "loop", lines: 1, mtu: 9000},
	{name: "ggaoed direct-io=false", start: serveAs("ggaoed", ggaoedCut+"direct-io = false\n", "-c", "$CONFIG", "-d"), store: "loop", cached: true, lines: 1, mtu: 9000},
	{name: "qaoed", start: serveAs("qaoed", qaoedCut+"}\n", "-f", "-c", "$CONFIG"), store: "loop", cached: true, lines: 1, mtu: 9000},
	{name: "qaoed writecache=off", start: serveAs("qaoed", qaoedCut+"\twritecache = off;\n}\n", "-f", "-c", "$CONFIG"), store: "loop", keeps: true, lines: 1, mtu: 9000},
}

const ggaoedCut = `[defaults]
pid-file = $DIR/pid
control-socket = $DIR/socket
state-directory = $DIR
[disk]
path = $DISK
shelf = $SHELF
slot = $SLOT
`

const qaoedCut = `apisocket = $DIR/socket;
device
{
	target = $DISK;
	shelf = $SHELF;
	slot = $SLOT;
	interface = t0;
`
