package qaoed

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"vbladefs/compat/text"
	"vbladefs/target/aoe"
)

// QdctlSocket is where the program qdctl looks for a daemon.
const QdctlSocket = "/tmp/qaoedsocket"

// Exit codes of qdctl. Most failures are said and are 0.
const (
	qdctlOK        = 0
	qdctlNoDaemon  = 1
	qdctlNoCommand = 255
	qdctlMalformed = 255
)

// maxReply bounds what a daemon may send: 64 Ki targets and more.
const maxReply = 16 << 20

// What qdctl says to command lines that it does not know.
const (
	qdctlUsage  = "Usage: { add | remove | show | set } \n"
	showUsage   = "Usage: show { status | targets | interfaces | access-lists } \n"
	targetUsage = " target <device> [shelf] [slot] [interface]\n"
	setUsage    = "set interface mtu <interface> <mtu or auto>\n"
)

// errMalformed is a reply that is none.
var errMalformed = errors.New("malformed reply")

// Qdctl is the program qdctl with its words; dial connects it to a daemon. It
// returns the exit code. What it says goes to stdout, as in the original.
func Qdctl(words []string, dial func() (io.ReadWriteCloser, error), stdout io.Writer) int {
	if len(words) == 0 {
		_, _ = io.WriteString(stdout, qdctlUsage)
		return qdctlNoCommand
	}
	talk, said := qdctlCommand(words)
	if talk == nil {
		_, _ = io.WriteString(stdout, said)
		return qdctlOK
	}
	conn, err := dial()
	if err != nil {
		_, _ = fmt.Fprintf(stdout, "Failed to connect to API: connect() - %s\n", text.Strerror(err))
		return qdctlNoDaemon
	}
	defer conn.Close()
	c := &apiClient{conn}
	if code, _, err := c.ask(CmdStatus, nil); err != nil || code != CodeOK {
		_, _ = fmt.Fprintf(stdout, "No daemon of qaoed answers: %v\n", explain(code, err))
		return qdctlMalformed
	}
	said, err = talk(c)
	_, _ = io.WriteString(stdout, said)
	if err != nil {
		_, _ = fmt.Fprintf(stdout, "No answer to use: %v\n", err)
		return qdctlMalformed
	}
	return qdctlOK
}

func explain(code Code, err error) error {
	if err == nil {
		err = fmt.Errorf("%w: error %d", errMalformed, code)
	}
	return err
}

// talk is what a command has to say to the daemon; it returns what to tell the
// user.
type talk func(*apiClient) (string, error)

// qdctlCommand is what words ask for, or else what to say to them at once.
func qdctlCommand(words []string) (talk, string) {
	what := ""
	if len(words) > 1 {
		what = words[1]
	}
	is := func(starts ...string) bool { return hasPrefix(what, starts...) }
	switch verb := words[0]; {
	case abbreviates(verb, "add"):
		return addOrRemove("add", is, words)
	case abbreviates(verb, "remove"):
		return addOrRemove("remove", is, words)
	case abbreviates(verb, "set"):
		if is("int") && len(words) == 5 && hasPrefix(words[2], "mtu") {
			return setMTU(words[3], words[4])
		}
		return nil, setUsage
	case abbreviates(verb, "show"):
		switch {
		case is("sta"):
			return show(CmdStatus, showStatus), ""
		case is("tar"):
			return show(CmdTargetList, showTargets), ""
		case is("int"):
			return show(CmdInterfaceList, showInterfaces), ""
		case is("acl", "acc"):
			return show(CmdACLList, showLists), ""
		}
		return nil, showUsage
	}
	return nil, qdctlUsage
}

// abbreviates reports whether a word is the beginning of a verb, or begins with
// it: only as much counts as both have.
func abbreviates(word, verb string) bool {
	return word != "" && (strings.HasPrefix(verb, word) || strings.HasPrefix(word, verb))
}

func hasPrefix(word string, starts ...string) bool {
	for _, s := range starts {
		if strings.HasPrefix(word, s) {
			return true
		}
	}
	return false
}

func addOrRemove(verb string, is func(...string) bool, words []string) (talk, string) {
	if is("int", "acl", "acc") {
		return nil, "" // the original takes them and does nothing
	}
	usage := verb + targetUsage
	if !is("tar") || len(words) < 3 || len(words) > 6 {
		return nil, usage
	}
	t, ok := qdctlTarget(words[2:])
	switch {
	case !ok:
		return nil, usage
	case verb == "add":
		return func(c *apiClient) (string, error) { return c.add(t) }, ""
	}
	return func(c *apiClient) (string, error) { return c.remove(t) }, ""
}

// qdctlTarget is DEVICE [SHELF] [SLOT] [INTERFACE].
func qdctlTarget(words []string) (Target, bool) {
	t := newRaw().Target
	t.Path = words[0]
	words = append(words[1:len(words):len(words)], make([]string, 4-len(words))...)
	shelf, slot := int(t.Shelf), int(t.Slot)
	ok := true
	if words[0] != "" {
		shelf, ok = number(words[0], aoe.AnyShelf)
	}
	if words[1] != "" && ok {
		slot, ok = number(words[1], aoe.AnySlot)
	}
	t.Shelf, t.Slot, t.Interface = uint16(shelf), uint8(slot), words[2]
	return t, ok && t.Path != "" && len(t.Path) < pathText && len(t.Interface) < netifText
}

// setMTU is `set interface mtu NAME MTU`.
func setMTU(netif, mtu string) (talk, string) {
	n := ownMTU
	if mtu != "auto" {
		var err error
		if n, err = strconv.Atoi(mtu); err != nil || n < 1 || n > 10000 {
			return nil, fmt.Sprintf("Invalid MTU value: %s\n", mtu)
		}
	}
	if len(netif) >= netifText {
		return nil, fmt.Sprintf("No such interface configured: %s\n", netif)
	}
	return func(c *apiClient) (string, error) { return c.setMTU(InterfaceCommand{netif, int32(n)}) }, ""
}
