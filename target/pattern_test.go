package target_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// patternRig has the drive d and no interface.
func patternRig(t *testing.T) targettest.Faults {
	rig := newRig(t)
	must(t, rig.Target().Do(target.AddDrive{Name: "d", Path: rig.Disk("d", 100, false)}))
	return rig
}

// addInterface makes an interface with an index of its own.
func addInterface(rig targettest.Faults, name string, index int, loopback bool) target.Interface {
	rig.Machine().SetInterface(name, index, 9000)
	info := target.Interface{Name: name, Index: index, MTU: 9000, MAC: targettest.MAC(name), Up: true, Ethernet: !loopback, Loopback: loopback}
	rig.Machine().SetInfo(info)
	rig.Target().InterfaceChanged(info)
	return info
}

// servedOn lists the interfaces where an address answers.
func servedOn(rig targettest.Faults, addr aoe.Addr, netifs ...string) (list []string) {
	for _, netif := range netifs {
		if slices.ContainsFunc(rig.Target().Interfaces(), func(n target.InterfaceInfo) bool { return n.Name == netif }) &&
			len(answers(rig, netif, queryFrame(addr, 77))) > 0 {
			list = append(list, netif)
		}
	}
	return list
}

func TestPattern(t *testing.T) {
	all := []string{"eth0", "eth1", "lan1", "lan12", "lo", "wlan0"}
	for pattern, want := range map[string]string{
		"*": "[eth0 eth1 lan1 lan12 wlan0]", "eth*": "[eth0 eth1]", "eth*,lan?": "[eth0 eth1 lan1]", "l*": "[lan1 lan12 lo]",
		"lo,*": "[eth0 eth1 lan1 lan12 lo wlan0]", "lo,eth1": "[eth1 lo]", "*lan*": "[lan1 lan12 wlan0]", "??": "[lo]", "x*": "[]", "e*0": "[eth0]",
		"**": "[eth0 eth1 lan1 lan12 lo wlan0]",
	} {
		t.Run(pattern, func(t *testing.T) {
			rig := patternRig(t)
			before := all[:3]
			for i, name := range before {
				addInterface(rig, name, i+1, name == "lo")
			}
			must(t, rig.Target().Do(target.AddPort{Drive: "d", Addr: blade, Interface: pattern}))
			for i, name := range all[3:] {
				addInterface(rig, name, i+4, name == "lo")
			}
			if got := fmt.Sprint(servedOn(rig, blade, all...)); got != want {
				t.Errorf("served on %s, want %s", got, want)
			}
			p, ok := rig.Target().Port(blade, pattern)
			if up := want != "[]"; !ok || p.Up != up || p.Interface != pattern || !up && !strings.Contains(p.Down, "no interface that matches x*") {
				t.Errorf("%+v", p)
			}
			must(t, rig.Target().Do(target.RemovePort{Addr: blade, Interface: pattern}))
			if got := servedOn(rig, blade, all...); len(got) > 0 {
				t.Errorf("served on %v still", got)
			}
		})
	}
}

// Two ports of an address that might meet are refused, whatever interfaces there
// are now; what differs is not.
func TestPatternsOfOneAddress(t *testing.T) {
	for _, tt := range []struct {
		first, second string
		refused       bool
	}{
		{"eth*", "eth0", true}, {"eth0", "eth*", true}, {"eth*", "lan*", false}, {"eth*", "*0", true}, {"eth*,lan?", "lan12", false},
		{"eth*", "lan0,e*", true}, {"*", "lo", true}, {"lo", "lo,x", true}, {"e?h*", "et*9", true}, {"a*b", "a*c", false}, {"a*", "b*,*a", true},
		{"eth?", "eth??", false}, {"*,x", "eth0", true}, {"eth*", "eth*", true}, {"eth1,eth2", "eth0", false},
	} {
		rig := patternRig(t)
		addInterface(rig, "eth0", 1, false)
		addInterface(rig, "lan12", 2, false)
		addInterface(rig, "lo", 3, true)
		must(t, rig.Target().Do(target.AddPort{Drive: "d", Addr: blade, Interface: tt.first}))
		err := rig.Target().Do(target.AddPort{Drive: "d", Addr: blade, Interface: tt.second})
		if tt.refused != errors.Is(err, target.ErrAddressTaken) || !tt.refused && err != nil {
			t.Errorf("%s, then %s: %v", tt.first, tt.second, err)
		}
		must(t, rig.Target().Do(target.AddPort{Drive: "d", Addr: aoe.Addr{Shelf: 2}, Interface: tt.second}))
	}
}

func TestPatternRefused(t *testing.T) {
	rig := patternRig(t)
	for _, pattern := range []string{",", "eth*,", ",eth*", "eth*,,lan*", "eth *", "a/*", "a:*", "#*", "*\n", strings.Repeat("a", 16) + "*", strings.Repeat("*", 201)} {
		if err := rig.Target().Do(target.AddPort{Drive: "d", Addr: blade, Interface: pattern}); !errors.Is(err, target.ErrNoInterface) {
			t.Errorf("%q: %v", pattern, err)
		}
		if err := rig.Target().Do(target.AddPort{Drive: "d", Addr: blade, Interface: pattern, Wait: true}); !errors.Is(err, target.ErrNoInterface) {
			t.Errorf("%q, waiting: %v", pattern, err)
		}
	}
	if n := len(rig.Target().Ports()); n != 0 {
		t.Errorf("%d ports", n)
	}
}

