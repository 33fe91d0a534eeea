package native

import (
	"bytes"
	"fmt"

	"vbladefs/compat/text"
	"vbladefs/target"
)

// LimitsGrammars are the commands of limits.
var LimitsGrammars = []string{"set INTERFACE MTU", "del INTERFACE"}

// ParseLimits reads a line written to limits. A blank line or a comment is no
// operation and no error.
func ParseLimits(line string) (target.Operation, error) {
	c, found, err := text.MatchLine(line, LimitsGrammars...)
	if !found {
		return nil, err
	}
	op := target.LimitMTU{Interface: c.Values[0].Text}
	if err := target.CheckInterfaceName(op.Interface); err != nil {
		return nil, c.Values[0].At(err)
	}
	if c.Verb == "del" {
		return op, nil
	}
	mtu, err := text.Number("MTU", c.Values[1], target.MinMTULimit, target.MaxMTULimit)
	if err != nil {
		return nil, err
	}
	op.MTU = int(mtu)
	return op, nil
}

// ListLimits is the text of limits: interface and MTU.
func ListLimits(limits []target.MTULimit) []byte {
	var b bytes.Buffer
	for _, l := range limits {
		fmt.Fprintf(&b, "%s %d\n", l.Interface, l.MTU)
	}
	return b.Bytes()
}
