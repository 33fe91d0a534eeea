package main_test

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe"
)

// crashes is how often a daemon is killed: VBLADEFS_CRASHES, or a few times.
func crashes(t *testing.T) int { return given(t, "VBLADEFS_CRASHES", 4, 1_000_000) }

// given is the number that a variable has, up to most; usual if it is not set.
func given(t *testing.T, variable string, usual, most int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		t.Fatalf("%s=%s: want 1 to %d", variable, text, most)
	}
	return n
}

// strict tells whether bounds on time are held, as on a machine with nothing else to do.
func strict() bool { return os.Getenv("VBLADEFS_STRICT") != "" }

// bound fails the test if something took too long: longer than want where that is
// held, else longer than patience: a busy machine.
func bound(t *testing.T, what string, took, want time.Duration) {
	t.Helper()
	if !strict() {
		want = patience
	}
	if took > want {
		t.Errorf("%s took %v, want %v at most", what, took.Round(time.Millisecond), want)
	}
}

// TestCrash kills the daemon at random moments under a load that knows what every
// sector may hold, and starts it again from its state.
func TestCrash(t *testing.T) {
	for _, cache := range []string{"writeback", "direct", "durable"} {
		t.Run(cache, func(t *testing.T) {
			t.Parallel()
			crash(t, crashes(t), "-cache", cache)
		})
	}
	t.Run("workers", func(t *testing.T) {
		t.Parallel()
		crash(t, crashes(t), "-workers", "2")
	})
}

func crash(t *testing.T, times int, flags ...string) {
	here, there := netiotest.Pair(t, 9000)
	mount := mountDir(t)
	flags = append(flags, "-state", t.TempDir())
	d := serveOn(t, here, mount, flags...)
	addrs := []aoe.Addr{{Shelf: 4, Slot: 0}, {Shelf: 4, Slot: 1}, {Shelf: 4, Slot: 2}}
	for n, a := range addrs {
		path, _ := image(t, mib)
		if n > 0 {
			path = loop(t, path)
		}
		d.echo("add "+path+" 4 "+strconv.Itoa(int(a.Slot))+" eth0", "aoeserver")
	}
	saved := d.read("saved")
	watcher := connect(t, there, "eth0")
	v := loadOn(t, there, "eth0", 16, addrs...)
	var back []time.Duration
	for range times {
		v.goesOn(50)
		time.Sleep(time.Duration(rand.IntN(50_000)) * time.Microsecond)
		if code := d.stop(syscall.SIGKILL); code != -1 {
			t.Fatalf("exit code %d after SIGKILL", code)
		}
		began := time.Now()
		d = start(t, here, slices.Concat([]string{"serve"}, flags, []string{mount})...)
		d.dir = mount
		for answered := 0; answered < len(addrs); {
			found, err := watcher.Discover(2 * time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			if answered = len(found); time.Since(began) > patience {
				t.Fatalf("only %d exports are back", answered)
			}
		}
		back = append(back, time.Since(began))
		d.await("the tree is mounted", func() bool { return strings.HasPrefix(d.lookAt("saved"), "#") })
		if now := d.read("saved"); now != saved {
			t.Errorf("before the death:\n%s\nafter:\n%s", saved, now)
		}
	}
	v.goesOn(200)
	v.check()
	slowest := slices.Max(back)
	t.Logf("%d deaths; back after %v at most", times, slowest.Round(time.Millisecond))
	bound(t, "coming back", slowest, time.Second)
}

// lookAt is the content of a file of the tree, or nothing while there is none.
func (d *daemon) lookAt(file string) string {
	text, _ := os.ReadFile(d.dir + "/" + file)
	return string(text)
}
