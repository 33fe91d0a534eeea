package fusectl

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sirupsen/logrus"

	"vbladefs/compat/aoeserver"
	"vbladefs/compat/kvblade"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

func logTo(testing.TB) *logrus.Logger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

// TestSavedComesBack does random things to an engine, and has what it saves make
// the same state of an empty one.
func TestSavedComesBack(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			first, done := dry(t), 0
			random := &gambler{rand.New(rand.NewPCG(seed, 0))}
			for range 500 {
				if first.Do(random.operation()) == nil {
					done++
				}
			}
			saved := string(Saved(first.State()))
			if done < 100 {
				t.Fatalf("only %d operations of the 500 did anything", done)
			}
			for _, m := range Check([]byte(saved)) {
				t.Errorf("Check: %v", m)
			}
			for name, second := range map[string]*target.Target{"all": dry(t), "without a disk": dryWithout(t, "/dev/x", ""),
				"without an interface": dryWithout(t, "", "eth0")} {
				Replay([]byte(saved), second, true, func(m Mistake) { t.Errorf("%s: %v", name, m) })
				if got := string(Saved(second.State())); got != saved {
					t.Errorf("%s: saved\n%s\ncomes back as\n%s", name, saved, got)
				}
			}
		})
	}
}

// TestSavedByHand has a shell carry out what saved gives, as the README says.
func TestSavedByHand(t *testing.T) {
	need(t, "bash")
	file := filepath.Join(t.TempDir(), "copy")
	first, second := mounted(t), mounted(t)
	first.sh(t, "echo 0 0 eth0 /dev/loop0 > kvblade/add; echo add /dev/loop1 0 1 > aoeserver; echo add do /dev/loop2 ro durable > vblade/drives; "+
		"echo add e7.0 do > targets/blades; echo add e7.0 eth1 16 2 quiet > targets/ports; echo set 0:1:2:3:4:5 0:1:2:3:4:6 > targets/e7.0/deny; "+
		`printf '"\\x00 \\\\n"' > targets/e7.0/config; echo '" m"' > vblade/do/model; cat saved > `+file)
	saved, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, how, _ := strings.Cut(savedFile.gives, "; ")
	for _, shell := range []string{"sh", "bash"} {
		if got := second.sh(t, shell+" -c '"+strings.ReplaceAll(strings.Replace(how, "COPY", file, 1), "'", `'\''`)+"'; cat saved"); got != string(saved) {
			t.Errorf("%s: got\n%s\nwant\n%s", shell, got, saved)
		}
		second.sh(t, "sed -n 's,targets/blades add \\(e[0-9.]*\\).*,del \\1,p' saved > targets/blades; echo del do > vblade/drives")
	}
	if !strings.Contains(string(saved), `targets/e7.0/config "\x00 \\n"`) || strings.Count(string(saved), "\n") < 15 {
		t.Errorf("the state is not what was made:\n%s", saved)
	}
}

// dry is an engine on the machine of dry runs.
func dry(t *testing.T) *target.Target { return dryWithout(t, "", "") }

