package target_test

import (
	"testing"

	"vbladefs/target"
)

// TestBacking tells URIs from paths, and names drives after both.
func TestBacking(t *testing.T) {
	for _, c := range []struct {
		path         string
		uri, backing bool
		base         string
	}{
		{"/dev/sda", false, true, "sda"},
		{"dev/sda", false, false, "sda"},
		{"nbd://host/disk1", true, true, "disk1"},
		{"nbd://host:10810/pool/image", true, true, "image"},
		{"nbds://host.example", true, true, "host.example"},
		{"nbd://host/", true, true, "host"},
		{"nbd+unix:///disk?socket=/run/s.sock", true, true, "disk"},
		{"nbds+unix:///?socket=/run/s.sock", true, true, "s.sock"},
		{"nbd+unix://", true, true, "nbd"},
		{"nbd://%zz/", true, true, "nbd"},
		{"nbd:/host/disk", false, false, "disk"},
		{"http://host/disk", false, false, "disk"},
	} {
		if uri, backing, base := target.IsURI(c.path), target.IsBacking(c.path), target.BaseName(c.path); uri != c.uri || backing != c.backing || base != c.base {
			t.Errorf("%s: URI %t, backing %t, base %q; want %t, %t, %q", c.path, uri, backing, base, c.uri, c.backing, c.base)
		}
	}
}
