package main_test

import (
	"bytes"
	"os"
	"testing"

	"vbladefs/netio/netiotest"
)

// TestReaddUnderLoad swaps the disk under an export again and again while an
// initiator reads and writes: no request fails, every sector read is whole and
// of one disk or the other, and writes reach the disk that is there.
func TestReaddUnderLoad(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 9000)
	client := connect(t, there, "eth0")
	d := serve(t, here)
	pathA, a := image(t, mib)
	deviceB, pathB, b := loopDisk(t, mib)
	d.echo("0 1 eth0 "+pathA, "kvblade/add")
	x := client.open("0.1")

	const half = mib / 2 // the first half is read, the second written
	swapped := make(chan string, 1)
	go func() {
		_, complaint, err := d.shell(`for i in $(seq 30); do
			echo 0 1 eth0 "$1" > "$T/kvblade/readd" && echo 0 1 eth0 "$2" > "$T/kvblade/readd" || exit
		done; echo 0 1 eth0 "$1" > "$T/kvblade/readd"`, deviceB, pathA)
		if err != nil {
			complaint += ": " + err.Error()
		}
		swapped <- complaint
	}()
	rounds, both := 0, [2]int{}
	written := random(half)
	for done := false; !done; rounds++ {
		select {
		case complaint := <-swapped:
			if complaint != "" {
				t.Fatalf("readd: %s: %s", complaint, d.lastEvent())
			}
			done = true
		default:
		}
		got := make([]byte, half)
		if _, err := x.ReadAt(got, 0); err != nil {
			t.Fatal(err)
		}
		of := sectorsOf(t, got, a, b)
		both[0], both[1] = both[0]+of[0], both[1]+of[1]
		if _, err := x.WriteAt(written, half); err != nil {
			t.Fatal(err)
		}
	}
	if both[0] == 0 || both[1] == 0 {
		t.Errorf("in %d rounds %d sectors came from the first disk and %d from the second: want both", rounds, both[0], both[1])
	}
	// The last readd has returned before the last round, so it is all of B.
	checkBytes(t, "after the last readd", readAll(t, x)[:half], b[:half])
	checkFile(t, pathB, append(bytes.Clone(b[:half]), written...))
	if n := d.holds(pathA); n != 0 {
		t.Errorf("the disk that was taken away is still open %d times", n)
	}
	kept, err := os.ReadFile(pathA)
	if err != nil {
		t.Fatal(err)
	}
	checkBytes(t, pathA, kept[:half], a[:half])
	// What was written while A was there is on A, and nothing else is.
	if of := sectorsOf(t, kept[half:], a[half:], written); of[1] == 0 {
		t.Error("no write reached the disk that was taken away")
	}
	wantText(t, d.cat("kvblade/0.1@eth0/bpath"), deviceB+"\n")
	if counters := x.Engine().Counters(); counters.ATAErrors != 0 || counters.AoEErrorTotal() != 0 || counters.Malformed != 0 {
		t.Errorf("the initiator saw errors: %+v", *counters)
	}
}

// sectorsOf counts the sectors of got that are a's and b's, and fails the test
// for one that is neither's.
func sectorsOf(t *testing.T, got, a, b []byte) (of [2]int) {
	t.Helper()
	for at := 0; at < len(got); at += 512 {
		switch sector := got[at : at+512]; {
		case bytes.Equal(sector, a[at:at+512]):
			of[0]++
		case bytes.Equal(sector, b[at:at+512]):
			of[1]++
		default:
			t.Fatalf("sector %d is neither disk's", at/512)
		}
	}
	return of
}

// TestReaddToASmallerDisk: what lies beyond its end is refused from then on.
func TestReaddToASmallerDisk(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	d := serve(t, here)
	large, _ := image(t, mib)
	small, content := image(t, mib/4)
	d.echo("0 1 eth0 "+large, "kvblade/add")
	x := connect(t, there, "eth0").open("0.1")
	d.echo("0 1 eth0 "+small, "kvblade/readd")
	_, err := x.ReadAt(make([]byte, 512), mib/2)
	wantATAError(t, "read beyond the new end", err, idnf)
	_, err = x.WriteAt(make([]byte, 512), mib/4)
	wantATAError(t, "write beyond the new end", err, idnf)
	if err := x.Identify(); err != nil || x.Size() != mib/4 {
		t.Errorf("size %d, %v; want %d", x.Size(), err, mib/4)
	}
	checkBytes(t, "content", readAll(t, x), content)
	wantText(t, d.cat("kvblade/0.1@eth0/scnt"), "512\n")
}

// idnf of the error register: no such sector.
const idnf = 0x10
