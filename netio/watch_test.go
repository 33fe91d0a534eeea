package netio

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
)

// report is one callback of Watch.
type report struct {
	vanished bool
	ifi      Interface // name and index only, when vanished
}

// watchIn watches a namespace until the test ends; gate, when not nil, holds up the first report until it
// is closed.
func watchIn(t *testing.T, ns netiotest.Netns, bufferBytes int, gate chan struct{}) <-chan report {
	t.Helper()
	reports := make(chan report, 4096)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go ns.Do(func() {
		ended <- watch(ctx, bufferBytes,
			func(ifi Interface) {
				reports <- report{ifi: ifi}
				if gate != nil {
					<-gate
				}
			},
			func(name string, index int) { reports <- report{true, Interface{Name: name, Index: index}} })
	})
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("watch ended with %v, want context.Canceled", err)
			}
		case <-time.After(patience):
			t.Error("watch does not end with its context")
		}
	})
	return reports
}

// await reads reports until one is as wanted, and returns how many it read.
func await(t *testing.T, reports <-chan report, what string, wanted func(report) bool) (read int) {
	t.Helper()
	var seen []report
	timeout := time.After(patience)
	for {
		select {
		case r := <-reports:
			seen = append(seen, r)
			if wanted(r) {
				return len(seen)
			}
		case <-timeout:
			t.Fatalf("no report of %s, but %+v", what, seen)
		}
	}
}

func changedTo(name string, as func(Interface) bool) func(report) bool {
	return func(r report) bool { return !r.vanished && r.ifi.Name == name && as(r.ifi) }
}

func vanishedAs(name string) func(report) bool {
	return func(r report) bool { return r.vanished && r.ifi.Name == name && r.ifi.Index > 0 }
}

func TestWatchReportsEveryChange(t *testing.T) {
	a, b := netiotest.Pair(t, 1500)
	reports := watchIn(t, a, watchBufferBytes, nil)
	up := func(i Interface) bool { return i.Up && i.Ethernet }
	down := func(i Interface) bool { return !i.Up }
	await(t, reports, "loopback, present", changedTo("lo", func(i Interface) bool { return i.Loopback }))
	await(t, reports, "eth0, present", changedTo("eth0", up))

	for _, step := range []struct {
		what string
		ns   netiotest.Netns
		ip   string
		want func(report) bool
	}{
		{"MTU", a, "link set eth0 mtu 9000", changedTo("eth0", func(i Interface) bool { return i.MTU == 9000 })},
		{"MAC", a, "link set eth0 address 02:00:00:00:00:07", changedTo("eth0", func(i Interface) bool { return i.MAC[5] == 7 })},
		{"carrier lost", b, "link set eth0 down", changedTo("eth0", down)},
		{"carrier back", b, "link set eth0 up", changedTo("eth0", up)},
		{"down", a, "link set eth0 down", changedTo("eth0", down)},
		{"renamed", a, "link set eth0 name lan0", func(r report) bool {
			if r.vanished {
				t.Errorf("%s vanished", r.ifi.Name)
			}
			return r.ifi.Name == "lan0" && !r.ifi.Up
		}},
		{"up", a, "link set lan0 up", changedTo("lan0", up)},
		{"added", a, "link add name new0 type veth peer name new1", changedTo("new0", down)},
		{"deleted", a, "link del new0", vanishedAs("new0")},
		{"moved away", a, "link set lan0 netns " + b.Name, vanishedAs("lan0")},
	} {
		step.ns.Run("ip", strings.Fields(step.ip)...)
		await(t, reports, step.what, step.want)
	}
}

// TestWatchIgnoresBridgePorts: the kernel tells that a port left its bridge by a message of deletion.
func TestWatchIgnoresBridgePorts(t *testing.T) {
	a, _ := netiotest.Pair(t, 1500)
	a.Run("ip", "link", "add", "br0", "type", "bridge")
	reports := watchIn(t, a, watchBufferBytes, nil)
	for _, command := range []string{"link set eth0 master br0", "link set eth0 nomaster", "link set eth0 mtu 1400"} {
		a.Run("ip", strings.Fields(command)...)
	}
	await(t, reports, "the last change", func(r report) bool {
		if r.vanished {
			t.Errorf("%s vanished", r.ifi.Name)
		}
		return r.ifi.Name == "eth0" && r.ifi.MTU == 1400
	})
}

func TestWatchSurvivesLostMessages(t *testing.T) {
	a, _ := netiotest.Pair(t, 1500)
	gate := make(chan struct{})
	reports := watchIn(t, a, 4096, gate) // room for a message or two
	await(t, reports, "anything", func(report) bool { return true })

	const changes = 500
	var batch strings.Builder
	fmt.Fprintln(&batch, "link add name gone0 type veth peer name gone1")
	for i := range changes {
		fmt.Fprintf(&batch, "link set eth0 mtu %d\n", 1000+i)
	}
	fmt.Fprintln(&batch, "link del gone0\nlink add name new0 type veth peer name new1\nlink set eth0 mtu 2000")
	ip := a.Command("ip", "-batch", "-")
	ip.Stdin = strings.NewReader(batch.String())
	if out, err := ip.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	close(gate)

	present := make(map[string]bool)
	read := await(t, reports, "the last state", func(r report) bool {
		present[r.ifi.Name] = !r.vanished
		return r.ifi.MTU == 2000 && r.ifi.Name == "eth0"
	})
	if read >= changes {
		t.Errorf("%d reports of %d changes: nothing was lost, so nothing is tested", read, changes)
	}
	if !present["new0"] {
		await(t, reports, "new0", changedTo("new0", func(Interface) bool { return true }))
	}
	if present["gone0"] {
		await(t, reports, "gone0", vanishedAs("gone0"))
	}
	// It goes on after that.
	a.SetMTU("eth0", 1234)
	await(t, reports, "a later change", changedTo("eth0", func(i Interface) bool { return i.MTU == 1234 }))
	a.Run("ip", "link", "del", "new0")
	await(t, reports, "a later removal", vanishedAs("new0"))
}

func TestWatchReportsAnInterfaceOnlyWhenItDiffers(t *testing.T) {
	var reports []string
	w := watcher{
		known:    make(map[int]Interface),
		changed:  func(i Interface) { reports = append(reports, "changed "+i.Name) },
		vanished: func(name string, index int) { reports = append(reports, fmt.Sprint("vanished ", name, " ", index)) },
	}
	one, two := Interface{Name: "one", Index: 1}, Interface{Name: "two", Index: 2}
	w.compare([]Interface{one, two})
	w.compare([]Interface{one, two})
	w.see(one)
	w.compare([]Interface{{Name: "one", Index: 3}, {Name: "too", Index: 2}}) // replaced, renamed
	w.lose(9)
	want := "[changed one changed two vanished one 1 changed too changed one]"
	if got := fmt.Sprint(reports); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
