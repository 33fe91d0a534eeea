package target_test

import (
	"errors"
	"reflect"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// This file is about what is seen of changes by initiators while they are not durable: nothing.

var errFull = errors.New("the disk is full")

// change is a request that changes what is kept for blade, and one that asks for it.
type change struct {
	name     string
	set, ask []byte
}

func changesOfAll() []change {
	return []change{
		{"config", configFrame(1, aoe.ConfigForceSet, "one"), configFrame(2, aoe.ConfigRead, "")},
		{"mask", maskFrame(blade, aoe.MaskAdd, alice), frameOf(blade, aoe.CmdMaskList, 2, 60)},
		{"reserve", reserveFrame(1, aoe.ReserveSet, alice), reserveFrame(2, aoe.ReserveRead)},
	}
}

// What an initiator changes is seen by others once it is durable, and what cannot be made durable by nobody.
func TestChangesAreUnseenBeforeKept(t *testing.T) {
	for _, c := range changesOfAll() {
		m, tgt, k := kept(t)
		before, _ := tgt.Blade(blade)
		unseen := said(m, c.ask)
		seen := func(want bool, when string) {
			t.Helper()
			now, _ := tgt.Blade(blade)
			asked := said(m, c.ask)
			if len(asked) != 1 || reflect.DeepEqual(asked, unseen) == want || reflect.DeepEqual(now, before) == want {
				t.Errorf("%s, %s: %+v, answered with % x; want it to be seen: %v", c.name, when, now, asked, want)
			}
		}
		saves := func(want bool, when string) {
			t.Helper()
			if b, _ := tgt.BladeToSave(blade); reflect.DeepEqual(b, before) == want || !reflect.DeepEqual(tgt.StateToSave().Blades[0], b) {
				t.Errorf("%s, %s: %+v is saved; want the change with it: %v", c.name, when, b, want)
			}
		}
		said(m, c.set)
		seen(false, "before it is kept")
		saves(true, "before it is kept")
		k.end(errFull)
		seen(false, "when it cannot be kept")
		saves(false, "when it cannot be kept")
		said(m, c.set)
		seen(false, "again")
		if k.end(nil) != 1 || len(said(m, nil)) != 1 {
			t.Errorf("%s: not answered once it is kept", c.name)
		}
		seen(true, "once it is kept")
	}
}

// The first of two hosts that reserve wins; that the other is told waits until this is sure.
func TestRefusalForTheSakeOfAChange(t *testing.T) {
	for _, err := range []error{nil, errFull} {
		m, _, k := kept(t)
		bob := aoe.MAC{2, 0, 0, 0, 0, 0xb}
		other := reserveFrame(2, aoe.ReserveSet, bob)
		copy(other[6:12], bob[:])
		said(m, reserveFrame(1, aoe.ReserveSet, alice))
		if r := said(m, other); len(r) != 0 {
			t.Error("refused for the sake of a change that may fail")
		}
		said(m, configFrame(3, aoe.ConfigSet, "one"))
		if r := said(m, configFrame(4, aoe.ConfigSet, "two")); len(r) != 0 {
			t.Error("refused for the sake of a string that may fail")
		}
		k.end(err)
		failed := 0
		answers := said(m, nil)
		for _, r := range answers {
			if h, _ := aoe.DecodeHeader(r); h.Failed {
				failed++
			}
		}
		if err == nil && (len(answers) != 4 || failed != 2) || err != nil && len(answers) != 0 {
			t.Errorf("after %v: %d answers, %d of them errors", err, len(answers), failed)
		}
		if err == nil {
			continue
		}
		said(m, other)
		if k.end(nil); len(said(m, nil)) != 1 {
			t.Error("the other does not get what the first could not have")
		}
	}
}

// Changes are made one over the other. The last takes those before with it, whatever became of these; if it fails nothing is
// left.
func TestChangesOverChanges(t *testing.T) {
	for _, tt := range []struct {
		name   string
		ends   []error // of the changes, in order
		config string
		masks  int
	}{
		{"all kept", []error{nil, nil, nil}, "two", 1},
		{"the last kept", []error{errFull, errFull, nil}, "two", 1},
		{"the last failed", []error{nil, nil, errFull}, "one", 1},
		{"all failed", []error{errFull, errFull, errFull}, "", 0},
	} {
		m, tgt, k := kept(t)
		said(m, configFrame(1, aoe.ConfigSet, "one"))
		said(m, maskFrame(blade, aoe.MaskAdd, alice))
		said(m, configFrame(3, aoe.ConfigForceSet, "two"))
		k.mu.Lock()
		waiting := k.waiting
		k.waiting = nil
		k.mu.Unlock()
		answered := 0
		for i, then := range waiting {
			if then(tt.ends[i]); tt.ends[i] == nil {
				answered++
			}
		}
		got := len(said(m, nil))
		if b, _ := tgt.Blade(blade); string(b.Config) != tt.config || len(b.Masks) != tt.masks || got != answered {
			t.Errorf("%s: %d answers, %+v", tt.name, got, b)
		}
		if b, _ := tgt.BladeToSave(blade); string(b.Config) != tt.config {
			t.Errorf("%s: %+v is saved", tt.name, b)
		}
	}
}

// What the administrator changes meanwhile is seen at once, and stays.
func TestOperationAmongChanges(t *testing.T) {
	for _, err := range []error{nil, errFull} {
		m, tgt, k := kept(t)
		said(m, maskFrame(blade, aoe.MaskAdd, alice))
		said(m, configFrame(1, aoe.ConfigSet, "one"))
		must(t, tgt.Do(target.SetConfig{Addr: blade, Config: []byte("mine")}))
		if b, _ := tgt.Blade(blade); string(b.Config) != "mine" || len(b.Masks) != 0 {
			t.Errorf("%+v", b)
		}
		k.end(err)
		m.Quiesce()
		if b, _ := tgt.Blade(blade); string(b.Config) != "mine" || len(b.Masks) == 1 != (err == nil) {
			t.Errorf("after %v: %+v", err, b)
		}
	}
}

// A reservation fences nobody before it is durable, and whom it fences then.
func TestReservationHoldsOnceKept(t *testing.T) {
	m, _, k := kept(t)
	bob := aoe.MAC{2, 0, 0, 0, 0, 0xb}
	read := func() bool {
		f := readFrame(blade, 9, 0, 1)
		copy(f[6:12], bob[:])
		answers := said(m, f)
		if len(answers) != 1 {
			t.Fatalf("%d answers", len(answers))
		}
		h, _ := aoe.DecodeHeader(answers[0])
		return !h.Failed
	}
	said(m, reserveFrame(1, aoe.ReserveSet, alice))
	if !read() {
		t.Error("fenced before the reservation is durable")
	}
	k.end(nil)
	said(m, nil)
	if read() {
		t.Error("not fenced by a reservation that is answered")
	}
}
