package native

import (
	"bytes"
	"fmt"
	"time"

	"vbladefs/compat/text"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// HostsGrammars are the commands of a list of hosts.
var HostsGrammars = []string{"add MAC...", "del MAC...", "set MAC...", "clear"}

// ParseHosts reads a line written to a list of addr. A blank line or a comment is
// no operation and no error.
func ParseHosts(addr aoe.Addr, list target.HostList, line string) (target.Operation, error) {
	c, found, err := text.MatchLine(line, HostsGrammars...)
	if !found {
		return nil, err
	}
	hosts, err := macs(c.Values)
	if err != nil {
		return nil, err
	}
	switch c.Verb {
	case "set", "clear":
		return target.SetHosts{Addr: addr, List: list, Hosts: hosts}, nil
	default:
		return target.EditHostList{Addr: addr, List: list, Hosts: hosts, Remove: c.Verb == "del"}, nil
	}
}

func macs(words []text.Word) ([]aoe.MAC, error) {
	var hosts []aoe.MAC
	for _, w := range words {
		host, err := text.MAC(w)
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, host)
	}
	return hosts, nil
}

// Hosts is a list of b.
func Hosts(b target.BladeInfo, list target.HostList) []aoe.MAC {
	return [...][]aoe.MAC{target.AcceptList: b.Accept, target.DenyList: b.Deny, target.MaskList: b.Masks, target.ReserveList: b.Reserve}[list]
}

// ListHosts is the text of a list of hosts, one a line.
func ListHosts(hosts []aoe.MAC) []byte {
	var b bytes.Buffer
	for _, host := range hosts {
		b.WriteString(host.String() + "\n")
	}
	return b.Bytes()
}

// ListInitiators is the text of initiators at the moment now.
func ListInitiators(initiators []target.Initiator, now time.Time) []byte {
	var b bytes.Buffer
	for _, i := range initiators {
		fmt.Fprintf(&b, "%s %s %d %d\n", i.Host, i.Interface, i.Requests, secondsAgo(i.Last, now))
	}
	return b.Bytes()
}

// ListConflicts is the text of conflicts at the moment now.
func ListConflicts(conflicts []target.Conflict, now time.Time) []byte {
	var b bytes.Buffer
	for _, c := range conflicts {
		fmt.Fprintf(&b, "%s %s %d %d\n", c.Host, c.Interface, c.Count, secondsAgo(c.Last, now))
	}
	return b.Bytes()
}

func secondsAgo(t, now time.Time) int64 { return max(int64(now.Sub(t)/time.Second), 0) }
