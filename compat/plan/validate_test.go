package plan

import (
	"errors"
	"strings"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// valid is an export with nothing wrong.
func valid(name string, slot uint8) Export {
	return Export{Name: name, Drive: name, Path: "/dev/" + name, Addr: aoe.Addr{Slot: slot}, Interfaces: []string{"eth0"}}
}

func TestValidate(t *testing.T) {
	change := func(edit func(*Export)) Plan {
		e := valid("b", 1)
		edit(&e)
		return Plan{Exports: []Export{valid("a", 0), e}}
	}
	limits := func(l ...target.MTULimit) Plan { return Plan{Limits: l} }
	for _, tt := range []struct {
		plan   Plan
		kind   error // nil: it is right
		reason string
	}{
		{Plan{}, nil, ""},
		{change(func(*Export) {}), nil, ""},
		{change(func(e *Export) { e.Offset, e.Length = maxSectors-1, 1 }), nil, ""},
		{change(func(e *Export) { e.Path = "/dev/a" }), nil, ""},
		{change(func(e *Export) { e.Interfaces = []string{strings.Repeat("a", 127), "b*"} }), nil, ""},
		{change(func(e *Export) { e.Name = "a" }), target.ErrNameTaken, `export "a"`},
		{change(func(e *Export) { e.Drive = "a" }), target.ErrNameTaken, `export "a" has drive name a`},
		{change(func(e *Export) { e.Addr.Slot = 0 }), target.ErrAddressTaken, `export "b": address in use: export "a" is at 0.0`},
		{change(func(e *Export) { e.Drive = "stats" }), target.ErrMalformed, `drive name "stats"`},
		{change(func(e *Export) { e.Path = "disk" }), target.ErrMalformed, `path "disk": want an absolute one`},
		{change(func(e *Export) { e.Path = "/a\x00b" }), target.ErrMalformed, `path`},
		{change(func(e *Export) { e.Addr.Shelf = 65535 }), target.ErrRange, "want shelf 0-65534"},
		{change(func(e *Export) { e.Addr.Slot = 255 }), target.ErrRange, "slot 0-254"},
		{change(func(e *Export) { e.Offset = maxSectors + 1 }), target.ErrRange, "want at most"},
		{change(func(e *Export) { e.Offset, e.Length = 2, ^uint64(0) }), target.ErrRange, "want at most"},
		{change(func(e *Export) { e.Interfaces = nil }), target.ErrMalformed, "no interface"},
		{change(func(e *Export) { e.Interfaces = []string{"eth/0"} }), target.ErrNoInterface, `"eth/0"`},
		{change(func(e *Export) {
			e.Interfaces = []string{strings.Repeat("a", 150) + "*", strings.Repeat("b", 150) + "*"}
		}),
			target.ErrNoInterface, "a pattern of 303 characters"},
		{change(func(e *Export) { e.Cache = "fast" }), target.ErrMalformed, `write policy "fast"`},
		{change(func(e *Export) { e.Deny = make([]aoe.MAC, aoe.MaxListed+1) }), target.ErrFull, "deny list of 186 hosts"},
		{limits(target.MTULimit{Interface: "eth0", MTU: target.MinMTULimit}), nil, ""},
		{limits(target.MTULimit{Interface: "eth0", MTU: 100}), target.ErrRange, "MTU limit 100 of interface eth0"},
		{limits(target.MTULimit{Interface: "eth0", MTU: 65536}), target.ErrRange, "want 1060 to 65535"},
		{limits(target.MTULimit{Interface: "eth*", MTU: 1500}), target.ErrMalformed, `interface "eth*"`},
		{limits(target.MTULimit{Interface: "e", MTU: 1500}, target.MTULimit{Interface: "e", MTU: 1501}), target.ErrNameTaken, "two MTU limits"},
	} {
		err := Validate(tt.plan)
		if tt.kind == nil && err != nil || tt.kind != nil && (!errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.reason)) {
			t.Errorf("%+v: got %v, want %v: %s", tt.plan, err, tt.kind, tt.reason)
		}
	}
}
