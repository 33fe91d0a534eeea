package takeover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
)

// fake is a daemon that notes what it is asked.
type fake struct {
	mu    sync.Mutex
	asked []string
	fails map[string]bool
	file  int
}

func (f *fake) note(what string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, what)
	if f.fails[what] {
		return errors.New("no " + what + " today")
	}
	return nil
}

func (f *fake) Offer(context.Context, Hello) (Offer, []int, error) {
	return Offer{State: []byte("state"), Stores: []string{"a"}}, []int{f.file, f.file}, f.note("offer")
}

func (f *fake) Carry() { _ = f.note("carry") }

func (f *fake) Rest(context.Context) (Handover, []int, error) {
	return Handover{Links: []Link{{Interface: "eth0"}}}, []int{f.file}, f.note("rest")
}

func (f *fake) Resume(afresh bool) {
	if afresh {
		_ = f.note("resume afresh")
	} else {
		_ = f.note("resume")
	}
}

func (f *fake) End() { _ = f.note("end") }

func (f *fake) was() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked)
}

// giving is a running daemon whose state lies in dir.
func giving(t *testing.T, fails ...string) (g *Giver, f *fake, dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file, err := unix.MemfdCreate("file", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(file) })
	f = &fake{fails: map[string]bool{}, file: file}
	for _, what := range fails {
		f.fails[what] = true
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	g = &Giver{Source: f, Log: log}
	if err := g.Listen(SocketPath(dir)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if g.Close() {
			_ = g.last.Close() // this process goes on
		}
	})
	return g, f, dir
}

// ends waits until the daemon was asked just this.
func (f *fake) ends(t *testing.T, want ...string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !slices.Equal(f.was(), want); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it was asked %v, want %v", f.was(), want)
		}
	}
}

// The new daemon may end at every step; what the running one does then depends on
// whether the other may have served.
func TestConversation(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fails []string
		steps int // that the new daemon takes before it ends
		says  string
		want  []string
	}{
		{"refused", []string{"offer"}, 3, "no offer today", []string{"offer", "resume"}},
		{"ends before it is ready", nil, 1, "", []string{"offer", "resume"}},
		{"busy", []string{"rest"}, 3, "no rest today", []string{"offer", "carry", "rest", "resume"}},
		{"ends before it serves", nil, 2, "", []string{"offer", "carry", "rest", "resume afresh"}},
		{"serves", nil, 3, "", []string{"offer", "carry", "rest", "end"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, f, dir := giving(t, tt.fails...)
			err := take(dir, tt.steps)
			if tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)) {
				t.Errorf("the new daemon is told %v, want %q", err, tt.says)
			}
			f.ends(t, tt.want...)
			given := slices.Contains(tt.want, "end")
			if g.Close() != given {
				t.Errorf("given is %v", !given)
			}
			if _, err := os.Stat(filepath.Join(dir, "takeover")); err == nil {
				t.Error("the socket is left")
			}
		})
	}
}

// take takes over as far as so many steps.
func take(dir string, steps int) error {
	taker, err := Ask(context.Background(), dir, Hello{})
	if err != nil {
		return err
	}
	defer func() {
		taker.Close()
		for _, f := range taker.Claims {
			_ = f.Close()
		}
	}()
	if steps < 2 {
		return nil
	}
	_, links, err := taker.Ready()
	for _, group := range links {
		for _, l := range group {
			unix.Close(l.FD)
		}
	}
	if err != nil || steps < 3 {
		return err
	}
	taker.conn.Within(0)
	return taker.conn.Send(Served{})
}

// Another version of the conversation is refused before anything happens.
func TestOtherProtocol(t *testing.T) {
	_, f, dir := giving(t)
	c, err := Dial(SocketPath(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Send(Hello{Protocol: protocol + 1}); err != nil {
		t.Fatal(err)
	}
	var o Offer
	if _, err := c.Receive(&o); err != nil || !strings.Contains(o.Refused, fmt.Sprint("version ", protocol+1)) {
		t.Errorf("%v, refused: %q", err, o.Refused)
	}
	if len(f.was()) > 0 {
		t.Errorf("the daemon was asked %v", f.was())
	}
}

// A daemon that is told to end does not wait for one that is not ready.
func TestCloseMeanwhile(t *testing.T) {
	g, f, dir := giving(t)
	taker, err := Ask(t.Context(), dir, Hello{})
	if err != nil {
		t.Fatal(err)
	}
	defer taker.Close()
	defer closeAll(slices.Collect(maps.Values(taker.Claims)))
	began := time.Now()
	if g.Close() || time.Since(began) > closeTime {
		t.Error("it was given, or took its time")
	}
	f.ends(t, "offer", "resume")
	if _, _, err := taker.Ready(); err == nil {
		t.Error("the new daemon was not told")
	}
}

// A folder that no daemon listens in.
func TestNobody(t *testing.T) {
	if _, err := Ask(t.Context(), t.TempDir(), Hello{}); err == nil || !strings.Contains(err.Error(), "start without -takeover") {
		t.Errorf("%v", err)
	}
}

// What the new daemon leaves for when the running one cannot go on any more, such as
// to save what initiators change, begins when that has got Served, and also if it is gone.
func TestServedIsFinal(t *testing.T) {
	for _, gone := range []bool{false, true} {
		t.Run(fmt.Sprintf("gone %v", gone), func(t *testing.T) {
			g, f, dir := giving(t)
			taker, err := Ask(t.Context(), dir, Hello{})
			if err != nil {
				t.Fatal(err)
			}
			defer taker.Close()
			for _, claim := range taker.Claims {
				defer claim.Close()
			}
			_, links, err := taker.Ready()
			if err != nil || len(links["eth0"]) != 1 {
				t.Fatalf("links %v: %v", links, err)
			}
			defer unix.Close(links["eth0"][0].FD)
			if f.ends(t, "offer", "carry", "rest"); gone {
				taker.conn.Close()
			}
			finals := 0
			err = taker.Served(func() {
				if finals++; gone {
					return
				}
				f.ends(t, "offer", "carry", "rest", "end") // as it has got it by now
				<-g.Given()
				g.last.Close()
			})
			if err != nil || finals != 1 {
				t.Errorf("final was called %d times: %v", finals, err)
			}
		})
	}
}
