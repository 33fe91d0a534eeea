package main_test

import (
	"fmt"
	"slices"
	"strings"
	"syscall"

	"vbladefs/compat/native"
)

// nativeViews adds what targets/ says, in its listings and in its folders, and
// what is saved.
func (l *concurrent) nativeViews(all map[string]view) {
	text, _ := l.read("saved")
	saved, err := parseSaved(text)
	if err != nil {
		l.fault("saved: %v in\n%s", err, text)
	}
	all["saved"] = saved.exports
	paths := map[string]string{} // by address
	blades, _ := l.read("targets/blades")
	for line := range strings.Lines(blades) {
		words := strings.Fields(line)
		path, _ := l.read("vblade/" + words[1] + "/path")
		paths[words[0]] = strings.TrimSpace(path)
	}
	all["targets"], all["targets/*"] = view{}, view{}
	ports, _ := l.read("targets/ports")
	for line := range strings.Lines(ports) {
		words := strings.Fields(line)
		all["targets"][words[0][1:]+" "+words[1]] = paths[words[0]]
	}
	for _, addr := range l.names("targets") {
		for _, netif := range l.names("targets/" + addr + "/ports") {
			all["targets/*"][addr[1:]+" "+netif] = paths[addr]
		}
	}
}

// parseSaved reads saved, which must be of one moment: what a line refers to, an
// earlier one has made.
func parseSaved(text string) (listing, error) {
	l := listing{view{}, map[string][]string{}}
	drives, blades := map[string]string{}, map[string]string{}
	for n, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		file, command, _ := strings.Cut(line, " ")
		words := strings.Fields(command)
		folder := strings.Split(file, "/")
		bad := false
		switch {
		case n == 0:
			bad = line != native.Header
		case strings.HasPrefix(line, "#"):
			bad = line != native.EndLine(n-1)
		case file == "vblade/drives":
			bad = drives[words[1]] != ""
			drives[words[1]] = words[2]
		case file == "targets/blades":
			bad = drives[words[2]] == "" || blades[words[1]] != ""
			blades[words[1]] = drives[words[2]]
		case file == "targets/ports":
			place := words[1][1:] + " " + words[2]
			bad = blades[words[1]] == "" || l.exports[place] != ""
			l.exports[place] = blades[words[1]]
		case folder[0] == "vblade":
			bad = drives[folder[1]] == ""
		case folder[0] == "targets":
			if bad = blades[folder[1]] == ""; folder[2] == "accept" {
				for _, host := range words[1:] {
					l.hosts[folder[1][1:]] = append(l.hosts[folder[1][1:]], strings.ToUpper(host))
				}
			}
		default:
			bad = true
		}
		if bad {
			return l, fmt.Errorf("line %d, %q", n+1, line)
		}
	}
	return l, nil
}

// native does to an address of the owner what targets/ can.
func (o *owner) native(s *ownSlot, slot int, netif, _ string) {
	addr := fmt.Sprintf("e%d.%d", o.shelf, slot)
	served := len(s.netifs) > 0
	switch o.random.IntN(4) {
	case 0:
		switch {
		case !served:
			o.expect(syscall.ENOENT, "targets/ports", "add %s %s", addr, netif)
		case s.blocked(netif):
			o.expect(syscall.EEXIST, "targets/ports", "add %s %s", addr, netif)
		default:
			o.expect(0, "targets/ports", "add %s %s", addr, netif)
			s.netifs = append(s.netifs, netif)
		}
	case 1:
		if !slices.Contains(s.netifs, netif) {
			o.expect(syscall.ENOENT, "targets/ports", "del %s %s", addr, netif)
			return
		}
		o.expect(0, "targets/ports", "del %s %s", addr, netif)
		s.drop(netif)
	case 2:
		if !served {
			o.expect(syscall.ENOENT, "targets/blades", "del %s", addr)
			return
		}
		o.expect(0, "targets/blades", "del %s", addr)
		*s = ownSlot{}
	case 3:
		o.nativeHosts(s, "targets/"+addr+"/accept", served)
	}
}

// nativeHosts replaces the list of hosts, and reads it.
func (o *owner) nativeHosts(s *ownSlot, file string, served bool) {
	list := slices.Clone(hosts[:o.random.IntN(len(hosts)+1)])
	command := "set " + strings.Join(list, " ")
	if len(list) == 0 {
		command = "clear"
	}
	if !served {
		o.expect(syscall.ENOENT, file, "%s", command)
		return
	}
	o.expect(0, file, "%s", command)
	s.hosts = list
	if text, _ := o.read(file); !strings.EqualFold(text, strings.Join(append(list, ""), "\n")) {
		o.fault("%s is %q, want %v", file, text, list)
	}
}

// native does to the shared objects what targets/ can.
func (r *racer) native(object string) {
	gone := map[syscall.Errno]verb{0: removed, syscall.ENOENT: missing}
	switch r.random.IntN(3) {
	case 0:
		r.do(object, "", gone, "targets/ports", "del e%s eth0", object)
	case 1:
		r.do(object, "", gone, "targets/blades", "del e%s", object)
	case 2:
		host := r.pick(hosts)
		file := "targets/e" + strings.Replace(hostsShelf, " ", ".", 1) + "/accept"
		if r.random.IntN(2) == 0 {
			r.do("host "+host, "listed", map[syscall.Errno]verb{0: set}, file, "add %s", host)
		} else {
			r.do("host "+host, "", map[syscall.Errno]verb{0: set}, file, "del %s", host)
		}
	}
}
