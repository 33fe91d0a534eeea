package state

import (
	"bytes"
	"fmt"
	"hash/crc32"
)

// sealStart begins the last line of the file, a comment as native reads it.
const sealStart = "# seal "

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal adds the line that tells text as it was written from one that somebody
// has edited since.
func seal(text []byte) []byte {
	return fmt.Appendf(bytes.Clone(text), "%s%08x\n", sealStart, crc32.Checksum(text, castagnoli))
}

// unseal takes the seal off, if there is one that fits.
func unseal(file []byte) (text []byte, sealed bool) {
	at := bytes.LastIndexByte(bytes.TrimSuffix(file, []byte("\n")), '\n') + 1
	if bytes.HasPrefix(file[at:], []byte(sealStart)) && bytes.Equal(seal(file[:at:at]), file) {
		return file[:at], true
	}
	return file, false
}
