package ggaoed

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// unplaced is c without the numbers of its lines.
func unplaced(c Config) Config {
	for i := range c.ACLs {
		c.ACLs[i].Line = 0
	}
	for i := range c.Devices {
		c.Devices[i].Line = 0
	}
	for i := range c.Interfaces {
		c.Interfaces[i].Line = 0
	}
	return c
}

// TestPrintThenParse: what Print writes of any Config, Parse reads.
func TestPrintThenParse(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for i := range 2000 {
		want := randomConfig(r)
		text := Print(want)
		got, warnings, err := Parse("printed", []byte(text), randomEnv)
		if err != nil || !reflect.DeepEqual(unplaced(got), want) {
			t.Fatalf("round %d: %v\n%v\n%s\ngot  %+v\nwant %+v", i, err, warnings, text, unplaced(got), want)
		}
		if again := Print(got); again != text {
			t.Fatalf("printed\n%s\nand again\n%s", text, again)
		}
	}
}

var randomEnv = Env{
	Ethers: Ethers{"host": {2, 0, 0, 0, 0, 1}}.Host,
	UUID:   func(uuid string) (string, error) { return "/dev/disk/by-uuid/" + uuid, nil },
}

func randomConfig(r *rand.Rand) Config {
	c := Config{Generation: V11}
	if r.IntN(3) == 0 {
		c.Generation = V09
	}
	c.Defaults = defaults(c.Generation)
	d := &c.Defaults
	d.Tuning, d.Socket = randomTuning(r, c.Generation, d.Tuning, 0), randomSocket(r, c.Generation, d.Socket)
	d.Interfaces = randomPatterns(r)
	if c.Generation == V11 {
		d.TXRingBug = r.IntN(2) == 0
		d.StateDirectory = pick(r, "", "/state", "/a folder ")
	}
	d.PIDFile, d.ControlSocket = pick(r, "", "/run/\\s", "/run/x y "), pick(r, "", "/run/s")
	all := List{Items: []string{"1:2:3:4:5:6", "host"}, Hosts: []aoe.MAC{{1, 2, 3, 4, 5, 6}, {2, 0, 0, 0, 0, 1}}}
	lists := []List{{}, all, {Items: []string{`a,\b `[:4], "host"}, Hosts: []aoe.MAC{all.Hosts[0], all.Hosts[1]}}}
	c.ACLs = []ACL{{Name: `a,\b`, List: all}}
	for _, name := range []string{"eth0", "eth 1"}[:r.IntN(3)] {
		c.Interfaces = append(c.Interfaces, Interface{Name: name, Socket: randomSocket(r, c.Generation, d.Socket)})
	}
	for i, name := range []string{"disk", "my disk", " x#;= "}[:r.IntN(4)] {
		dev := Device{Name: name, Addr: aoe.Addr{Shelf: uint16(r.IntN(target.MaxShelf + 1)), Slot: uint8(i)}, Path: pick(r, "/dev/sda", `/dev/\x`),
			Tuning: randomTuning(r, c.Generation, d.Tuning, 1), ReadOnly: r.IntN(2) == 0, Broadcast: r.IntN(2) == 0,
			Accept: pick(r, lists...), Deny: pick(r, lists...)}
		if r.IntN(2) == 0 {
			dev.UUID, dev.Path = "1-2", "/dev/disk/by-uuid/1-2"
		}
		if r.IntN(2) == 0 {
			dev.Interfaces = []string{"*"}
		}
		c.Devices = append(c.Devices, dev)
	}
	return c
}

func randomTuning(r *rand.Rand, g Generation, inherited Tuning, least int64) Tuning {
	if r.IntN(2) == 0 {
		return inherited
	}
	t := Tuning{QueueLength: 1 + r.IntN(maxQueue), DirectIO: r.IntN(2) == 0, TraceIO: r.IntN(2) == 0,
		MaxDelay: inherited.MaxDelay, MergeDelay: inherited.MergeDelay}
	if g == V11 {
		t.MaxDelay, t.MergeDelay = time.Duration(least+r.Int64N(int64(time.Second)-least)), time.Duration(r.Int64N(1000))
	}
	return t
}

