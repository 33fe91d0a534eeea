package target_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// accessRig serves one drive at 1.0 on eth0.
func accessRig(t *testing.T) targettest.Faults {
	rig := newRig(t)
	rig.Interface("eth0", 4200)
	must(t, rig.Target().Do(target.Export{Path: rig.Disk("d", 100, false), Addr: blade, Interface: "eth0"}))
	rig.Collect("eth0", 1)
	return rig
}

// A long list with rows that repeat hosts decides as one that is looked through
// from the beginning.
func TestAccessListOrder(t *testing.T) {
	rig := accessRig(t)
	random := rand.New(rand.NewPCG(1, 2))
	for _, length := range []int{0, 1, 2, 7, 200} {
		list := &target.AccessList{Accept: random.IntN(2) == 0}
		for range length {
			list.Rows = append(list.Rows, target.AccessRow{Host: host(random.IntN(length + 1)), Accept: random.IntN(2) == 0})
		}
		must(t, rig.Target().Do(target.SetAccess{Addr: blade, Point: target.ReadConfig, List: list}))
		for i := range length + 5 {
			want := list.Accept
			for _, row := range list.Rows {
				if row.Host == host(i) {
					want = row.Accept
					break
				}
			}
			if got := len(answers(rig, "eth0", fromHost(queryFrame(blade, 7), i))) == 1; got != want {
				t.Fatalf("%d rows: host %d is let pass: %v, want %v", length, i, got, want)
			}
		}
		if b, _ := rig.Target().Blade(blade); b.Access[target.ReadConfig] != list || b.Access[target.WriteData] != nil {
			t.Errorf("the blade shows other lists: %+v", b.Access)
		}
	}
}

func TestAddAccess(t *testing.T) {
	rig := accessRig(t)
	do := rig.Target().Do
	rows := func(i int) []target.AccessRow { return []target.AccessRow{{Host: host(i), Accept: true}} }
	if err := do(target.AddAccess{Addr: blade, Point: target.StoreConfig, Rows: rows(1)}); !errors.Is(err, target.ErrMalformed) ||
		!strings.Contains(err.Error(), "no cfgset list") {
		t.Error(err)
	}
	must(t, do(target.SetAccess{Addr: blade, Point: target.StoreConfig, List: &target.AccessList{Name: "n", Log: true, Rows: rows(1)}}))
	before, _ := rig.Target().Blade(blade)
	must(t, do(target.AddAccess{Addr: blade, Point: target.StoreConfig, Rows: rows(2)}))
	after, _ := rig.Target().Blade(blade)
	if n := len(before.Access[target.StoreConfig].Rows); n != 1 {
		t.Errorf("a list that was shown has %d rows now", n)
	}
	list := after.Access[target.StoreConfig]
	if list.Name != "n" || !list.Log || list.Accept || len(list.Rows) != 2 || list.Rows[1] != rows(2)[0] {
		t.Errorf("%+v", list)
	}
	must(t, do(target.SetAccess{Addr: blade, Point: target.StoreConfig}))
	if b, _ := rig.Target().Blade(blade); b.Access[target.StoreConfig] != nil {
		t.Errorf("%+v is left", b.Access[target.StoreConfig])
	}
}

func TestAccessRefused(t *testing.T) {
	rig := accessRig(t)
	other := aoe.Addr{Shelf: 9}
	for _, tt := range []struct {
		op  target.Operation
		err error
	}{
		{target.SetAccess{Addr: other}, target.ErrNoPort},
		{target.AddAccess{Addr: other}, target.ErrNoPort},
		{target.SetAccess{Addr: blade, Point: target.AccessPoints}, target.ErrRange},
		{target.AddAccess{Addr: blade, Point: target.AccessPoints}, target.ErrMalformed},
		{target.SetAccess{Addr: blade, List: &target.AccessList{Name: strings.Repeat("x", target.MaxAccessName+1)}}, target.ErrTooLong},
		{target.SetAccess{Addr: blade, List: &target.AccessList{Name: "a\nb"}}, target.ErrMalformed},
		{target.SetAccess{Addr: blade, List: &target.AccessList{Rows: make([]target.AccessRow, target.MaxAccessRows+1)}}, target.ErrFull},
	} {
		if err := rig.Target().Do(tt.op); !errors.Is(err, tt.err) {
			t.Errorf("%+v: %v, want %v", tt.op, err, tt.err)
		}
	}
	if b, _ := rig.Target().Blade(blade); b.Access != [target.AccessPoints]*target.AccessList{} {
		t.Errorf("%+v was set", b.Access)
	}
}

