package main_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
)

// owner is a writer with a shelf of its own. Nobody else touches that, so it knows
// what every command must answer and what every view must show of it.
type owner struct {
	*concurrent
	random *rand.Rand
	shelf  int
	own    *ownDrive // by vblade/drives, under a name of its own
	slots  [3]ownSlot
}

type ownDrive struct {
	name  string // empty: made by the export
	path  string
	there bool
}

// ownSlot is an address of the owner.
type ownSlot struct {
	drive  *ownDrive
	netifs []string // that it has ports on
	hosts  []string // that alone may use it, newest first
}

func newOwner(l *concurrent, shelf int) *owner {
	return &owner{concurrent: l, shelf: shelf, random: rand.New(rand.NewPCG(l.seed, uint64(shelf))),
		own: &ownDrive{name: fmt.Sprintf("own%d", shelf), path: l.disks[shelf%len(l.disks)]}}
}

func (o *owner) pick(of []string) string { return of[o.random.IntN(len(of))] }

// blocked reports whether a port on netif is in the way of itself or of another.
func (s *ownSlot) blocked(netif string) bool {
	return len(s.netifs) > 0 && (netif == "*" || slices.Contains(s.netifs, "*") || slices.Contains(s.netifs, netif))
}

// drop takes a port away, and what goes with the last one.
func (s *ownSlot) drop(netif string) {
	if s.netifs = slices.DeleteFunc(s.netifs, func(n string) bool { return n == netif }); len(s.netifs) == 0 {
		*s = ownSlot{}
	}
}

// ports counts those of the owner's named drive.
func (o *owner) ports() (n int) {
	for _, s := range o.slots {
		if s.drive == o.own {
			n += len(s.netifs)
		}
	}
	return n
}

// expect writes a line, and the answer must be want, 0 for success.
func (o *owner) expect(want syscall.Errno, file, format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if got := o.write(file, line); got != want {
		o.fault("%q to %s: %v, want %v: %+v", line, file, errnoText(got), errnoText(want), o.slots)
	}
}

// step does one thing, and looks at the outcome in one of the trees.
func (o *owner) step() {
	slot := o.random.IntN(len(o.slots))
	s, netif, path := &o.slots[slot], o.pick([]string{"eth0", "eth1", "*"}), o.pick(o.disks)
	steps := []func(s *ownSlot, slot int, netif, path string){o.addAoeserver, o.addKvblade, o.addVblade, o.delAoeserver,
		o.delKvblade, o.delVblade, o.readd, o.mask, o.ownDrive, o.label, o.native, o.native}
	steps[o.random.IntN(len(steps))](s, slot, netif, path)
	o.look()
}

func (o *owner) addAoeserver(s *ownSlot, slot int, netif, path string) {
	word := strings.TrimPrefix(netif, "*")
	if len(s.netifs) > 0 {
		o.expect(syscall.EINVAL, "aoeserver", "add %s %d %d %s", path, o.shelf, slot, word)
		return
	}
	o.expect(0, "aoeserver", "add %s %d %d %s", path, o.shelf, slot, word)
	*s = ownSlot{drive: &ownDrive{path: path, there: true}, netifs: []string{netif}}
}

func (o *owner) addKvblade(s *ownSlot, slot int, netif, path string) {
	if s.blocked(netif) || len(s.netifs) > 0 && s.drive.path != path {
		o.expect(syscall.EEXIST, "kvblade/add", "%d %d %s %s", o.shelf, slot, netif, path)
		return
	}
	o.expect(0, "kvblade/add", "%d %d %s %s", o.shelf, slot, netif, path)
	if len(s.netifs) == 0 {
		s.drive = &ownDrive{path: path, there: true}
	}
	s.netifs = append(s.netifs, netif)
}

func (o *owner) addVblade(s *ownSlot, slot int, netif, _ string) {
	file := "vblade/" + o.own.name + "/ports"
	switch {
	case !o.own.there:
		o.expect(syscall.ENOENT, file, "add %s %d %d", netif, o.shelf, slot)
	case s.blocked(netif) || len(s.netifs) > 0 && s.drive != o.own:
		o.expect(syscall.EEXIST, file, "add %s %d %d", netif, o.shelf, slot)
	default:
		o.expect(0, file, "add %s %d %d", netif, o.shelf, slot)
		s.drive, s.netifs = o.own, append(s.netifs, netif)
	}
}

func (o *owner) delAoeserver(s *ownSlot, slot int, netif, path string) {
	o.expect(0, "aoeserver", "del %s %d %d %s", path, o.shelf, slot, strings.TrimPrefix(netif, "*"))
	if netif == "*" {
		*s = ownSlot{}
		return
	}
	s.drop(netif)
}

