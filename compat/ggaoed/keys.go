package ggaoed

import (
	"slices"
	"time"
)

// key is one that a kind of group has, and the variable that is its value.
type key struct {
	name  string
	value value
}

// Ranges of the numbers of a file.
const (
	maxInt      = 1<<31 - 1
	maxQueue    = 65535
	minMTU      = 1056
	maxBuffers  = 8192 // of 0.9
	bufferKiB   = 64   // a buffer of 0.9
	maxSunPath  = 107  // sockaddr_un.sun_path without its NUL, unix(7)
	maxBelowOne = time.Second - 1
)

func (t *Tuning) keys(leastDelay time.Duration) []key {
	return []key{
		{"queue-length", integer{&t.QueueLength, 1, maxQueue, false, 1}},
		{"direct-io", boolean{&t.DirectIO}},
		{"trace-io", boolean{&t.TraceIO}},
		{"max-delay", seconds{&t.MaxDelay, leastDelay}},
		{"merge-delay", seconds{&t.MergeDelay, 0}},
	}
}

func (s *Socket) keys(g Generation) []key {
	mtu := key{"mtu", integer{&s.MTU, minMTU, maxInt, true, 1}}
	if g == V09 {
		return []key{mtu, {"buffers", integer{&s.RingKiB, 0, maxBuffers, false, bufferKiB}}}
	}
	return []key{
		mtu,
		{"ring-buffer-size", integer{&s.RingKiB, 0, maxInt, false, 1}},
		{"send-buffer-size", integer{&s.SendKiB, 0, maxInt, false, 1}},
		{"receive-buffer-size", integer{&s.ReceiveKiB, 0, maxInt, false, 1}},
	}
}

// own are the keys that only [defaults] has.
func (d *Defaults) own(env Env) []key {
	return []key{
		{"tx-ring-bug", boolean{&d.TXRingBug}},
		{"pid-file", newFile{&d.PIDFile, env.Dir, "ggaoed.pid", 0}},
		{keyControlSocket, newFile{&d.ControlSocket, env.Dir, "ggaoed.sock", maxSunPath}},
		{"state-directory", folder{&d.StateDirectory, env}},
	}
}

func (d *Defaults) keys(g Generation, env Env) []key {
	return slices.Concat(d.Tuning.keys(0), d.Socket.keys(g),
		[]key{{"interfaces", patterns{&d.Interfaces}}}, d.own(env))
}

// own are the keys that only devices have, but for their address and store.
func (d *Device) own(acls resolver) []key {
	return []key{
		{"read-only", boolean{&d.ReadOnly}},
		{"broadcast", boolean{&d.Broadcast}},
		{"accept", hosts{&d.Accept, acls}},
		{"deny", hosts{&d.Deny, acls}},
	}
}

// keys are those of a device that have a default.
func (d *Device) keys(acls resolver) []key {
	return slices.Concat(d.Tuning.keys(1), []key{{"interfaces", patterns{&d.Interfaces}}}, d.own(acls))
}

// The keys of a device without a default.
const (
	keyShelf = "shelf"
	keySlot  = "slot"
	keyPath  = "path"
	keyUUID  = "uuid"
)

var essential = []string{keyShelf, keySlot, keyPath, keyUUID}

const keyControlSocket = "control-socket"

// keyBuffers is obsolete since 1.0, and what a file of 0.9 is known by.
const keyBuffers = "buffers"

// since10 are the keys that 0.9 does not know.
var since10 = []string{"state-directory", "ring-buffer-size", "send-buffer-size", "receive-buffer-size",
	"max-delay", "merge-delay", "tx-ring-bug"}

// generationOf tells the release that groups were written for.
func generationOf(groups []*group) Generation {
	old := false
	for _, g := range groups {
		if g.name == groupACLs {
			continue
		}
		if slices.ContainsFunc(since10, g.has) {
			return V11
		}
		old = old || g.kind() != deviceGroup && g.has(keyBuffers)
	}
	if old {
		return V09
	}
	return V11
}
