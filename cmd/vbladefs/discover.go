package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
)

// exitConflict is that of discover when two targets serve one address.
const exitConflict = 3

// sight is what discover has learnt of a target.
type sight struct {
	Interface string `json:"interface"`
	Address   string `json:"address"`
	MAC       string `json:"mac"`
	Bytes     uint64 `json:"bytes"`   // 0 if it did not say
	Sectors   int    `json:"sectors"` // of a request, at most
	Buffers   int    `json:"buffers"`
	Firmware  uint16 `json:"firmware"`
	Model     string `json:"model"`
	Serial    string `json:"serial"`
	Config    string `json:"config"`
	Conflict  bool   `json:"conflict"`        // another MAC answers for the address, too
	Error     string `json:"error,omitempty"` // why it is not known what the disk is

	addr aoe.Addr
}

// discover lists the targets of a segment.
func discover(args []string, stdout io.Writer) error {
	f := newFlags("discover", stdout, "[options] INTERFACE...", `Lists the targets that other machines serve on the segments of these interfaces.
An address that two of them serve, which destroys data unless it is meant so, is marked, and the exit code is 3.
`)
	wait := f.Duration("wait", 500*time.Millisecond, "how long to wait for answers")
	asJSON := f.Bool("json", false, "an object a target, one a line")
	if err := f.parse(args); err != nil {
		return err
	}
	if f.NArg() == 0 {
		return badUsage("no interface: want those to look on, such as eth0")
	}
	if *wait <= 0 || *wait > time.Minute {
		return badUsage("-wait %s: want more than 0, to 1m", *wait)
	}
	var all []sight
	for _, netif := range f.Args() {
		if err := onSegment(netif, func(i *initiator.Initiator) error {
			seen, err := look(i, netif, *wait)
			all = append(all, seen...)
			return err
		}); err != nil {
			return err
		}
	}
	conflicts := markConflicts(all)
	if err := showSights(stdout, all, *asJSON); err != nil {
		return err
	}
	if conflicts > 0 {
		return &exitError{exitConflict, fmt.Errorf("%s served by more than one target: unless they are paths to one disk, remove all but one, "+
			"as whoever uses the address takes them for one", plural(conflicts, "address is", "addresses are"))}
	}
	return nil
}

func plural(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + more
}

// look finds the targets on an interface and asks each what its disk is.
func look(i *initiator.Initiator, netif string, wait time.Duration) ([]sight, error) {
	found, err := i.Discover(wait)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", netif, err)
	}
	slices.SortFunc(found, func(a, b initiator.Found) int {
		return cmp.Or(cmp.Compare(a.Addr.Shelf, b.Addr.Shelf), cmp.Compare(a.Addr.Slot, b.Addr.Slot), slices.Compare(a.MAC[:], b.MAC[:]))
	})
	seen := make([]sight, len(found))
	for n, t := range found {
		seen[n] = sight{Interface: netif, addr: t.Addr, Address: "e" + t.Addr.String(), MAC: t.MAC.String(), Sectors: t.Sectors, Buffers: t.Buffers,
			Firmware: t.Firmware, Config: t.Config}
		seen[n].identify(i, t, wait)
	}
	return seen, nil
}

// identify asks what the disk is. One that does not say is listed all the same:
// its MAC mask or a reservation may keep us out.
func (s *sight) identify(i *initiator.Initiator, t initiator.Found, wait time.Duration) {
	x, err := i.OpenFound(t, initiator.Options{Window: 1, Timeout: wait, FirstRTO: wait / 3})
	if errors.Is(err, initiator.ErrTimeout) {
		err = errors.New("no answer to IDENTIFY")
	}
	if err != nil {
		s.Error = err.Error()
		return
	}
	s.Bytes, s.Model, s.Serial = uint64(x.Size()), x.Identity.Model, x.Identity.Serial
}

// markConflicts marks those whose address another MAC on the segment has, too,
// and counts such addresses.
func markConflicts(all []sight) (addresses int) {
	type place struct{ netif, address string }
	count := map[place]int{}
	for _, s := range all {
		count[place{s.Interface, s.Address}]++
	}
	for i, s := range all {
		all[i].Conflict = count[place{s.Interface, s.Address}] > 1
	}
	for _, n := range count {
		if n > 1 {
			addresses++
		}
	}
	return addresses
}

// showSights writes a table, or JSON. What came from the wire is quoted where it
// could upset a terminal.
func showSights(w io.Writer, all []sight, asJSON bool) error {
	if asJSON {
		out := json.NewEncoder(w)
		for _, s := range all {
			if err := out.Encode(s); err != nil {
				return err
			}
		}
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "ADDRESS\tINTERFACE\tMAC\tSIZE\tSECTORS\tBUFFERS\tMODEL\tSERIAL\tCONFIG")
	for _, s := range all {
		size, model, note := sizeText(s.Bytes), quoted(s.Model), ""
		if s.Error != "" {
			size, model = "?", s.Error
		}
		if s.Conflict {
			note = " CONFLICT"
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%d\t%s\t%s\t%s%s\n",
			s.Address, s.Interface, s.MAC, size, s.Sectors, s.Buffers, model, quoted(s.Serial), quoted(s.Config), note)
	}
	return t.Flush()
}

// quoted is s as Go writes it if it has more than plain characters, and - if
// there is nothing to see.
func quoted(s string) string {
	if s == "" {
		return "-"
	}
	if q := strconv.QuoteToASCII(s); q != `"`+s+`"` {
		return q
	}
	return s
}

// sizeText is a size in the largest unit that leaves it above 1.
func sizeText(bytes uint64) string {
	const units = "KMGTPE"
	if bytes < 1024 {
		return strconv.FormatUint(bytes, 10)
	}
	v, unit := float64(bytes)/1024, 0
	for v >= 1024 && unit < len(units)-1 {
		v, unit = v/1024, unit+1
	}
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) + units[unit:unit+1]
}
