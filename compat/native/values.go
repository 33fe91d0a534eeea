package native

import (
	"fmt"
	"strconv"
	"strings"

	"vbladefs/compat/text"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// What the values may be, as the table of the tree shows it.
const (
	SwitchGrammar   = "0 or 1"
	FirmwareGrammar = "0 to 65535 in decimal, 0x hexadecimal or 0 octal"
	ResizeGrammar   = "(anything)"
	ConfigGrammar   = `a text, without its last newline; in double quotes as a Go string, for any bytes`
)

// ParseConfig reads what is written to the config string of addr.
func ParseConfig(addr aoe.Addr, value string) (target.Operation, error) {
	config, err := unquoted("config string", strings.TrimSuffix(value, "\n"))
	if err != nil {
		return nil, err
	}
	if len(config) > aoe.MaxConfigString {
		return nil, text.At{Column: 1, Err: fmt.Errorf("%w: config string of %d bytes: want at most %d",
			target.ErrTooLong, len(config), aoe.MaxConfigString)}
	}
	return target.SetConfig{Addr: addr, Config: []byte(config)}, nil
}

// ConfigText is the text of config.
func ConfigText(b target.BladeInfo) string { return quoted(string(b.Config)) + "\n" }

// ParseModel reads what is written to the model of drive; in quotes it may begin
// with blanks.
func ParseModel(drive, value string) (target.Operation, error) {
	model, err := unquoted("model", strings.TrimSuffix(value, "\n"))
	if err != nil {
		return nil, err
	}
	return text.ParseModel(drive, model)
}

// ParseSerial reads what is written to the serial number of drive, like
// ParseModel.
func ParseSerial(drive, value string) (target.Operation, error) {
	serial, err := unquoted("serial number", strings.TrimSuffix(value, "\n"))
	if err != nil {
		return nil, err
	}
	return text.ParseSerial(drive, serial)
}

// ModelText is the text of model, without padding.
func ModelText(d target.DriveInfo) string { return quoted(d.Model) + "\n" }

// SerialText is the text of serial, without padding.
func SerialText(d target.DriveInfo) string { return quoted(d.Serial) + "\n" }

// quoted is s as it is, or as a Go string where a reader, or a shell's read,
// would not see all of it.
func quoted(s string) string {
	if q := strconv.Quote(s); q != `"`+s+`"` || strings.TrimSpace(s) != s {
		return q
	}
	return s
}

// unquoted undoes quoted.
func unquoted(what, s string) (string, error) {
	if !strings.HasPrefix(s, `"`) {
		return s, nil
	}
	plain, err := strconv.Unquote(s)
	if err != nil {
		return "", text.At{Column: 1, Err: text.Malformed(`%s %s: what begins with a quote must be a Go string, with \" and \\ inside: want %s`,
			what, text.Quote(s), ConfigGrammar)}
	}
	return plain, nil
}

// ParseReadOnly reads what is written to readonly, of drive.
func ParseReadOnly(drive, value string) (target.Operation, error) {
	on, err := parseSwitch("readonly", value)
	if err != nil {
		return nil, err
	}
	return target.SetReadOnly{Drive: drive, ReadOnly: on}, nil
}

// ParseLoud reads what is written to loud, of addr.
func ParseLoud(addr aoe.Addr, value string) (target.Operation, error) {
	on, err := parseSwitch("loud", value)
	if err != nil {
		return nil, err
	}
	return target.SetLoud{Addr: addr, Loud: on}, nil
}

// ParseKeep reads what is written to keep, of drive.
func ParseKeep(drive, value string) (target.Operation, error) {
	on, err := parseSwitch("keep", value)
	if err != nil {
		return nil, err
	}
	return target.SetKeep{Drive: drive, Keep: on}, nil
}

// ParseThin reads what is written to thin, of drive.
func ParseThin(drive, value string) (target.Operation, error) {
	on, err := parseSwitch("thin", value)
	if err != nil {
		return nil, err
	}
	return target.SetThin{Drive: drive, Thin: on}, nil
}

// ParsePause reads what is written to pause, of drive.
func ParsePause(drive, value string) (target.Operation, error) {
	on, err := parseSwitch("pause", value)
	if err != nil {
		return nil, err
	}
	return target.SetPaused{Drive: drive, Paused: on}, nil
}

// ParseFirmware reads what is written to firmware, of drive.
func ParseFirmware(drive, value string) (target.Operation, error) {
	word, err := oneWord("firmware version", value, FirmwareGrammar)
	if err != nil {
		return nil, err
	}
	n, err := text.Number("firmware version", word, 0, 65535)
	if err != nil {
		return nil, err
	}
	return target.SetFirmware{Drive: drive, Firmware: uint16(n)}, nil
}

// ParseResize reads what is written to resize, of drive: anything at all.
func ParseResize(drive, _ string) (target.Operation, error) { return target.Resize{Drive: drive}, nil }

func parseSwitch(what, value string) (bool, error) {
	word, err := oneWord(what, value, SwitchGrammar)
	switch {
	case err != nil:
		return false, err
	case word.Text != "0" && word.Text != "1":
		return false, word.Malformed("%s %s: want %s", what, word, SwitchGrammar)
	}
	return word.Text == "1", nil
}

func oneWord(what, value, grammar string) (text.Word, error) {
	words := text.Fields(value, " \t\n")
	switch len(words) {
	case 0:
		return text.Word{}, text.At{Column: 1, Err: text.Malformed("nothing written: want %s", grammar)}
	case 1:
		return words[0], nil
	default:
		return text.Word{}, words[1].Malformed("%s is one word too many: want %s", words[1], grammar)
	}
}

// LoudText is the text of loud: whether all are told of the address, whatever its
// lists say.
func LoudText(b target.BladeInfo) string { return switchText(b.Loud) }

// KeepText is the text of keep: whether the drive stays when its last port goes.
func KeepText(d target.DriveInfo) string { return switchText(!d.Implicit) }

// ThinText is the text of thin: whether zeros are punched.
func ThinText(d target.DriveInfo) string { return switchText(d.Thin) }

// PauseText is the text of pause.
func PauseText(d target.DriveInfo) string { return switchText(d.Paused) }

// ReadOnlyText is the text of readonly.
func ReadOnlyText(d target.DriveInfo) string { return switchText(d.ReadOnly) }

// FirmwareText is the text of firmware.
func FirmwareText(d target.DriveInfo) string { return fmt.Sprintf("%d\n", d.Firmware) }

// DriveState is the text of a drive's state: up, paused, or down and why.
func DriveState(d target.DriveInfo) string {
	switch {
	case d.Down != "":
		return down(d.Down) + "\n"
	case d.Paused:
		return "paused\n"
	}
	return "up\n"
}

// NoteText is the text of a drive's note; empty: there is none.
func NoteText(d target.DriveInfo) string {
	if d.Note == "" {
		return ""
	}
	return text.Printable(d.Note) + "\n"
}

// PortState is the text of a port's state: up, or down and why.
func PortState(p target.PortInfo) string {
	if p.Up {
		return "up\n"
	}
	return down(p.Down) + "\n"
}

func down(reason string) string {
	return strings.TrimSuffix("down "+text.Printable(reason), " ")
}

func switchText(on bool) string {
	if on {
		return "1\n"
	}
	return "0\n"
}
