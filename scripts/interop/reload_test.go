package interop

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"vbladefs/scripts/vm"
)

// TestReloadUnderLoad changes what ggaoed and qaoed serve while the client writes to file systems of both, by file and signal,
// by ggaoectl and by qdctl. Nothing of it may reach the client but what it is told of.
func TestReloadUnderLoad(t *testing.T) {
	const mtu = 9000
	binary := build(t)
	r := newRig(t, mtu)
	full := framePayload(mtu)
	gDisk, gMore := newDisk(t, 16<<20), newDisk(t, 2<<20)
	qDisk, qMore := newDisk(t, 17<<20), newDisk(t, 3<<20)
	h := newHouse(t, r, binary, map[string]disk{"/dev/loop0": gDisk, "/dev/loop1": gMore, "/dev/loop2": qDisk, "/dev/loop3": qMore})
	u := &underLoad{house: h, t: t}
	u.g = u.startGgaoed(t)
	u.startQaoed(t)
	g, q := export{"e1.0", gDisk, full, 16}, export{"e2.0", qDisk, full, 20}
	if !t.Run("discovery", func(t *testing.T) { checkFound(t, r, g); checkFound(t, r, q) }) {
		t.FailNow()
	}
	r.run(t, "dmesg -c >/dev/null")
	u.loads = []*load{startLoad(t, r, g), startLoad(t, r, q)}
	moreG, moreQ := export{"e1.1", gMore, full, 16}, export{"e2.1", qMore, full, 20}

	t.Run("ggaoed", func(t *testing.T) { u.ggaoed(t, g, moreG) })
	t.Run("qaoed", func(t *testing.T) { u.qaoed(t, q, moreQ) })
	for _, l := range u.loads {
		l.stop(t)
	}
	t.Run("content", func(t *testing.T) {
		gDisk.sync(t)
		qDisk.sync(t)
		checkContent(t, r, g, q)
	})
	t.Run("retransmits", func(t *testing.T) { reportRetransmits(t, r) })
	t.Run("complaints", func(t *testing.T) { checkCalm(t, r) })
}

// underLoad is a house with ggaoed and qaoed, and loads on both.
type underLoad struct {
	*house
	t     *testing.T
	g     *shell
	loads []*load
}

func (u *underLoad) loadsGoOn(t *testing.T) {
	t.Helper()
	for _, l := range u.loads {
		l.goesOn(t)
	}
}

const gBase = "[disk]\npath = /dev/loop0\nshelf = 1\nslot = 0\n"

func (u *underLoad) startGgaoed(t *testing.T) *shell {
	u.file(t, "ggaoed.conf", gBase)
	return u.stays(t, "ggaoed.log", "./ggaoed -c ggaoed.conf -d", "serving 1 devices")
}

// gStep has ggaoed read a file, again and again with nothing new, and sees the loads go on.
func (u *underLoad) gStep(t *testing.T, name, config, want string, after func(t *testing.T)) {
	t.Run(name, func(t *testing.T) {
		u.file(t, "ggaoed.conf", config)
		for _, how := range []func(){
			func() { u.g.signal(t, "HUP") },
			func() { u.types(t, "./ggaoectl -c ggaoed.conf reload") },
		} {
			before := strings.Count(u.g.says(), want)
			how()
			u.g.awaitsMore(t, want, before)
		}
		if after != nil {
			after(t)
		}
		u.loadsGoOn(t)
	})
}

func (u *underLoad) ggaoed(t *testing.T, e, more export) {
	const moreConfig = "[more]\npath = /dev/loop1\nshelf = 1\nslot = 1\n"
	const served = "reloaded ggaoed.conf: serving "
	u.gStep(t, "nothing new", gBase, served+"1 devices", nil)
	u.gStep(t, "a device more", gBase+moreConfig, served+"2 devices", func(t *testing.T) {
		checkFound(t, u.r, more)
		checkContent(t, u.r, more)
	})
	u.gStep(t, "a wrong file", gBase+"queue-length = 0\n"+moreConfig, "The config file contains errors, not reloading", func(t *testing.T) {
		checkContent(t, u.r, more)
	})
	u.gStep(t, "fewer buffers, page cache", gBase+"queue-length = 4\ndirect-io = false\n"+moreConfig, served+"2 devices", nil)
	u.gStep(t, "its list of hosts", gBase+"accept = 02:00:00:00:00:09, "+vm.DefaultMAC+"\ndeny = 02:00:00:00:00:08\n", served+"1 devices", func(t *testing.T) {
		u.r.run(t, "aoe-flush %s", more.name)
	})
	u.gStep(t, "a smaller MTU", gBase+"[eth0]\nmtu = 4200\n", served+"1 devices", func(t *testing.T) {
		u.r.run(t, "until_ok grep -qx 4096 '%s/payload'", e.sysfs())
	})
	u.gStep(t, "the whole MTU again", gBase, served+"1 devices", func(t *testing.T) {
		u.r.run(t, "until_ok grep -qx %d '%s/payload'", e.payloadBytes, e.sysfs())
	})
	u.gStep(t, "another name", strings.Replace(gBase, "[disk]", "[name]", 1), served+"1 devices", nil)
	u.gStep(t, "names exchanged", strings.Replace(moreConfig, "[more]", "[name]", 1)+gBase, served+"2 devices", func(t *testing.T) {
		checkContent(t, u.r, more)
	})
	t.Run("killed and started again", func(t *testing.T) { // its pid file and socket are still there
		u.g.signal(t, "KILL")
		u.g.exited <- <-u.g.exited
		u.g = u.stays(t, "ggaoed2.log", "./ggaoed -c ggaoed.conf -d", "serving 2 devices")
		u.loadsGoOn(t)
	})
}

