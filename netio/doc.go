// Package netio carries AoE frames between this program and a network interface.
//
// A Link is one interface opened for EtherType 0x88A2. Frames come in through Receive, which lends
// them in the link's own memory, and go back to the kernel at Release; replies go out through Send,
// a batch at a time. There are three kinds: "ring" takes frames in place from a packet ring shared
// with the kernel (TPACKET_V2, packet(7)) and sends a batch with one sendmmsg; "raw" is the portable
// fallback on github.com/mdlayher/raw, which copies and makes a system call per frame; "xdp" takes
// frames from AF_XDP sockets, ahead of the kernel's network stack, and shares memory with the driver
// where that has zero copy. It is opened on request only.
//
//	interface ─▶ kernel filter ─▶ ring slot ─▶ Receive ─▶ owner ─▶ Release ─▶ slot free again
//	interface ◀───────── sendmmsg ◀───────── Send(headers, payloads) ◀─ owner
//
// The filter runs in the kernel, before a frame costs a slot: it passes AoE frames addressed to us
// or to everyone that arrived on this very interface, and nothing tagged for a VLAN.
//
// A Group is several links on one interface, for owners that share it: the kernel gives each frame to one of
// them, chosen by the AoE address that it names. It can go from one process to another (inherit.go), and another Group can
// take its place (cut.go), without a frame being lost.
//
// Lookup, List and Watch tell which interfaces exist and what becomes of them.
//
// All of it works in the network namespace of the calling thread; an open Link stays in the
// namespace it was opened in. The package knows nothing of what is inside a frame, except the
// response flag that Options.Replies filters on and the address that Group.Steer steers by.
package netio
