// Package nbd is a backing store that another program serves: a client of the NBD protocol, fixed newstyle
// (https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md, "proto.md" below), for exports named by a URI
// (doc/uri.md there).
//
//	worker ── Submit ─▶ Queue ── Push ─▶ Store ─┬─▶ conn ── sendmsg ──▶ server
//	                                    ▲       └─▶ waiting             │
//	                                    └── replayed when a conn is lost│
//	       ◀─ Reap ──── Queue ◀─────── conn's reading goroutine ◀───────┘
//
// A Store is one export of one server: its connections, several if the server says that they see one cache
// (NBD_FLAG_CAN_MULTI_CONN), and what is in flight on them. A Queue belongs to one worker goroutine and carries requests
// to any number of stores; what was submitted in one turn goes to a connection with one system call. Replies come in any
// order. Requests that need more than one command, such as a write to a part of a block, are carried out by goroutines of
// the store (compound.go).
//
// What a server has acknowledged it may have in a cache that dies with it. So changes are kept until a flush has succeeded
// (unflushed.go), which is begun now and then if nobody asks for one, and the server that comes next does them again before
// anything else (replay.go). What cannot be done again has the next flush fail.
//
// A connection that is lost is made again, and what it had not answered is sent once more, by whatever connection there
// is. No two requests that overlap are in flight at a time, one of them a write: the caller sees to that, and so the order
// of repeats does not matter. A request that found no connection for Patience fails with EAGAIN, which callers take for
// silence: its initiator repeats it, and nothing old is written when the server comes back much later.
//
// The server is not trusted: it can fail its own requests and keep them waiting, and nothing else.
//
// The package does not know of AoE, ATA, drives or exports of ours.
package nbd
