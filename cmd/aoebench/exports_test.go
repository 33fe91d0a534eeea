package main

import (
	"fmt"
	"strings"
	"testing"

	"vbladefs/target/aoe"
)

func TestExportLists(t *testing.T) {
	for text, want := range map[string]string{
		"e0.1": "0.1", "7.3": "7.3", "e0.1,e0.2": "0.1 0.2", "e1-2.3-4": "1.3 1.4 2.3 2.4", "e5-6.9,65534.254": "5.9 6.9 65534.254",
	} {
		list, err := parseExports(text)
		if got := strings.Trim(fmt.Sprint(list), "[]"); err != nil || got != want {
			t.Errorf("%q: %s, %v; want %s", text, got, err, want)
		}
	}
	if list, err := parseExports("e0-39.0-249"); err != nil || len(list) != 10000 {
		t.Errorf("%d exports, %v; want 10000", len(list), err)
	}
}

func FuzzExports(f *testing.F) {
	for _, s := range []string{"e0.1", "e0-39.0-249", "e0.1,1.2", "e.", "0-.-1", "e1-99999999999.0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseExports(text)
		if (err == nil) != (len(list) > 0) || len(list) > maxExports {
			t.Fatalf("%q: %d exports and %v", text, len(list), err)
		}
		for _, a := range list {
			if again, err := aoe.ParseAddr(a.String()); err != nil || again != a {
				t.Fatalf("%q holds %v, which is no address", text, a)
			}
		}
	})
}
