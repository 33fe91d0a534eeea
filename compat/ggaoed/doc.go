// Package ggaoed is what ggaoed reads, keeps and says: its configuration file,
// in the syntax of 0.9 and of 1.0 and 1.1.
//
//	ggaoed.conf ─split─▶ groups ─Parse─▶ Config ─Plan─▶ plan.Plan
//	     ▲                                 │
//	     └──────────────Print──────────────┘
//
// Split (keyfile.go) knows lines, Parse (parse.go) kinds of groups, and the keys of
// each kind are a list (keys.go) that Parse and Print share. Access lists are
// resolved while they are read (acl.go), with the names of ethers(5) (ethers.go). A
// file whose group lines are lost is given them back first (bare.go).
//
// It is pure: what lies outside of the file, /etc/ethers, devices by uuid, comes in
// through Env, and exporting is others' work. A file is taken as a whole or
// refused as a whole, with everything that is wrong in it.
package ggaoed