func randomSocket(r *rand.Rand, g Generation, inherited Socket) Socket {
	s := inherited
	s.MTU = pick(r, s.MTU, 0, minMTU, 1500, maxInt)
	if g == V09 {
		s.RingKiB = r.IntN(maxBuffers+1) * bufferKiB
		return s
	}
	s.RingKiB, s.SendKiB, s.ReceiveKiB = pick(r, s.RingKiB, 0, maxInt), r.IntN(3), r.IntN(3)
	return s
}

func randomPatterns(r *rand.Rand) []string {
	return pick(r, nil, []string{"eth0"}, []string{"eth*", "?an*"})
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// TestRemarks: remarks know where they belong, in the file and beyond 100 lines.
func TestRemarks(t *testing.T) {
	_, warnings, err := Parse("gg.conf", []byte("[disk]\n  path =  /dev/sda\nshelf = 1 x\nslot = 256\n"), Env{})
	var m Mistakes
	if !errors.As(err, &m) || len(m) != 1 || len(warnings) != 1 {
		t.Fatalf("got %v and %v", err, warnings)
	}
	want := Remark{File: "gg.conf", Line: 4, Column: 8, Group: "disk", Key: "slot", Value: "256", Text: "want a decimal number from 0 to 254"}
	if m[0] != want || m[0].String() != `gg.conf:4: [disk] slot: "256": want a decimal number from 0 to 254` {
		t.Errorf("got %#v, %s", m[0], m[0])
	}
	if w := warnings[0]; w.Line != 3 || w.Column != 9 || w.Key != "shelf" || w.Value != "1 x" {
		t.Errorf("got %#v", w)
	}
	_, _, err = Parse("gg.conf", []byte(strings.Repeat("junk\n", 1000)), Env{})
	if errors.As(err, &m); len(m) != mostRemarks+1 || m[mostRemarks].String() != "gg.conf: and so on" {
		t.Errorf("got %d mistakes, %v", len(m), m[len(m)-1])
	}
	_, _, err = Parse("gg.conf", make([]byte, MaxFile+1), Env{})
	if err == nil || !strings.Contains(err.Error(), "want at most 1048576") {
		t.Errorf("got %v", err)
	}
}

// TestControlSocket: ggaoectl finds the socket of a file that the daemon refuses,
// unless it is no key file.
func TestControlSocket(t *testing.T) {
	tests := []struct{ name, text, want, err string }{
		{"named", "[defaults]\nmtu = no\ncontrol-socket = /run/x\n[d]\nshelf = y\nuuid = z\n", "/run/x", ""},
		{"not named", "[d]\nshelf = 1\n", "", ""},
		{"relative", "[defaults]\ncontrol-socket = x\n", "/srv/x", ""},
		{"a folder", "[defaults]\ncontrol-socket = /run/\n", "/run/ggaoed.sock", ""},
		{"without groups", "control-socket = /run/x\npath = /dev/sda\n", "/run/x", ""},
		{"too long", "[defaults]\ncontrol-socket = /" + strings.Repeat("x", 107) + "\n", "", "want a path of at most 107"},
		{"no key file", "control-socket\n", "", "want KEY = VALUE"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ControlSocket("gg.conf", []byte(tt.text), Env{Dir: "/srv"})
			if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got %q, %v; want %q, %q", got, err, tt.want, tt.err)
			}
		})
	}
}

// TestMTU: the limit of [defaults] is for interfaces without a group, too.
func TestMTU(t *testing.T) {
	c, _, err := Parse("gg.conf", []byte("[defaults]\nmtu = 1056\n[eth1]\nmtu = 0\n[eth2]\n"), Env{})
	if err != nil || c.MTU("eth0") != 1056 || c.MTU("eth1") != 0 || c.MTU("eth2") != 1056 {
		t.Errorf("got %d, %d, %d, %v", c.MTU("eth0"), c.MTU("eth1"), c.MTU("eth2"), err)
	}
	if l := c.Plan([]string{"eth0", "eth1", "bad name"}).Limits; len(l) != 2 || l[0] != (target.MTULimit{Interface: "eth0", MTU: target.MinMTULimit}) {
		t.Errorf("got %v", l)
	}
}
