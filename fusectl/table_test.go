package fusectl

import (
	"reflect"
	"testing"

	"vbladefs/compat/vbladekernel"
	"vbladefs/target"
)

// described is an engine that shows what it is given and does nothing.
type described struct {
	Engine
	ports []target.PortInfo
}

func (d described) Ports() []target.PortInfo { return d.ports }

func set(field reflect.Value, n int) {
	if field.CanUint() {
		field.SetUint(uint64(n))
	} else {
		field.SetInt(int64(n))
	}
}

// TestTotal sets every counter of two ports, so that a new one cannot be
// forgotten in the sum.
func TestTotal(t *testing.T) {
	var one, sum target.Stats
	for i, v, total := 0, reflect.ValueOf(&one).Elem(), reflect.ValueOf(&sum).Elem(); i < v.NumField(); i++ {
		set(v.Field(i), i+1)
		set(total.Field(i), 2*(i+1))
	}
	tree := &tree{engine: described{ports: []target.PortInfo{{Stats: one}, {Stats: one}}}}
	c, ok := vbladeDir.child(tree, subject{}, "stats")
	if !ok {
		t.Fatal("there is no vblade/stats")
	}
	got, ok := c.file.text(tree, c.subject)
	if want := vbladekernel.ListStats(sum); !ok || string(got) != string(want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestInterfaceTexts(t *testing.T) {
	netif := target.InterfaceInfo{Name: "eth0", MTU: 9000, Ports: 1, Ignored: 2, Foreign: 3, ReceiveDrops: 4, OverloadDrops: 14, SendDrops: 5, Workers: 6, Wildcards: 7,
		Received: target.Traffic{Frames: 8, Bytes: 9, Batches: 10}, Sent: target.Traffic{Frames: 11, Bytes: 12, Batches: 13}}
	if got, want := interfaceStats(netif), "ports 1\nignored 2\nforeign 3\nreceive_drops 4\nsend_drops 5\nworkers 6\noverload_drops 14\n"; got != want {
		t.Errorf("stats: got %q, want %q", got, want)
	}
	if got, want := interfaceTraffic(netif), "received_frames 8\nreceived_bytes 9\nreceived_batches 10\nsent_frames 11\nsent_bytes 12\nsent_batches 13\nwildcards 7\n"; got != want {
		t.Errorf("traffic: got %q, want %q", got, want)
	}
	for _, tt := range []struct {
		up         bool
		link, want string
	}{{true, "ring", "up ring\n"}, {true, "raw", "up raw\n"}, {true, "", "up none\n"}, {false, "", "down none\n"}} {
		netif.Up, netif.Link = tt.up, tt.link
		if got := linkText(netif); got != tt.want {
			t.Errorf("link: got %q, want %q", got, tt.want)
		}
	}
}