func (o *owner) delKvblade(s *ownSlot, slot int, netif, _ string) {
	if !slices.Contains(s.netifs, netif) {
		o.expect(syscall.ENOENT, "kvblade/del", "%d %d %s", o.shelf, slot, netif)
		return
	}
	o.expect(0, "kvblade/del", "%d %d %s", o.shelf, slot, netif)
	s.drop(netif)
}

func (o *owner) delVblade(s *ownSlot, slot int, netif, _ string) {
	file := "vblade/" + o.own.name + "/ports"
	if !o.own.there || s.drive != o.own || !slices.Contains(s.netifs, netif) {
		o.expect(syscall.ENOENT, file, "del %s %d %d", netif, o.shelf, slot)
		return
	}
	o.expect(0, file, "del %s %d %d", netif, o.shelf, slot)
	s.drop(netif)
}

func (o *owner) readd(s *ownSlot, slot int, netif, path string) {
	if !slices.Contains(s.netifs, netif) {
		o.expect(syscall.ENOENT, "kvblade/readd", "%d %d %s %s", o.shelf, slot, netif, path)
		return
	}
	o.expect(0, "kvblade/readd", "%d %d %s %s", o.shelf, slot, netif, path)
	s.drive.path = path
}

func (o *owner) mask(s *ownSlot, slot int, _, _ string) {
	host, verb := o.pick(hosts), o.pick([]string{"hostmask", "rmmask"})
	if len(s.netifs) == 0 {
		o.expect(syscall.EINVAL, "aoeserver", "%s %d %d %s", verb, o.shelf, slot, host)
		return
	}
	o.expect(0, "aoeserver", "%s %d %d %s", verb, o.shelf, slot, host)
	listed := slices.Index(s.hosts, host)
	switch {
	case verb == "hostmask" && listed < 0:
		s.hosts = slices.Insert(s.hosts, 0, host)
	case verb == "rmmask" && listed >= 0:
		s.hosts = slices.Delete(s.hosts, listed, listed+1)
	}
}

// ownDrive adds or removes the owner's named drive.
func (o *owner) ownDrive(_ *ownSlot, _ int, _, path string) {
	switch add := o.random.IntN(2) == 0; {
	case add && o.own.there:
		o.expect(syscall.EEXIST, "vblade/drives", "add %s %s", o.own.name, path)
	case add:
		o.expect(0, "vblade/drives", "add %s %s", o.own.name, path)
		o.own.path, o.own.there = path, true
	case !o.own.there:
		o.expect(syscall.ENOENT, "vblade/drives", "del %s", o.own.name)
	case o.ports() > 0:
		o.expect(syscall.EBUSY, "vblade/drives", "del %s", o.own.name)
	default:
		o.expect(0, "vblade/drives", "del %s", o.own.name)
		o.own.there = false
	}
}

// label changes the model through an export, and reads it there again.
func (o *owner) label(s *ownSlot, slot int, netif, _ string) {
	file := fmt.Sprintf("kvblade/%d.%d@%s/model", o.shelf, slot, netif)
	model := fmt.Sprintf("model %d", o.random.Int())
	if !slices.Contains(s.netifs, netif) {
		o.expect(syscall.ENOENT, file, "%s", model)
		return
	}
	o.expect(0, file, "%s", model)
	if text, _ := o.read(file); strings.TrimSpace(text) != model {
		o.fault("%s is %q, want %q", file, text, model)
	}
}

// look compares what one tree shows of the shelf with what must be there.
func (o *owner) look() {
	want := o.expected()
	got := view{}
	switch o.random.IntN(3) {
	case 0, 1:
		file, parse := "aoeserver", parseListing
		if o.random.IntN(2) == 0 {
			file, parse = "saved", parseSaved
		}
		text, _ := o.read(file)
		l, err := parse(text)
		if err != nil {
			o.fault("%s: %v in\n%s", file, err, text)
		}
		for place, path := range l.exports {
			if strings.HasPrefix(place, fmt.Sprintf("%d.", o.shelf)) {
				got[place] = path
			}
		}
		for slot, s := range o.slots {
			if listed := l.hosts[fmt.Sprintf("%d.%d", o.shelf, slot)]; !slices.Equal(listed, s.hosts) {
				o.fault("%s lists %v for %d.%d, want %v", file, listed, o.shelf, slot, s.hosts)
			}
		}
	case 2:
		for place := range want {
			path, _ := o.read("kvblade/" + strings.Replace(place, " ", "@", 1) + "/bpath")
			got[place] = strings.TrimSuffix(path, "\n")
		}
	}
	if !maps.Equal(got, want) {
		o.fault("of shelf %d there is\n%v\nwant\n%v", o.shelf, got, want)
	}
}

// expected is what every view must show of the shelf.
func (o *owner) expected() view {
	v := view{}
	for slot, s := range o.slots {
		for _, netif := range s.netifs {
			v[fmt.Sprintf("%d.%d %s", o.shelf, slot, netif)] = s.drive.path
		}
	}
	return v
}
