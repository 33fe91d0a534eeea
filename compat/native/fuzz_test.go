package native

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"vbladefs/compat/text"
	"vbladefs/target"
)

// known demands an operation or an error of a known kind with a place, never
// both, and neither for a line that says nothing.
func known(t *testing.T, line string, op target.Operation, err error) {
	t.Helper()
	start := strings.TrimLeft(line, " \t")
	silent := start == "" || start[0] == '#'
	if op != nil && err != nil || op == nil && err == nil && !silent {
		t.Fatalf("%q: operation %+v and error %v", line, op, err)
	}
	var at text.At
	switch {
	case err == nil:
	case !errors.As(err, &at) || at.Column < 1 || at.Column > len(line)+1:
		t.Errorf("%q: %v at column %d", line, err, at.Column)
	case !errors.Is(err, target.ErrMalformed) && !errors.Is(err, target.ErrRange) && !errors.Is(err, target.ErrTooLong) && !errors.Is(err, target.ErrNoInterface):
		t.Errorf("%q: an error of no known kind: %v", line, err)
	}
}

func FuzzParseLimits(f *testing.F) {
	for _, line := range []string{"set eth0 1500", "del eth0", "set # 1", "set eth0 1", "#"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		op, err := ParseLimits(line)
		known(t, line, op, err)
		limit, ok := op.(target.LimitMTU)
		if !ok || limit.MTU == 0 {
			return
		}
		// A line of the listing, fed back behind set, makes the same limit.
		listed := string(ListLimits([]target.MTULimit{{Interface: limit.Interface, MTU: limit.MTU}}))
		if again, err := ParseLimits("set " + strings.TrimSuffix(listed, "\n")); again != op || err != nil {
			t.Errorf("%q: listed as %q, which gives %+v, %v", line, listed, again, err)
		}
	})
}

func FuzzParseBlades(f *testing.F) {
	for _, line := range []string{"add e0.1 do", "del e65534.254", "add e0.1 d # c", "#", "add 0.1 x", "del e0.255"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		op, err := ParseBlades(line)
		known(t, line, op, err)
		add, ok := op.(target.AddBlade)
		if !ok {
			return
		}
		// The first two words of a listing, fed back, make the same address.
		listed := strings.Fields(string(ListBlades(target.State{Blades: []target.BladeInfo{{Addr: add.Addr, Drive: "d"}}})))
		if again, err := ParseBlades("add " + listed[0] + " " + listed[1]); again != (target.AddBlade{Addr: add.Addr, Drive: "d"}) || err != nil {
			t.Errorf("%q: listed as %q, which gives %+v, %v", line, listed, again, err)
		}
	})
}

func FuzzParsePorts(f *testing.F) {
	for _, line := range []string{"add e0.1 eth0", "add e0.1 * 16 2 quiet force", "del e0.1 eth0", "add e1.2 quiet force force", "del e0.1", "add e0.1 \x01"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		op, err := ParsePorts(line)
		known(t, line, op, err)
		add, ok := op.(target.AddPort)
		if !ok {
			return
		}
		info := target.PortInfo{Addr: add.Addr, Interface: add.Interface, Buffers: add.Buffers, Sectors: add.Sectors, Quiet: add.Quiet, Forced: add.Force}
		// The line of a saved state is the same port, and so is that of the listing
		// without what is not configured.
		_, saved, _ := strings.Cut(string(Saved(target.State{Ports: []target.PortInfo{info}})), "targets/ports ")
		saved, _, _ = strings.Cut(saved, "\n")
		words := strings.Split(strings.TrimSuffix(string(ListPorts([]target.PortInfo{info})), "\n"), " ")
		listed := "add " + strings.Join(append(words[:4:4], words[6:]...), " ")
		for _, again := range []string{saved, listed} {
			if op, err := ParsePorts(again); op != add || err != nil {
				t.Errorf("%q: shown as %q, which gives %+v, %v", line, again, op, err)
			}
		}
	})
}

