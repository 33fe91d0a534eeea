package aoe

import (
	"errors"
	"strings"
	"testing"
)

func TestParseMAC(t *testing.T) {
	good := map[string]MAC{
		"52:54:00:aa:00:01": client,
		"52:54:00:AA:00:01": client,
		"52:54:0:aa:0:1":    client,
		"ff:ff:ff:ff:ff:ff": Broadcast,
		"0:0:0:0:0:0":       {},
	}
	for s, want := range good {
		if got, err := ParseMAC(s); err != nil || got != want {
			t.Errorf("%q: %v, %v, want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", ":", ":::::", "52:54:00:aa:00", "52:54:00:aa:00:01:02", "52:54:00:aa:00:", "525400aa0001",
		"52-54-00-aa-00-01", "52:54:00:aa:00:1g", "52:54:00:aa:00:100", "52:54:00:aa:00:001", "52:54:00:aa:00:-1", "52:54:00:aa:00:+1",
		" 52:54:00:aa:00:01", "52:54:00:aa:00:01\n", "52:54:00:aa:00:0x", "5254:00:aa:00:01", "52:54:00:aa:00:_1"} {
		if got, err := ParseMAC(s); err == nil || got != (MAC{}) {
			t.Errorf("%q: %v, %v, want an error", s, got, err)
		} else if !strings.Contains(err.Error(), "hex pair") {
			t.Errorf("%q: the error does not say what is wanted: %v", s, err)
		}
	}
}

func TestParseAddr(t *testing.T) {
	good := map[string]Addr{"0.0": {}, "e0.1": {0, 1}, "3.5": {3, 5}, "e65534.254": {65534, 254}, "007.08": {7, 8}, "4095.0": {4095, 0}}
	for s, want := range good {
		if got, err := ParseAddr(s); err != nil || got != want {
			t.Errorf("%q: %v, %v, want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", ".", "e", "e.", "3", "3.", ".5", "3.5.7", "3,5", "ee3.5", "E3.5", "3.e5", "65535.0", "0.255", "65536.0", "0.256",
		"-1.0", "0.-1", "+1.0", "0x1.0", "1_0.0", " 3.5", "3.5 ", "3.5\n", "18446744073709551616.0", "\u0663.5"} {
		got, err := ParseAddr(s)
		if !errors.Is(err, ErrAddr) || got != (Addr{}) {
			t.Errorf("%q: %v, %v, want ErrAddr", s, got, err)
		} else if !strings.Contains(err.Error(), "shelf 0-65534") {
			t.Errorf("%q: the error does not say what is wanted: %v", s, err)
		}
	}
}

func TestNames(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{client.String(), "52:54:00:aa:00:01"},
		{Addr{65534, 254}.String(), "65534.254"},
		{ErrorCode(0).String(), "no error"},
		{ErrCommand.String(), "unrecognized command code"},
		{ErrReserved.String(), "target is reserved"},
		{ErrorCode(7).String(), "AoE error 7"},
		{ErrorCode(255).String(), "AoE error 255"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
	if !Broadcast.Group() || !(MAC{1}).Group() || client.Group() || (MAC{}).Group() {
		t.Error("group addresses are those with the lowest bit of the first byte set")
	}
}

func FuzzParseMAC(f *testing.F) {
	f.Add("52:54:00:aa:00:01")
	f.Add("5:4:0:a:0:1")
	f.Add("::::::")
	f.Fuzz(func(t *testing.T, s string) {
		mac, err := ParseMAC(s)
		if err != nil {
			if mac != (MAC{}) {
				t.Fatalf("%q: both %v and %v", s, mac, err)
			}
			return
		}
		if again, err := ParseMAC(mac.String()); err != nil || again != mac {
			t.Fatalf("%q is %v, which reads %v, %v", s, mac, again, err)
		}
	})
}

func FuzzParseAddr(f *testing.F) {
	f.Add("e0.1")
	f.Add("65535.255")
	f.Add("-1.+2")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddr(s)
		if err != nil {
			if a != (Addr{}) || !errors.Is(err, ErrAddr) {
				t.Fatalf("%q: %v, %v", s, a, err)
			}
			return
		}
		if a.Wildcard() {
			t.Fatalf("%q is the wildcard %v", s, a)
		}
		if again, err := ParseAddr(a.String()); err != nil || again != a {
			t.Fatalf("%q is %v, which reads %v, %v", s, a, again, err)
		}
	})
}
