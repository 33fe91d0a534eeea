package qaoed

import (
	"fmt"
	"log/syslog"
	"strings"

	"vbladefs/target"
)

// Print is c as a file that Parse reads as c.
func Print(c Config) []byte {
	var p printer
	p.statement("log-level", string(c.LogLevel))
	p.optional("apisocket", c.APISocket)
	for _, l := range c.Logs {
		p.open("logging")
		p.log(l)
		p.close()
	}
	for _, i := range c.Interfaces {
		p.open("interface")
		p.netif(i)
		p.close()
	}
	for _, l := range c.Lists {
		p.open("access-list")
		p.list(l)
		p.close()
	}
	p.open("default")
	p.statement("shelf", fmt.Sprint(c.Default.Shelf))
	p.statement("slot", fmt.Sprint(c.Default.Slot))
	p.settings(c.Default.Settings, Settings{})
	p.close()
	for _, d := range c.Devices {
		p.open("device")
		p.statement("target", d.Path)
		p.statement("shelf", fmt.Sprint(d.Addr.Shelf))
		p.statement("slot", fmt.Sprint(d.Addr.Slot))
		p.settings(d.Settings, c.Default.Settings)
		p.close()
	}
	return []byte(p.String())
}

type printer struct {
	strings.Builder
	indent string
}

func (p *printer) open(word string) {
	p.WriteString(p.indent + word + " {\n")
	p.indent += "\t"
}

func (p *printer) close() {
	p.indent = p.indent[1:]
	p.WriteString(p.indent + "}\n")
}

func (p *printer) statement(key, value string) {
	fmt.Fprintf(p, "%s%s = %s;\n", p.indent, key, quote(value))
}

func (p *printer) optional(key, value string) {
	if value != "" {
		p.statement(key, value)
	}
}

func (p *printer) log(l Log) {
	p.statement("name", l.Name)
	if l.File != "" {
		p.statement("type", "file")
		p.statement("filename", l.File)
		return
	}
	p.statement("type", "syslog")
	p.statement("syslog-level", priorities[l.Level])
	p.statement("syslog-facility", facilityName(l.Facility))
}

func facilityName(value syslog.Priority) string {
	for _, f := range facilities {
		if f.value == value {
			return f.name
		}
	}
	return facilities[0].name
}

func (p *printer) netif(i Interface) {
	mtu := "auto"
	if i.MTU != 0 {
		mtu = fmt.Sprint(i.MTU)
	}
	p.statement("interface", i.Name)
	p.statement("mtu", mtu)
	p.statement("log", i.Log)
	p.statement("log-level", string(i.LogLevel))
}

func (p *printer) list(l List) {
	p.statement("name", l.Name)
	p.statement("policy", verdict(l.Accept))
	for _, row := range l.Rows {
		p.statement(verdict(row.Accept), row.Host.String())
	}
	p.optional("log", l.Log)
}

func verdict(accept bool) string {
	if accept {
		return "accept"
	}
	return "reject"
}

// settings prints what a section has beside its own. A list that the default
// section has and a device has not is printed as the empty name.
func (p *printer) settings(s, def Settings) {
	p.optional("interface", s.Interface)
	p.statement("writecache", onOrOff(s.Writecache))
	p.statement("broadcast", onOrOff(s.Broadcast))
	p.statement("log", s.Log)
	p.statement("log-level", string(s.LogLevel))
	if s.Lists == def.Lists { // as it is without a word
		return
	}
	p.open("acl")
	for point, key := range [target.AccessPoints]string{"cfgread", "cfgset", "read", "write"} {
		if s.Lists[point] != def.Lists[point] {
			p.statement(key, s.Lists[point])
		}
	}
	p.close()
}

func onOrOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// quote has the lexer read a value as one word.
func quote(value string) string {
	if !plain(value) || strings.HasPrefix(value, "//") {
		return `"` + value + `"`
	}
	return value
}

// plain says whether s is a word for people and for the lexer alike.
func plain(s string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/"
	return s != "" && strings.Trim(s, letters) == ""
}
