package fusectl

import (
	"bytes"
	"testing"

	"vbladefs/target"
	"vbladefs/target/targettest"
)

// FuzzReplay: a state without mistakes is restored, on a machine that has nothing
// of what it names, and what is saved then is a state without mistakes that comes
// back as it is.
func FuzzReplay(f *testing.F) {
	const head = "# vbladefs state 2\n"
	for _, text := range []string{head + "vblade/drives add do /dev/loop2\ntargets/blades add e0.1 do\ntargets/ports add e0.1 *\n# end 3\n",
		head + "# end 0\n", "# vbladefs state 1\nvblade/drives add d /x\n", "kvblade/add 0 0 eth0 /dev/loop0\n",
		head + "vblade/drives add d /x ro\nvblade/d/serial s\ntargets/blades add e1.2 d\ntargets/e1.2/accept add 02:00:00:00:00:01\ntargets/e1.2/config text\n# end 5\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(CheckWhole([]byte(text))) > 0 {
			return
		}
		once, ok := restored(t, []byte(text))
		if mistakes := CheckWhole(once); len(mistakes) > 0 {
			t.Fatalf("%q is saved as\n%s\nwhich has a mistake: %v", text, once, mistakes[0])
		}
		if twice, _ := restored(t, once); ok && !bytes.Equal(once, twice) {
			t.Fatalf("%q is saved as\n%s\nand that as\n%s", text, once, twice)
		}
	})
}

// restored is the state that a target saves after one was restored; ok: with all
// that was in it.
func restored(t *testing.T, saved []byte) (again []byte, ok bool) {
	t.Helper()
	m := targettest.NewMachine(t)
	engine := target.New(m.Config())
	defer targettest.CloseTarget(t, m, engine)
	ok = true
	Replay(saved, engine, true, func(Mistake) { ok = false })
	return Saved(engine.State()), ok
}
