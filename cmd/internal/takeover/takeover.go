// Package takeover has a new daemon take the exports over from the running one,
// which serves until then:
//
//	new                                    running
//	Hello ───────────────────────────────▶ holds operations, saves
//	opens all beside it ◀─────────── Offer  state, lock and claims
//	Ready ───────────────────────────────▶ rests: answers what it took
//	goes on with the links ◀────── Handover links, where it stopped
//	Served ──────────────────────────────▶ unmounts its tree, and ends
//
// Both have the stores open at once, the claims (flock(2), O_EXCL) belong to both,
// and the receive rings are the same memory: no frame is lost, each is carried out
// by one of the two, and in the order of arrival. Rings of another size or number, or links of another kind,
// the new daemon opens when it has taken over, and lets them take the place of those; where the running daemon has no rings,
// it has let some take the place of its links before. Before Handover any failure
// leaves the running daemon as it was, and after it the running daemon goes on if
// the new one dies before it has said Served.
//
// They talk over a socket in the folder of the state, which is root's alone. The
// package does no more than that; what a daemon is made of, serve knows.
package takeover

import (
	"path/filepath"

	"vbladefs/netio"
)

// protocol is the version of the conversation. Another one is refused; fields that
// one of the two does not know are left out.
const protocol = 2

// SocketPath is where a daemon that keeps its state in dir can be asked.
func SocketPath(dir string) string { return filepath.Join(dir, "takeover") }

// Hello asks the running daemon to hand over.
type Hello struct {
	Protocol  int
	Version   string // of the program
	Process   int
	Directory string // of the control tree
	Upgrade   bool   // not to the one who asks, but to one that the daemon starts itself
}

// Upgraded answers a Hello that asked for Upgrade.
type Upgraded struct {
	Refused string // why not; empty: it has handed over
	Process int    // that serves now
}

// Offer is what the running daemon has. Its files are the lock of the folder, the
// claims of stores in the order of Stores, and that of the addresses, if Addresses
// is not 0.
type Offer struct {
	Refused  string // why not; empty: it will
	Protocol int
	Version  string
	Process  int
	State    []byte
	Stores   []string // keys of those that are open
	Down     []string // what cannot be served at the moment
	Paused   []string // drives

	Addresses uint32 // the number of the daemon among those that claim addresses
}

// Ready says that everything is open.
type Ready struct{ Protocol int }

// Handover is the rest. Its files are the sockets of Links.
type Handover struct {
	Refused      string
	State        []byte   // if it is not that of the offer any more
	WriteThrough []string // keys of stores
	Links        []Link
}

// Link is one of those of an interface, where they can be handed over.
type Link struct {
	Interface string
	netio.Shared
}

// Served says that the new daemon answers.
type Served struct{ Protocol int }
