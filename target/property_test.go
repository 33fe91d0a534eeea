package target_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// A property test: random operations and frames, done to a target and to a model of
// it that is as simple as can be, must come to the same. VBLADEFS_PROPERTY=10m has it
// go on for that long, VBLADEFS_SEED repeats what a failure names.
const (
	propertySteps  = 400 // of a sequence
	propertyShort  = 12  // sequences of a short run
	propertyRetry  = 400 // sequences that are tried to find a shorter one that fails
	propertyEnv    = "VBLADEFS_PROPERTY"
	propertySeeded = "VBLADEFS_SEED"
)

// step is one thing that is done to both.
type step struct {
	text string
	do   func(w *world) (wrong string)
}

// world is a target and its model.
type world struct {
	rig    targettest.Faults
	target *target.Target
	media  map[string]*targettest.Medium // by path
	*model
	tag uint32
}

func newWorld(t testing.TB, seed uint64) *world {
	workers := 1 + int(seed%3)
	w := &world{rig: newRigOf(t, workers), media: map[string]*targettest.Medium{}, model: newModel()}
	w.target = w.rig.Target()
	w.rig.Machine().SetMode([]targettest.Mode{targettest.Inline, targettest.Prompt}[seed/3%2])
	for name, n := range w.netifs {
		w.rig.Interface(name, n.mtu)
	}
	for path, d := range w.disks {
		w.media[path] = w.rig.Machine().AddMedium(path, len(d.content)/aoe.SectorSize, d.readOnly)
	}
	return w
}

// run does the steps, and says which goes wrong, and how; -1: none does.
func run(t testing.TB, seed uint64, steps []step) (at int, wrong string) {
	w := newWorld(t, seed)
	for i, s := range steps {
		wrong := s.do(w)
		if wrong == "" {
			wrong = w.compare()
		}
		if wrong != "" {
			return i, wrong
		}
	}
	return -1, w.compareDisks()
}

func TestProperty(t *testing.T) {
	seed, lasts := rand.Uint64(), time.Duration(0)
	if text := os.Getenv(propertySeeded); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", propertySeeded, err)
		}
	}
	if text := os.Getenv(propertyEnv); text != "" {
		var err error
		if lasts, err = time.ParseDuration(text); err != nil {
			t.Fatalf("%s: %v", propertyEnv, err)
		}
	}
	began, sequences, did := time.Now(), 0, map[string]int{}
	for ; sequences < propertyShort || time.Since(began) < lasts; sequences++ {
		if !t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { checkSequence(t, seed, did) }) {
			t.Fatalf("%s=%d repeats it", propertySeeded, seed)
		}
		seed++
	}
	total := 0
	for _, n := range did {
		total += n
	}
	t.Logf("%d sequences, %d steps: %v", sequences, total, did)
	for _, kind := range []string{"add", "export", "bind", "frame-answered", "frame-silent", "refused"} {
		if did[kind] == 0 && os.Getenv(propertySeeded) == "" {
			t.Errorf("in %d sequences there was no %q: %v", sequences, kind, did)
		}
	}
}

// checkSequence runs the sequence of a seed. One that fails is made as short as may
// be, and shown.
func checkSequence(t *testing.T, seed uint64, did map[string]int) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	steps := make([]step, propertySteps)
	for i := range steps {
		steps[i] = drawStep(rnd, did)
	}
	at, wrong := run(t, seed, steps)
	if wrong == "" {
		return
	}
	if at >= 0 {
		steps = steps[:at+1]
	}
	for tries, size := 0, len(steps)/2; size > 0; size /= 2 {
		for from := 0; from+size <= len(steps) && tries < propertyRetry; tries++ {
			fewer := slices.Delete(slices.Clone(steps), from, from+size)
			if at, still := run(t, seed, fewer); still == "" {
				from += size
			} else if steps, wrong = fewer, still; at >= 0 {
				steps = steps[:at+1]
			}
		}
	}
	var text strings.Builder
	for _, s := range steps {
		fmt.Fprintln(&text, "    "+s.text)
	}
	t.Fatalf("after\n%s%s", &text, wrong)
}
