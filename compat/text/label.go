package text

import (
	"fmt"
	"strings"

	"vbladefs/target"
)

// What the labels may be, as the table of the tree shows it.
var (
	ModelGrammar  = labelGrammar(target.MaxModel)
	SerialGrammar = labelGrammar(target.MaxSerial)
)

func labelGrammar(most int) string {
	return fmt.Sprintf("a line of printable ASCII; what is over %d characters is cut", most)
}

// ParseModel reads what is written to the model of drive, in whichever tree.
func ParseModel(drive, value string) (target.Operation, error) {
	model, err := label("model", value, target.MaxModel)
	if err != nil {
		return nil, err
	}
	return target.SetModel{Drive: drive, Model: model}, nil
}

// ParseSerial reads what is written to the serial number of drive.
func ParseSerial(drive, value string) (target.Operation, error) {
	serial, err := label("serial number", value, target.MaxSerial)
	if err != nil {
		return nil, err
	}
	return target.SetSerial{Drive: drive, Serial: serial}, nil
}

// label reads what was written to a model or serial file: the text before a
// NUL or one last newline, without padding, cut to most bytes. It must be
// printable ASCII, as ATA wants of IDENTIFY strings (ACS-3, 3.4.9).
func label(what, value string, most int) (string, error) {
	value, _, _ = strings.Cut(value, "\x00")
	value = Cut(strings.TrimSuffix(value, "\n"), most)
	for i := range len(value) {
		if control(value[i]) || value[i] > '~' {
			return "", At{Column: i + 1, Err: Malformed("%s %s: want %s", what, Quote(value), labelGrammar(most))}
		}
	}
	return strings.TrimRight(value, " "), nil
}

// Label is s as a model or serial number that a label file takes: what is no
// printable ASCII is replaced by '?', and it is cut to most bytes.
func Label(s string, most int) string {
	b := []byte(Cut(s, most))
	for i, c := range b {
		if control(c) || c > '~' {
			b[i] = '?'
		}
	}
	return strings.TrimRight(string(b), " ")
}
