package ggaoed

import (
	"fmt"
	"strings"
)

// Print is a configuration file that Parse makes c of, with the same Env, but for
// the numbers of its lines. What is the default is left out.
func Print(c Config) string {
	var b strings.Builder
	base := defaults(c.Generation)
	b.WriteString("[" + groupDefaults + "]\n")
	printChanged(&b, c.Defaults.keys(c.Generation, Env{}), base.keys(c.Generation, Env{}), keyBuffers)
	if len(c.ACLs) > 0 {
		b.WriteString("\n[" + groupACLs + "]\n")
	}
	for _, acl := range c.ACLs {
		printKey(&b, key{acl.Name, hosts{&acl.List, resolver{}}})
	}
	for _, i := range c.Interfaces {
		fmt.Fprintf(&b, "\n[%s]\n", i.Name)
		printChanged(&b, i.Socket.keys(c.Generation), c.Defaults.Socket.keys(c.Generation), "")
	}
	for _, d := range c.Devices {
		fmt.Fprintf(&b, "\n[%s]\nshelf = %d\nslot = %d\n", d.Name, d.Addr.Shelf, d.Addr.Slot)
		if d.UUID != "" {
			printKey(&b, key{keyUUID, volume{uuid: &d.UUID}})
		} else {
			printKey(&b, key{keyPath, device{p: &d.Path}})
		}
		inherited := Device{Tuning: c.Defaults.Tuning}
		printChanged(&b, d.keys(resolver{}), inherited.keys(resolver{}), "")
	}
	return b.String()
}

// printChanged prints the keys that differ from base, and always in any case.
func printChanged(b *strings.Builder, keys, base []key, always string) {
	for i, k := range keys {
		if k.name == always || k.value.print() != base[i].value.print() {
			printKey(b, k)
		}
	}
}

func printKey(b *strings.Builder, k key) {
	b.WriteString(strings.TrimRight(k.name+" = "+k.value.print(), " ") + "\n")
}