// Of a list that logs, each decision of a host is logged once in a while, with
// the name of the list or else its place.
func TestAccessIsLogged(t *testing.T) {
	rig := accessRig(t)
	row := []target.AccessRow{{Host: host(0), Accept: true}, {Host: host(1)}}
	set := func(point target.AccessPoint, name string, accept bool) {
		must(t, rig.Target().Do(target.SetAccess{Addr: blade, Point: point, List: &target.AccessList{Name: name, Log: true, Accept: accept, Rows: row}}))
	}
	set(target.ReadConfig, "some of us", true)
	set(target.ReadData, "", false)
	for range 20 {
		for i := range 4 {
			rig.Send("eth0", fromHost(queryFrame(blade, 1), i))
			rig.Send("eth0", fromHost(readFrame(blade, 1, 0, 1), i))
		}
	}
	rig.Collect("eth0", 0)
	var want []string
	for i, said := range []string{"allow", "reject", "default-allow", "default-allow"} {
		want = append(want, fmt.Sprintf("ACL %s %s by some of us\"", said, host(i)))
	}
	for i, said := range []string{"allow", "reject", "default-reject", "default-reject"} {
		want = append(want, fmt.Sprintf("ACL %s %s by e1.0/read\"", said, host(i)))
	}
	until(t, "all is logged", func() bool { return strings.Count(rig.Machine().Log(), "ACL ") >= len(want) })
	log := rig.Machine().Log()
	for _, line := range want {
		if strings.Count(log, line) != 1 {
			t.Errorf("%d times %s in\n%s", strings.Count(log, line), line, log)
		}
	}
	if n := strings.Count(log, "ACL "); n != len(want) {
		t.Errorf("%d lines, want %d", n, len(want))
	}
}

// Asking lists, and having it logged, allocates nothing.
func TestAccessAllocatesNothing(t *testing.T) {
	rig := newRigOf(t, 1)
	rig.Interface("eth0", 4200)
	must(t, rig.Target().Do(target.Export{Path: rig.Disk("d", 1000, false), Addr: blade, Interface: "eth0"}))
	list := &target.AccessList{Log: true}
	for i := range 1000 {
		list.Rows = append(list.Rows, target.AccessRow{Host: host(i), Accept: i%2 == 0})
	}
	for point := range target.AccessPoint(target.AccessPoints) {
		must(t, rig.Target().Do(target.SetAccess{Addr: blade, Point: point, List: list}))
	}
	frames := func(i int) []byte {
		frame := [][]byte{queryFrame(blade, 1), readFrame(blade, 1, 8*i%64, 8), commandFrame(blade, 1, 0xec, 0), writeFrame(blade, 1, 0, make([]byte, 512))}[i%4]
		return fromHost(frame, i/4%4+996)
	}
	for i := range 16 {
		rig.Send("eth0", frames(i))
	}
	rig.Collect("eth0", 0)
	until(t, "all is logged", func() bool { return strings.Count(rig.Machine().Log(), "ACL ") == 12 })
	worker := target.Borrow(rig.Target(), "eth0")
	t.Cleanup(worker.Return)
	link := &loopLink{frames: repeated(96, frames)}
	worker.With(link, &loopQueue{}, func() {
		if n := testing.AllocsPerRun(20, func() {
			link.arm()
			for worker.Turn() {
			}
		}); n != 0 {
			t.Errorf("%v allocations in a round of %d frames", n, len(link.frames))
		}
	})
	if want := 21 * (96 - 12); link.sent != want { // of the queries one half is not answered
		t.Errorf("%d replies, want %d", link.sent, want)
	}
}
