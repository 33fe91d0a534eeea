package main_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"time"
)

// The shared objects: two addresses that come, go and change their disk; two that
// a named drive may serve as well; drive names; and what can be set of a drive and
// an address that stay.
const (
	sharedShelf = 100
	stayShelf   = 200 // 200.0 is always there, and under load; so is 200.1, for its hosts
	sharedDrive = "shared"
	stayDrive   = "stays"
	hostsShelf  = "200 1"
)

var (
	hosts  = []string{"02:00:00:00:00:0A", "02:00:00:00:00:0B", "02:00:00:00:00:0C"}
	caches = []string{"writeback", "direct", "durable"}
)

// racer does what others do to the same objects at the same time, and records it.
type racer struct {
	*concurrent
	random *rand.Rand
	record map[string][]event
}

func newRacer(l *concurrent, n int) *racer {
	return &racer{concurrent: l, random: rand.New(rand.NewPCG(l.seed, 1000+uint64(n))), record: map[string][]event{}}
}

func (r *racer) pick(of []string) string { return of[r.random.IntN(len(of))] }

// do writes a line and records what its answer means for the object.
func (r *racer) do(object, arg string, meaning map[syscall.Errno]verb, file, format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	e := event{arg: arg, where: object, began: time.Since(r.start)}
	errno := r.write(file, line)
	e.ended = time.Since(r.start)
	e.answer = fmt.Sprintf("%q to %s: %v", line, file, errnoText(errno))
	verb, known := meaning[errno]
	if !known {
		r.fault("%s", e.answer)
		return
	}
	e.verb = verb
	r.record[object] = append(r.record[object], e)
}

func (r *racer) step() {
	slot, path := r.random.IntN(4), r.pick(r.disks)
	object := fmt.Sprintf("%d.%d", sharedShelf, slot)
	switch r.random.IntN(14) {
	case 0, 1:
		r.do(object, path, map[syscall.Errno]verb{0: added, syscall.EEXIST: taken, syscall.EBUSY: retry}, "kvblade/add",
			"%d %d eth0 %s", sharedShelf, slot, path)
	case 2:
		r.do(object, path, map[syscall.Errno]verb{0: added, syscall.EINVAL: taken}, "aoeserver", "add %s %d %d eth0", path, sharedShelf, slot)
	case 3:
		r.do(object, "", map[syscall.Errno]verb{0: removed, syscall.ENOENT: missing}, "kvblade/del", "%d %d eth0", sharedShelf, slot)
	case 4:
		r.do(object, "", map[syscall.Errno]verb{0: removedAny}, "aoeserver", "del x %d %d", sharedShelf, slot)
	case 5, 6:
		r.changeDisk(slot, path, object)
	case 7:
		name := fmt.Sprintf("shared%d", r.random.IntN(2))
		if r.random.IntN(2) == 0 {
			r.do(name, path, map[syscall.Errno]verb{0: added, syscall.EEXIST: taken}, "vblade/drives", "add %s %s", name, path)
		} else {
			r.do(name, "", map[syscall.Errno]verb{0: removed, syscall.ENOENT: missing}, "vblade/drives", "del %s", name)
		}
	case 8:
		host := r.pick(hosts)
		if r.random.IntN(2) == 0 {
			r.do("host "+host, "listed", map[syscall.Errno]verb{0: set}, "aoeserver", "hostmask %s %s", hostsShelf, host)
		} else {
			r.do("host "+host, "", map[syscall.Errno]verb{0: set}, "aoeserver", "rmmask %s %s", hostsShelf, host)
		}
	case 9:
		cache := r.pick(caches)
		r.do("cache", cache, map[syscall.Errno]verb{0: set}, "vblade/"+stayDrive+"/cache", "%s", cache)
	case 10, 11:
		r.native(object)
	default:
		model := fmt.Sprintf("m%d", r.random.IntN(1e9))
		file := r.pick([]string{"vblade/" + stayDrive + "/model", fmt.Sprintf("kvblade/%d.0@eth0/model", stayShelf)})
		r.do("model", model, map[syscall.Errno]verb{0: set}, file, "%s", model)
	}
}

