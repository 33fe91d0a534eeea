package main

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// group is contenders that run side by side and are measured in turn.
type group struct {
	name       string
	rows       []row
	contenders []contender
	pairs      []pair
}

// row is one line of the load table.
type row struct {
	name    string
	load    load
	figures []figure
	goals   []goal
}

// pair is a comparison: subject over base.
type pair struct{ subject, base string }

// goal is what issue and design want of a ratio to base.
type goal struct {
	figure     figure
	base       string
	reach, aim float64 // 0 for none
}

// groupNames are what -only chooses from.
var groupNames = []string{"reads", "writes", "256", "10000", "slow"}

const vbladeCommand = "{vblade} -b 64 {shelf} {slot} {interface} {file}"

// Sizes of what is served. One export has as much as 256, and nearly as much as
// 10,000 have together: what differs is the number.
const (
	oneExport   = 256 << 20
	some        = 256
	many        = 10000
	ofSome      = oneExport / some
	ofMany      = 32 << 10
	oneFileName = "ours, one file"
	singleName  = "ours, 1 export"
	spareFiles  = 100
)

// groups are those that o wants.
func (o *options) groups(vblade string) []group {
	if o.disk {
		return []group{o.diskGroup(vblade)}
	}
	all := []group{
		{"reads", readRows(), o.field(vblade, disks{1, oneExport, false}), o.pairs()},
		{"writes", writeRows(), o.field(vblade, disks{1, oneExport, false}), o.pairs()},
		o.someGroup(vblade), manyGroup(), slowGroup(),
	}
	return slices.DeleteFunc(all, func(g group) bool {
		return o.only != "" && !slices.Contains(strings.Split(o.only, ","), g.name)
	})
}

// field is vblade, we and the peers.
func (o *options) field(vblade string, d disks) []contender {
	list := []contender{onDisks("vblade", strings.Replace(vbladeCommand, "{vblade}", vblade, 1), d), onDisks(ours, "", d)}
	for _, p := range o.peers {
		list = append(list, onDisks(p.name, p.command, d))
	}
	return list
}

func (o *options) pairs() []pair {
	list := []pair{{ours, "vblade"}}
	for _, p := range o.peers {
		list = append(list, pair{ours, p.name})
	}
	return list
}

func readRows() []row {
	var rows []row
	for _, depth := range []int{1, 2, 4, 8, 16, 32, 64} {
		r := row{name: fmt.Sprintf("4 KiB reads, depth %d", depth), load: load{RW: "randread", Block: "4k", Depth: depth},
			figures: []figure{iops, p50, p99, cpu}}
		switch depth {
		case 1:
			r.goals = []goal{{p50, "vblade", 0.25, 0.15}}
		case 16:
			r.goals = []goal{{iops, "vblade", 1.3, 1.5}, {cpu, "vblade", 0.77, 0.67}}
		}
		rows = append(rows, r)
	}
	return append(rows, row{name: "4 KiB reads, 2000 a second", load: load{RW: "randread", Block: "4k", Depth: 1, Rate: 2000},
		figures: []figure{p50, p99, cpu}})
}

func writeRows() []row {
	var rows []row
	for _, depth := range []int{16, 64} {
		r := row{name: fmt.Sprintf("8 KiB writes, depth %d", depth), load: load{RW: "randwrite", Block: "8k", Depth: depth},
			figures: []figure{iops, p99, cpu}}
		if depth == 16 {
			r.goals = []goal{{iops, "vblade", 1.3, 1.5}}
		}
		rows = append(rows, r)
	}
	return rows
}

// atDepth16 is the load of the groups with many exports.
var atDepth16 = load{RW: "randread", Block: "4k", Depth: 16}

func (o *options) someGroup(vblade string) group {
	g := group{name: "256", contenders: o.field(vblade, disks{some, ofSome, false}), pairs: o.pairs()}
	g.contenders = append(g.contenders, onDisks(singleName, "", disks{1, oneExport, false}))
	g.pairs = append(g.pairs, pair{ours, singleName})
	g.rows = []row{{"256 exports, depth 16", atDepth16, []figure{iops, cpu}, []goal{{iops, singleName, 0.95, 1}}}}
	return g
}

// manyGroup has its exports once in as many files, whose kernel objects no cache
// holds, and once in one file: there only the number of exports differs.
func manyGroup() group {
	n := many
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		n = int(min(many, max(limit.Cur, spareFiles+1)-spareFiles))
	}
	return group{"10000", []row{{fmt.Sprintf("%d exports, depth 16", n), atDepth16, []figure{iops, cpu},
		[]goal{{iops, singleName, 0.95, 1}}}},
		[]contender{onDisks(singleName, "", disks{1, oneExport, false}), onDisks(ours, "", disks{n, ofMany, false}),
			onDisks(oneFileName, "", disks{n, oneExport, true})},
		[]pair{{ours, singleName}, {oneFileName, singleName}}}
}