const qBase = "apisocket = /tmp/qaoedsocket;\ndefault { shelf = 2; slot = 0; interface = eth0; }\n"

func (u *underLoad) startQaoed(t *testing.T) {
	u.file(t, "qaoed.conf", qBase+"device { target = /dev/loop2; }\n")
	u.types(t, "./qaoed -c qaoed.conf")
}

// qStep has qaoed read a file again, and sees the loads go on.
func (u *underLoad) qStep(t *testing.T, name, config, want string, after func(t *testing.T)) {
	t.Run(name, func(t *testing.T) {
		u.file(t, "qaoed.conf", config)
		before := strings.Count(u.syslog.String(), want)
		u.types(t, "kill -HUP "+u.processOf(t, "./qaoed -c qaoed.conf"))
		for deadline := time.Now().Add(time.Minute); strings.Count(u.syslog.String(), want) <= before; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("it does not say %q for a minute:\n%s", want, u.syslog)
			}
		}
		if after != nil {
			after(t)
		}
		u.loadsGoOn(t)
	})
}

func (u *underLoad) qaoed(t *testing.T, e, more export) {
	const served = "qaoed.conf was read again: serving "
	device := func(body string) string { return fmt.Sprintf("device { target = /dev/loop2; slot = 0; %s }\n", body) }
	us := "access-list { name = us; policy = reject; accept = " + vm.DefaultMAC + "; }\n"
	const moreConfig = "device { target = /dev/loop3; slot = 1; }\n"

	u.qStep(t, "nothing new", qBase+device(""), served+"1 targets", nil)
	for range 2 {
		t.Run("qdctl add", func(t *testing.T) {
			u.qdctl(t, "add target /dev/loop3 2 1 eth0", "Successfully added new target")
			checkFound(t, u.r, more)
			checkContent(t, u.r, more)
			u.loadsGoOn(t)
		})
		t.Run("qdctl remove", func(t *testing.T) {
			u.qdctl(t, "remove target /dev/loop3 2 1 eth0", "Command completed successfully")
			u.r.run(t, "aoe-flush %s", more.name)
			u.loadsGoOn(t)
		})
	}
	t.Run("qdctl set interface mtu", func(t *testing.T) {
		u.types(t, "./qdctl set interface mtu eth0 4200")
		u.r.run(t, "aoe-discover; until_ok grep -qx 4096 '%s/payload'", e.sysfs())
		u.types(t, "./qdctl set interface mtu eth0 auto")
		u.r.run(t, "aoe-discover; until_ok grep -qx %d '%s/payload'", e.payloadBytes, e.sysfs())
		u.loadsGoOn(t)
	})
	u.qStep(t, "no write cache", qBase+device("writecache = off;"), served+"1 targets", nil)
	u.qStep(t, "its lists", us+qBase+device("acl { cfgread = us; cfgset = us; read = us; write = us; }"), served+"1 targets", nil)
	u.qStep(t, "a device more", us+qBase+device("acl { read = us; }")+moreConfig, served+"2 targets", func(t *testing.T) {
		checkFound(t, u.r, more)
		checkContent(t, u.r, more)
	})
	u.qStep(t, "a wrong file", us+qBase+device("acl { read = them; }")+moreConfig, "is not taken, and all stays as it is", func(t *testing.T) {
		checkContent(t, u.r, more)
	})
	u.qStep(t, "a device less", qBase+device("broadcast = off;"), served+"1 targets", nil)
	t.Run("killed and started again", func(t *testing.T) { // its socket is still there
		u.endBy(t, "KILL", u.processOf(t, "./qaoed -c qaoed.conf"))
		u.types(t, "./qaoed -c qaoed.conf")
		u.loadsGoOn(t)
		u.qdctl(t, "show targets", "/dev/loop2")
	})
}

func (u *underLoad) qdctl(t *testing.T, words, want string) {
	t.Helper()
	if out := u.types(t, "./qdctl "+words); !strings.Contains(out, want) {
		t.Errorf("qdctl %s: %s\nsyslog:\n%s", words, out, u.syslog)
	}
}

// calm is what the client's kernel says while all is well.
var calm = regexp.MustCompile(`: setting \d+ byte data frames$| v[0-9a-f]{4} has \d+ sectors$|aoe: unknown ioctl |EXT4-fs .*mounted filesystem|EXT4-fs .*unmounting filesystem`)

// checkCalm: the kernel log has nothing else of aoe, the block layer or the file system.
func checkCalm(t *testing.T, r *rig) {
	t.Helper()
	for line := range strings.Lines(r.run(t, "dmesg | grep -iE 'aoe|etherd|I/O|error|EXT4|JBD2' || true")) {
		if !calm.MatchString(strings.TrimSpace(line)) {
			t.Errorf("the client's kernel says: %s", line)
		}
	}
}