// changeDisk swaps the disk of the first two addresses; the others may be of a drive
// with a name, whose disk must stay, and come and go with that.
func (r *racer) changeDisk(slot int, path, object string) {
	if slot < 2 {
		r.do(object, path, map[syscall.Errno]verb{0: replaced, syscall.ENOENT: missing}, "kvblade/readd",
			"%d %d eth0 %s", sharedShelf, slot, path)
		return
	}
	file := "vblade/" + sharedDrive + "/ports"
	if r.random.IntN(2) == 0 {
		r.do(object, r.named, map[syscall.Errno]verb{0: added, syscall.EEXIST: taken}, file, "add eth0 %d %d", sharedShelf, slot)
	} else {
		r.do(object, r.named, map[syscall.Errno]verb{0: removedThis, syscall.ENOENT: notThis}, file, "del eth0 %d %d", sharedShelf, slot)
	}
}

// saw records what a text, read between began and now, says of the objects.
func (r *racer) saw(file string, began time.Duration, states map[string]string) {
	ended := time.Since(r.start)
	for object, state := range states {
		r.record[object] = append(r.record[object], event{seen, state, began, ended, object, "read " + file})
	}
}

// look reads one of the views, holds it to be well formed and of one moment, and
// records what it says of the shared objects.
func (r *racer) look() {
	began := time.Since(r.start)
	switch r.random.IntN(6) {
	case 0:
		file, parse := "aoeserver", parseListing
		if r.random.IntN(2) == 0 {
			file, parse = "saved", parseSaved
		}
		text, _ := r.read(file)
		l, err := parse(text)
		if err != nil {
			r.fault("%s: %v in\n%s", file, err, text)
		}
		states := map[string]string{}
		for slot := range 4 {
			object := fmt.Sprintf("%d.%d", sharedShelf, slot)
			states[object] = l.exports[object+" eth0"]
		}
		for _, host := range hosts {
			states["host "+host] = ""
			if slices.Contains(l.hosts[strings.Replace(hostsShelf, " ", ".", 1)], host) {
				states["host "+host] = "listed"
			}
		}
		r.saw(file, began, states)
	case 1:
		text, _ := r.read("vblade/drives")
		drives, err := parseDrives(text)
		if err != nil {
			r.fault("vblade/drives: %v in\n%s", err, text)
		}
		r.saw("vblade/drives", began, map[string]string{"shared0": drives["shared0"].path, "shared1": drives["shared1"].path})
	case 2:
		cache, _ := r.read("vblade/" + stayDrive + "/cache")
		r.saw("cache", began, map[string]string{"cache": strings.TrimSpace(cache)})
	case 3:
		model, _ := r.read(fmt.Sprintf("kvblade/%d.0@eth0/model", stayShelf))
		r.saw("model", began, map[string]string{"model": strings.TrimSpace(model)})
	case 4:
		object := fmt.Sprintf("%d.%d", sharedShelf, r.random.IntN(4))
		path, _ := r.read("kvblade/" + object + "@eth0/bpath") // gone: not there, at some moment until now
		r.saw("bpath", began, map[string]string{object: strings.TrimSpace(path)})
	case 5:
		r.walk(r.pick([]string{"kvblade", "vblade", "interfaces", "targets"}))
	}
}

// walk reads a part of the tree, in which things come and go.
func (r *racer) walk(folder string) {
	for _, name := range r.names(folder) {
		for _, file := range r.names(folder + "/" + name) {
			if r.random.IntN(8) > 0 {
				continue
			}
			if text, there := r.read(folder + "/" + name + "/" + file); there && text != "" && !strings.HasSuffix(text, "\n") {
				r.fault("%s/%s/%s reads as %q", folder, name, file, text)
			}
		}
	}
}