func FuzzParseHosts(f *testing.F) {
	for _, line := range []string{"add 0:1:2:3:4:5", "set 00:01:02:03:04:05 ff:ff:ff:ff:ff:ff", "clear", "del x", "add", "clear 1"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		op, err := ParseHosts(addr, target.MaskList, line)
		known(t, line, op, err)
		set, ok := op.(target.SetHosts)
		if !ok || len(set.Hosts) == 0 {
			return
		}
		again, err := ParseHosts(addr, target.MaskList, "set "+strings.ReplaceAll(strings.TrimSpace(string(ListHosts(set.Hosts))), "\n", " "))
		if err != nil || !reflect.DeepEqual(again, op) {
			t.Errorf("%q: %+v is listed as what gives %+v, %v", line, op, again, err)
		}
	})
}

func FuzzParseConfig(f *testing.F) {
	for _, value := range []string{"host=a\n", "two\nlines", `"\x00"`, `"`, " x ", "\xff\u2028", `\`, ""} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		op, err := ParseConfig(addr, value)
		if (op == nil) == (err == nil) {
			t.Fatalf("%q: operation %+v and error %v", value, op, err)
		}
		if err != nil {
			known(t, value, op, err)
			return
		}
		shown := ConfigText(target.BladeInfo{Config: op.(target.SetConfig).Config})
		if again, err := ParseConfig(addr, shown); err != nil || !reflect.DeepEqual(again, op) {
			t.Errorf("%q: %+v is shown as %q, which gives %+v, %v", value, op, shown, again, err)
		}
		line := strings.TrimSuffix(shown, "\n")
		if strings.TrimSpace(line) != line || strings.ContainsAny(line, "\n\r\x00") {
			t.Errorf("%q: shown as %q, which a shell does not read as it is", value, shown)
		}
	})
}

func FuzzParseValues(f *testing.F) {
	for _, value := range []string{"1\n", "0", "0x4000", "my disk", `" x"`, "", "1 2", "\xff"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, parse := range []func(string, string) (target.Operation, error){ParseReadOnly, ParseKeep, ParsePause, ParseFirmware, ParseModel, ParseSerial, ParseResize} {
			op, err := parse("d", value)
			if (op == nil) == (err == nil) {
				t.Fatalf("%q: operation %+v and error %v", value, op, err)
			}
			if err != nil {
				known(t, value, op, err)
			}
			if set, ok := op.(target.SetModel); ok {
				if again, err := ParseModel("d", ModelText(target.DriveInfo{Model: set.Model})); again != op || err != nil {
					t.Errorf("%q: %+v comes back as %+v, %v", value, op, again, err)
				}
			}
		}
	})
}

func FuzzCheckVersion(f *testing.F) {
	for _, line := range []string{Header, Header + "0", "# vbladefs state ", "# mine", ""} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		err := CheckVersion(line)
		if other := strings.HasPrefix(line, headerStart) && line != Header && line != oldHeader; other != (err != nil) {
			t.Errorf("%q: %v", line, err)
		}
		if err != nil {
			known(t, line, target.Operation(nil), err)
		}
	})
}

func FuzzCheckForm(f *testing.F) {
	for _, state := range []string{"", Header, Header + "\n", oldHeader + "\na b\n", Header + "\n# end\n", Header + "\na b\n# end 1\n",
		Header + "\n# end 1\n", Header + "\n# end 0\na b\n", Header + "\n# end", "# vbladefs state 3\n# end 0\n"} {
		f.Add(state)
	}
	f.Fuzz(func(t *testing.T, state string) {
		line, err := CheckForm([]byte(state))
		if (line == 0) != (err == nil) || line > strings.Count(state, "\n")+1 {
			t.Errorf("%q: line %d, %v", state, line, err)
		}
		if err == nil && !IsOld([]byte(state)) && strings.Count(state, "\n") < 1 {
			t.Errorf("%q is taken for a state", state)
		}
	})
}

// FuzzFolderName: a name that somebody looks up is the only one of an address, or
// none.
func FuzzFolderName(f *testing.F) {
	for _, name := range []string{"e0.1", "e65534.254", "e00.1", "0.1", "E0.1", "e0.255", "e0.1.", ""} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if addr, ok := ParseFolderName(name); ok && FolderName(addr) != name {
			t.Errorf("%q is taken for %v", name, addr)
		}
	})
}