// A renamed interface is left where its name does not match any more, and served
// where it does now; one that is gone is left, too.
func TestPatternFollowsNames(t *testing.T) {
	rig := patternRig(t)
	other := aoe.Addr{Shelf: 2}
	must(t, rig.Target().Do(target.AddPort{Drive: "d", Addr: blade, Interface: "eth*"}))
	must(t, rig.Target().Do(target.AddPort{Drive: "d", Addr: other, Interface: "wan?,x"}))
	addInterface(rig, "eth0", 1, false)
	check := func(eth, wan string) {
		t.Helper()
		if got, also := fmt.Sprint(servedOn(rig, blade, "eth0", "wan0")), fmt.Sprint(servedOn(rig, other, "eth0", "wan0")); got != eth || also != wan {
			t.Errorf("served on %s and %s, want %s and %s", got, also, eth, wan)
		}
	}
	check("[eth0]", "[]")
	rig.Target().InterfaceChanged(rig.Machine().RenameInterface("eth0", "wan0"))
	check("[]", "[wan0]")
	rig.Machine().RemoveInterface("wan0")
	rig.Target().InterfaceVanished("wan0", 1)
	check("[]", "[]")
	if p, _ := rig.Target().Port(other, "wan?,x"); p.Up || len(rig.Target().Interfaces()) != 0 {
		t.Errorf("%+v, interfaces %+v", p, rig.Target().Interfaces())
	}
}

// Of two bindings of an address that have come to match one interface the first
// has it; when it goes the other does. That can be saved and restored.
func TestPatternMeetsNameByRename(t *testing.T) {
	rig := patternRig(t)
	addInterface(rig, "eth0", 1, false)
	must(t, rig.Target().Do(target.AddPort{Drive: "d", Addr: blade, Interface: "eth0"}))
	must(t, rig.Target().Do(target.AddPort{Drive: "d", Addr: blade, Interface: "wan*"}))
	rig.Target().InterfaceChanged(rig.Machine().RenameInterface("eth0", "wan0"))
	down := func(netif string) string { p, _ := rig.Target().Port(blade, netif); return p.Down }
	if down("wan0") != "" || !strings.Contains(down("wan*"), "1.0 is there by its port on wan0") {
		t.Errorf("wan0 is down %q, wan* is down %q", down("wan0"), down("wan*"))
	}
	again := patternRig(t)
	addInterface(again, "wan0", 1, false)
	for _, p := range rig.Target().Ports() {
		must(t, again.Target().Do(target.Waiting(target.AddPort{Drive: "d", Addr: p.Addr, Interface: p.Interface})))
	}
	for _, r := range []targettest.Faults{rig, again} {
		must(t, r.Target().Do(target.RemovePort{Addr: blade, Interface: "wan0"}))
		if got := servedOn(r, blade, "wan0"); len(got) != 1 {
			t.Error("the other does not take the place of the first")
		}
		if p, _ := r.Target().Port(blade, "wan*"); !p.Up {
			t.Errorf("%+v", p)
		}
	}
}

// A pattern matches what path.Match says, and two patterns are taken to overlap
// when some name matches both.
func FuzzPatterns(f *testing.F) {
	f.Add("eth*", "lan?", "eth0")
	f.Add("*a*b?", "a*", "aabb")
	f.Fuzz(func(t *testing.T, a, b, name string) {
		const letters = "ab*?"
		limit := func(s, of string) string {
			out := []byte(s[:min(len(s), 12)])
			for i := range out {
				out[i] = of[out[i]%byte(len(of))]
			}
			return string(out)
		}
		a, b, name = limit(a, letters), limit(b, letters), limit(name, "ab")
		inA, _ := path.Match(a, name)
		inB, _ := path.Match(b, name)
		if target.Intersect(a, name) != inA {
			t.Errorf("%q matches %q: %v, want %v", a, name, !inA, inA)
		}
		if inA && inB && !target.Intersect(a, b) || target.Intersect(a, b) != target.Intersect(b, a) {
			t.Errorf("%q and %q both match %q", a, b, name)
		}
	})
}

// TestIntersect tries all short texts.
func TestIntersect(t *testing.T) {
	var names []string
	for n := range 7 {
		for i := range 1 << n {
			names = append(names, strings.NewReplacer("0", "a", "1", "b").Replace(fmt.Sprintf("%0*b", n, i)[:n]))
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		var p [2]string
		for i := range p {
			for range random.IntN(4) {
				p[i] += string("ab*?"[random.IntN(4)])
			}
		}
		want := slices.ContainsFunc(names, func(name string) bool {
			a, _ := path.Match(p[0], name)
			b, _ := path.Match(p[1], name)
			return a && b
		})
		if got := target.Intersect(p[0], p[1]); got != want {
			t.Fatalf("%q and %q: %v, want %v", p[0], p[1], got, want)
		}
	}
}
