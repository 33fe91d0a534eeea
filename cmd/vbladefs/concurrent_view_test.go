package main_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

// view is what one tree says is exported: the disk's path by "SHELF.SLOT
// INTERFACE", where every interface is "*".
type view map[string]string

func (v view) String() string {
	var lines []string
	for place, path := range v {
		lines = append(lines, place+" "+path)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

var (
	exportShape = regexp.MustCompile(`^(/\S+) +(\d+) +(\d+) *(\S*)$`)
	accessShape = regexp.MustCompile(`^(\d+) +(\d+) +((?:[0-9A-F]{2}:){5}[0-9A-F]{2})$`)
	driveShape  = regexp.MustCompile(`^([\w.-]+) (/\S+) (\d+) (rw|ro) (\d+)$`)
	portShape   = regexp.MustCompile(`^(\S+) (\d+) (\d+) (\d+) (\d+) (\d+)$`)
	folderShape = regexp.MustCompile(`^(\d+\.\d+)@(\S+)$`)
)

// listing is aoeserver's, taken apart: what is exported, and the hosts that alone
// may use an address.
type listing struct {
	exports view
	hosts   map[string][]string
}

// parseListing also holds the text to be of one moment: a host list belongs to an
// export, and an address leads to one disk.
func parseListing(text string) (listing, error) {
	l := listing{view{}, map[string][]string{}}
	disks := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		if m := accessShape.FindStringSubmatch(line); m != nil {
			addr := m[1] + "." + m[2]
			if l.hosts[addr] = append(l.hosts[addr], m[3]); disks[addr] == "" {
				return l, fmt.Errorf("%q is of no export", line)
			}
			continue
		}
		m := exportShape.FindStringSubmatch(line)
		if m == nil {
			return l, fmt.Errorf("%q is no export", line)
		}
		addr, netif := m[2]+"."+m[3], m[4]
		if netif == "" {
			netif = "*"
		}
		if disks[addr] != "" && disks[addr] != m[1] {
			return l, fmt.Errorf("%q leads elsewhere than %s", line, disks[addr])
		}
		if disks[addr] = m[1]; l.exports[addr+" "+netif] != "" {
			return l, fmt.Errorf("%q is there twice", line)
		}
		l.exports[addr+" "+netif] = m[1]
	}
	return l, nil
}

// driveListing is vblade/drives: path and number of ports by name.
type driveListing map[string]struct {
	path  string
	ports string
}

func parseDrives(text string) (driveListing, error) {
	l := driveListing{}
	for line := range strings.Lines(text) {
		m := driveShape.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil || m[3] != fmt.Sprint(concurrentDisk/512) {
			return l, fmt.Errorf("%q is no drive of ours", line)
		}
		if _, twice := l[m[1]]; twice {
			return l, fmt.Errorf("%q is there twice", line)
		}
		l[m[1]] = struct{ path, ports string }{m[2], m[5]}
	}
	return l, nil
}

// read reads a file of the tree; what is gone is no error, and not there.
func (l *concurrent) read(file string) (text string, there bool) {
	l.reads.Add(1)
	b, err := os.ReadFile(filepath.Join(l.d.dir, file))
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.EISDIR) {
		return "", false
	}
	if err != nil {
		l.fault("reading %s: %v", file, err)
	}
	return string(b), err == nil
}

// names lists a folder of the tree; none are in what is gone or a file.
func (l *concurrent) names(folder string) []string {
	l.reads.Add(1)
	entries, err := os.ReadDir(filepath.Join(l.d.dir, folder))
	if err != nil && !errors.Is(err, syscall.ENOENT) && !errors.Is(err, syscall.ENOTDIR) {
		l.fault("listing %s: %v", folder, err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// views are all trees' views of what is exported, which must be at rest.
func (l *concurrent) views() map[string]view {
	all := map[string]view{"kvblade": {}, "vblade": {}}
	text, _ := l.read("aoeserver")
	listing, err := parseListing(text)
	if err != nil {
		l.fault("aoeserver: %v", err)
	}
	all["aoeserver"] = listing.exports
	for _, name := range l.names("kvblade") {
		if m := folderShape.FindStringSubmatch(name); m != nil {
			path, _ := l.read("kvblade/" + name + "/bpath")
			all["kvblade"][m[1]+" "+m[2]] = strings.TrimSuffix(path, "\n")
		}
	}
	text, _ = l.read("vblade/drives")
	drives, err := parseDrives(text)
	if err != nil {
		l.fault("vblade/drives: %v", err)
	}
	for name, d := range drives {
		ports, _ := l.read("vblade/" + name + "/ports")
		for line := range strings.Lines(ports) {
			if m := portShape.FindStringSubmatch(strings.TrimSuffix(line, "\n")); m != nil {
				all["vblade"][m[2]+"."+m[3]+" "+m[1]] = d.path
			}
		}
		if n := fmt.Sprint(strings.Count(ports, "\n")); n != d.ports {
			l.fault("vblade/drives says that %s has %s ports; its file has %s", name, d.ports, n)
		}
	}
	l.nativeViews(all)
	return all
}
