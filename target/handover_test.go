package target_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"vbladefs/target"
	"vbladefs/target/targettest"
)

// held is the target of a rig, held until the test ends it.
func held(t *testing.T, rig targettest.Faults) *target.Handover {
	t.Helper()
	h, err := rig.Target().Hold(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// While a target is held requests are served, and operations wait.
func TestHold(t *testing.T) {
	rig := serving(t)
	h := held(t, rig)
	if r := answers(rig, "eth0", readFrame(blade, 1, 5, 1)); len(r) != 1 {
		t.Errorf("%d replies while the target is held", len(r))
	}
	returned, result := background(func() error { return rig.Target().Do(target.SetModel{Drive: "d", Model: "new"}) })
	time.Sleep(20 * time.Millisecond)
	if returned() || driveOf(t, rig, "d").Model == "new" {
		t.Error("an operation did not wait")
	}
	if len(h.Stores()) != 1 || len(h.Links()["eth0"]) != 1 {
		t.Errorf("stores %v, links %v", h.Stores(), h.Links())
	}
	h.Release()
	must(t, <-result)
}

// Rest waits for what is in flight, and what comes later waits in the links, to be
// served in its turn.
func TestRest(t *testing.T) {
	rig := serving(t)
	m := rig.Machine()
	m.SetMode(targettest.Held)
	if r := answers(rig, "eth0", readFrame(blade, 1, 5, 1)); len(r) != 0 {
		t.Fatal("a request that is held was answered")
	}
	h := held(t, rig)
	returned, result := background(func() error { return h.Rest(context.Background()) })
	time.Sleep(20 * time.Millisecond)
	if returned() {
		t.Error("Rest did not wait for a request in flight")
	}
	m.SetMode(targettest.Inline)
	m.FinishAll()
	must(t, <-result)
	if n := len(rig.Collect("eth0", 1)); n != 1 {
		t.Errorf("%d replies to what was in flight", n)
	}
	rig.Send("eth0", readFrame(blade, 2, 5, 1))
	time.Sleep(20 * time.Millisecond)
	if s := driveOf(t, rig, "d").Stats; s.Reads != 1 {
		t.Errorf("%d reads were served", s.Reads)
	}
	h.GoOn(false)
	h.Release()
	until(t, "the request that waited is served", func() bool { return driveOf(t, rig, "d").Stats.Reads == 2 })
	rig.Collect("eth0", 1)
}

// A drive that is stuck ends the rest, and the others are served again.
func TestRestThatFails(t *testing.T) {
	rig := serving(t)
	m := rig.Machine()
	m.SetMode(targettest.Held)
	answers(rig, "eth0", readFrame(blade, 1, 5, 1))
	h := held(t, rig)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := h.Rest(ctx); !errors.Is(err, target.ErrNotDrained) {
		t.Errorf("Rest with a stuck drive: %v", err)
	}
	h.Release()
	m.SetMode(targettest.Inline)
	m.FinishAll()
	until(t, "requests are served again", func() bool { return len(answers(rig, "eth0", readFrame(blade, 2, 5, 1))) > 0 })
}

// After another process has had the links, new ones serve, and nothing of what that one may have
// carried out already is carried out again.
func TestGoOnAnew(t *testing.T) {
	rig := serving(t)
	h := held(t, rig)
	must(t, h.Rest(context.Background()))
	before := h.Links()["eth0"][0]
	rig.Send("eth0", writeFrame(blade, 1, 5, make([]byte, 512)))
	h.GoOn(true)
	rig.Target().Alive()
	if s := driveOf(t, rig, "d").Stats; s.Writes != 0 {
		t.Errorf("%d writes from a link that was another's", s.Writes)
	}
	if h.Links()["eth0"][0] == before {
		t.Error("the link is the same")
	}
	h.Release()
	if r := answers(rig, "eth0", readFrame(blade, 2, 5, 1)); len(r) != 1 {
		t.Errorf("%d replies", len(r))
	}
}

// A closed target cannot be held, nor one whose operation hangs.
func TestHoldRefused(t *testing.T) {
	rig := serving(t)
	h := held(t, rig)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := rig.Target().Hold(ctx); !errors.Is(err, target.ErrNotDrained) {
		t.Errorf("held twice: %v", err)
	}
	h.Release()
	must(t, rig.Target().Close(context.Background()))
	if _, err := rig.Target().Hold(context.Background()); !errors.Is(err, target.ErrClosed) {
		t.Errorf("a closed target was held: %v", err)
	}
}
