package native

import (
	"bytes"
	"strconv"
	"strings"

	"vbladefs/compat/text"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// AccessGrammars are the commands of an access list. POLICY is accept or reject,
// and a ROW one of these and a MAC.
var AccessGrammars = []string{"set POLICY [ROW...] [name=NAME] [log]", "add ROW...", "clear"}

// ParseAccess reads a line written to the access list of addr at a point. A blank
// line or a comment is no operation and no error.
func ParseAccess(addr aoe.Addr, point target.AccessPoint, line string) (target.Operation, error) {
	c, found, err := text.MatchLine(line, AccessGrammars...)
	if !found {
		return nil, err
	}
	switch c.Verb {
	case "clear":
		return target.SetAccess{Addr: addr, Point: point}, nil
	case "add":
		rows, err := parseRows(c.Values)
		if err != nil {
			return nil, err
		}
		return target.AddAccess{Addr: addr, Point: point, Rows: rows}, nil
	}
	list := &target.AccessList{Log: c.Has("log")}
	if list.Accept, err = parseVerdict(c.Values[0]); err != nil {
		return nil, err
	}
	if list.Rows, err = parseRows(c.Values[1:]); err != nil {
		return nil, err
	}
	if name, given := c.Value("name"); given {
		if list.Name, err = parseListName(name); err != nil {
			return nil, err
		}
	}
	return target.SetAccess{Addr: addr, Point: point, List: list}, nil
}

func parseVerdict(w text.Word) (accept bool, err error) {
	if w.Text != "accept" && w.Text != "reject" {
		return false, w.Malformed("%s: want accept or reject", w)
	}
	return w.Text == "accept", nil
}

func parseRows(words []text.Word) ([]target.AccessRow, error) {
	var rows []target.AccessRow
	for i := 0; i < len(words); i += 2 {
		accept, err := parseVerdict(words[i])
		if err != nil {
			return nil, err
		}
		if i+1 == len(words) {
			return nil, words[i].Malformed("%s without a host: want a MAC behind it", words[i])
		}
		host, err := text.MAC(words[i+1])
		if err != nil {
			return nil, err
		}
		rows = append(rows, target.AccessRow{Host: host, Accept: accept})
	}
	return rows, nil
}

func parseListName(w text.Word) (string, error) {
	name, err := unquoted("name", w.Text)
	if err != nil {
		return "", w.At(err)
	}
	if len(name) > target.MaxAccessName {
		return "", w.Malformed("a name of %d bytes: want at most %d", len(name), target.MaxAccessName)
	}
	if text.Printable(name) != name {
		return "", w.Malformed("name %s has a control character: want none", w)
	}
	return name, nil
}

// ListAccess is the text of an access list: the commands that make it, a row a
// line; nothing where there is none.
func ListAccess(l *target.AccessList) []byte {
	var b bytes.Buffer
	writeAccess(&b, "", l, 1)
	return b.Bytes()
}

// writeAccess writes the commands that make a list, each after prefix, with so
// many rows a line.
func writeAccess(b *bytes.Buffer, prefix string, l *target.AccessList, perLine int) {
	if l == nil {
		return
	}
	b.WriteString(prefix + "set" + verdict(l.Accept))
	if l.Name != "" {
		b.WriteString(" name=" + oneWordQuoted(l.Name))
	}
	if l.Log {
		b.WriteString(" log")
	}
	for i, row := range l.Rows {
		if i%perLine == 0 {
			b.WriteString("\n" + prefix + "add")
		}
		b.WriteString(verdict(row.Accept) + " " + row.Host.String())
	}
	b.WriteByte('\n')
}

func verdict(accept bool) string {
	if accept {
		return " accept"
	}
	return " reject"
}

// oneWordQuoted is s as it is, or as a Go string without blanks.
func oneWordQuoted(s string) string {
	if q := strconv.QuoteToASCII(s); q != `"`+s+`"` || strings.Contains(s, " ") {
		return strings.ReplaceAll(q, " ", `\x20`)
	}
	return s
}