// dryWithout is one whose machine lacks a disk and an interface.
func dryWithout(t *testing.T, path, netif string) *target.Target {
	parts := dryParts()
	parts.Identify = func(p string) (string, error) {
		if p == path {
			return "", syscall.ENOENT
		}
		return p, nil
	}
	parts.LookupInterface = func(name string) (target.Interface, error) {
		if name == netif {
			return target.Interface{}, fmt.Errorf("%w: %s", target.ErrNoInterface, name)
		}
		return lookupDryInterface(name)
	}
	e := target.New(target.Config{Log: logTo(t), Requests: 1, Parts: parts})
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

// gambler makes operations of few names, so that they meet.
type gambler struct{ *rand.Rand }

func (g *gambler) of(words ...string) string { return words[g.IntN(len(words))] }
func (g *gambler) yes() bool                 { return g.IntN(2) == 0 }
func (g *gambler) drive() string             { return g.of("a", "b", "c", "d", "x", "y") }
func (g *gambler) path() string {
	return g.of("/dev/x", "/dev/y", "/disks/a", "/disks/b", "/disks/ü#1")
}
func (g *gambler) netif() string         { return g.of("eth0", "eth1", "eth2", "*", "eth?", "lan*,eth2") }
func (g *gambler) addr() aoe.Addr        { return aoe.Addr{Shelf: uint16(g.IntN(3)), Slot: uint8(g.IntN(3))} }
func (g *gambler) list() target.HostList { return target.HostList(g.IntN(4)) }
func (g *gambler) host() aoe.MAC         { return aoe.MAC{2, 0, 0, 0, 0, byte(g.IntN(5))} }
func (g *gambler) label() string {
	return g.of("", "x", " two words", `"quoted"`, `back\slash`, "#no comment")
}

func (g *gambler) hosts() []aoe.MAC {
	var hosts []aoe.MAC
	for range g.IntN(4) {
		hosts = append(hosts, g.host())
	}
	return hosts
}

func (g *gambler) point() target.AccessPoint {
	return target.AccessPoint(g.IntN(target.AccessPoints))
}

func (g *gambler) accessList() *target.AccessList {
	if g.IntN(4) == 0 {
		return nil
	}
	return &target.AccessList{Name: g.label(), Accept: g.yes(), Log: g.yes(), Rows: g.rows(300)}
}

func (g *gambler) rows(most int) []target.AccessRow {
	var rows []target.AccessRow
	for range g.IntN(most) {
		rows = append(rows, target.AccessRow{Host: g.host(), Accept: g.yes()})
	}
	return rows
}

func (g *gambler) operation() target.Operation {
	line := func(op target.Operation, err error) target.Operation {
		if err != nil {
			panic(err)
		}
		return op
	}
	a := g.addr()
	switch g.IntN(28) {
	case 0:
		return target.AddDrive{Name: g.drive(), Path: g.path(), Force: g.yes(), Cache: target.Cache(g.of("", "writeback", "direct", "durable")),
			Offset: uint64(g.IntN(3)), Length: uint64(g.IntN(3))}
	case 1:
		return target.AddBlade{Addr: a, Drive: g.drive()}
	case 2, 3:
		return target.AddPort{Addr: a, Interface: g.netif(), Buffers: uint16(g.IntN(3) * 32), Sectors: uint8(g.IntN(3)), Quiet: g.yes(), Force: g.yes()}
	case 4, 5:
		return line(kvblade.ParseAdd(fmt.Sprintf("%d %d %s %s", a.Shelf, a.Slot, g.netif(), g.path()), "/"))
	case 6, 7:
		return line(aoeserver.Parse(fmt.Sprintf("add %s %d %d %s", g.path(), a.Shelf, a.Slot, g.of("eth0", "eth1", "")), "/"))
	case 8:
		return target.RemovePort{Addr: a, Interface: g.of("", "eth0", "eth1", "*")}
	case 9:
		return target.RemoveDrive{Name: g.drive()}
	case 10:
		return target.RemoveBlade{Addr: a}
	case 11:
		return target.EditHostList{Addr: a, List: g.list(), Hosts: g.hosts(), Remove: g.yes()}
	case 12:
		return target.SetHosts{Addr: a, List: g.list(), Hosts: g.hosts()}
	case 22:
		return target.SetLoud{Addr: a, Loud: g.yes()}
	case 23:
		return target.SetPort{Addr: a, Interface: g.netif(), Buffers: uint16(g.IntN(3) * 32), Sectors: uint8(g.IntN(3)), Quiet: g.yes()}
	case 24:
		return target.LimitMTU{Interface: g.of("eth0", "eth1", "eth9"), MTU: g.IntN(3) * 1500}
	case 20:
		return target.SetAccess{Addr: a, Point: g.point(), List: g.accessList()}
	case 21:
		return target.AddAccess{Addr: a, Point: g.point(), Rows: g.rows(3)}
	case 13:
		return target.SetConfig{Addr: a, Config: []byte(g.of("", "x", "\x00\n", ` "q" `, "ü", "\xff"))}
	case 14:
		return target.SetModel{Drive: g.drive(), Model: g.label()}
	case 15:
		return target.SetSerial{Drive: g.drive(), Serial: g.label()}
	case 16:
		return target.SetFirmware{Drive: g.drive(), Firmware: uint16(g.IntN(5))}
	case 17:
		return target.SetKeep{Drive: g.drive(), Keep: g.yes()}
	case 19:
		return target.Rebind{Addr: a, Interface: g.netif(), Path: g.path()}
	case 18:
		return target.SetReadOnly{Drive: g.drive(), ReadOnly: g.yes()}
	default:
		return target.SetCache{Drive: g.drive(), Cache: target.Cache(g.of("writeback", "direct", "durable"))}
	}
}
