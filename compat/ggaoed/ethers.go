package ggaoed

import (
	"strings"

	"vbladefs/compat/text"
	"vbladefs/target/aoe"
)

// Ethers are the hosts of an ethers(5) file, by their name in lower case.
type Ethers map[string]aoe.MAC

// ParseEthers reads /etc/ethers as the C library does: an address and a name a
// line, # and what is behind it left out, other lines too; of several addresses of
// one name the first counts.
func ParseEthers(file []byte) Ethers {
	hosts := Ethers{}
	for line := range strings.Lines(string(file)) {
		line, _, _ = strings.Cut(line, "#")
		words := text.Fields(line, blanks+"\n")
		if len(words) < 2 {
			continue
		}
		host, err := aoe.ParseMAC(words[0].Text)
		name := lower(words[1].Text)
		if _, known := hosts[name]; err == nil && !known {
			hosts[name] = host
		}
	}
	return hosts
}

// Host finds the address of a name, in whatever case it is.
func (e Ethers) Host(name string) (aoe.MAC, bool) {
	host, ok := e[lower(name)]
	return host, ok
}

// lower is name with its ASCII letters in lower case, as strcasecmp(3) has it.
func lower(name string) string {
	b := []byte(name)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
