package vblade

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"vbladefs/compat/plan"
	"vbladefs/compat/text"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// TestStart: sheet §2, what is said once the file is open.
func TestStart(t *testing.T) {
	for _, tt := range []struct {
		args string
		size uint64
		want string
	}{
		{"0 3 eth0 /f", 409600, "pid 7: e0.3, 409600 sectors O_RDWR\n"},
		{"-r -o 8 0 3 eth0 /f", 409600, "pid 7: e0.3, 409592 sectors O_RDONLY\n"},
		{"-l 5 0 3 eth0 /f", 409600, "pid 7: e0.3, 5 sectors O_RDWR\n"},
		{"-o 409599 -l 1 0 3 eth0 /f", 409600, "pid 7: e0.3, 1 sectors O_RDWR\n"},
		{"0 3 eth0 /f", 0, "0-sector file size is too small"},
		{"-o 100 0 3 eth0 /f", 100, "Offset 100 too large for 100-sector export"},
		{"-o 9223372036854775808 0 3 eth0 /f", 100, "Offset 9223372036854775807 too large for 100-sector export"},
		{"-o 90 -l 11 0 3 eth0 /f", 100, "Length 11 too big - exceeds size of file!"},
		{"-o 90 -l 9223372036854775807 0 3 eth0 /f", 100, "Length 9223372036854775807 too big - exceeds size of file!"},
	} {
		c, err := Parse(strings.Fields(tt.args), testEnv)
		if err != nil {
			t.Fatal(err)
		}
		sectors, err := c.Sectors(tt.size)
		got := c.StartLine(7, sectors)
		if exit := (*Exit)(nil); errors.As(err, &exit) && exit.Code == 1 {
			got = exit.Text
		}
		if got != tt.want {
			t.Errorf("%s of %d sectors: got %q, want %q", tt.args, tt.size, got, tt.want)
		}
	}
}

// TestMessages: sheet §2, in the C library's words.
func TestMessages(t *testing.T) {
	_, missing := os.Open("/does/not/exist")
	for want, got := range map[string]*Exit{
		"open: No such file or directory":         NotOpened(missing),
		"open: Permission denied":                 NotOpened(&fs.PathError{Op: "open", Path: "/f", Err: syscall.EACCES}),
		"open: Odd":                               NotOpened(errors.New("odd")),
		"open: ":                                  NotOpened(errors.New("")),
		"eth7: No such device":                    NoInterface("eth7"),
		"got bad socket: Operation not permitted": NoSocket(syscall.EPERM),
	} {
		if got.Error() != want || got.Code != 1 {
			t.Errorf("got %q, exit %d; want %q, exit 1", got, got.Code, want)
		}
	}
}

// TestManyMasks: more than fit are refused; the original wrote past its table.
func TestManyMasks(t *testing.T) {
	list := strings.Repeat("020000000009,", aoe.MaxListed-1) + "020000000009"
	if _, err := Parse([]string{"-m", list, "0", "1", "eth0", "/f"}, testEnv); err != nil {
		t.Errorf("%d masks: %v", aoe.MaxListed, err)
	}
	if _, err := Parse([]string{"-m", list, "-m", "020000000008", "0", "1", "eth0", "/f"}, testEnv); err == nil {
		t.Errorf("%d masks were taken", aoe.MaxListed+1)
	}
}

// TestSerial: the serial number is cut where the original cuts it, and can be saved.
func TestSerial(t *testing.T) {
	for host, want := range map[string]string{"a.long.host.name.example": "0.1:a.long.host.nam", "hôst\n": "0.1:h??st?", "": "0.1:"} {
		env := testEnv
		env.Hostname = host
		c, err := Parse([]string{"0", "1", "eth0", "/f"}, env)
		if got := c.Export.Serial; err != nil || got != want {
			t.Errorf("%q: got %q, %v; want %q", host, got, err, want)
		}
	}
}

// TestPrintThenParse: a printed export is parsed as what it was.
func TestPrintThenParse(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		e := random(r)
		args := print(r, e)
		c, err := Parse(args, testEnv)
		if err != nil || !reflect.DeepEqual(c.Export, e) {
			t.Fatalf("%q: got %+v, %v; want %+v", args, c.Export, err, e)
		}
		conf := "shelf=" + args[len(args)-4] + "\nslot=" + args[len(args)-3] + "\nnetif=" + args[len(args)-2] +
			"\nfilename='" + args[len(args)-1] + "'\noptions=\"" + strings.Join(args[:len(args)-4], " ") + "\"\n"
		parsed, err := ParseConf("one.conf", "one", []byte(conf))
		if err != nil {
			t.Fatalf("%s: %v", conf, err)
		}
		p, wrong := Plan([]Conf{parsed}, testEnv)
		e.Name, e.Drive = "one", "one"
		if len(wrong) > 0 || !reflect.DeepEqual(p.Exports, []plan.Export{e}) {
			t.Fatalf("%s: got %+v, %v; want %+v", conf, p.Exports, wrong, e)
		}
	}
}

// random is an export that vblade can make.
func random(r *rand.Rand) plan.Export {
	e := plan.Export{Addr: aoe.Addr{Shelf: uint16(r.IntN(target.MaxShelf + 1)), Slot: uint8(r.IntN(target.MaxSlot + 1))},
		Interfaces: []string{pick(r, "eth0", "br0.5", "enp3s0f0np0")}, Path: pick(r, "/dev/md0", "/data/a-b", "/x$y"),
		Buffers: uint16(1 + r.IntN(65535)), Access: target.AccessReadWrite,
		Cache:    target.Cache(pick(r, string(target.CacheDirect), string(target.CacheWriteback), string(target.CacheDurable))),
		Identity: target.Identity{Model: Model, Firmware: Firmware}}
	e.Serial = text.Cut(e.Addr.String()+":"+testEnv.Hostname, maxSerial)
	e.Name, e.Drive = "e"+e.Addr.String(), plan.DriveNames([]string{e.Path[strings.LastIndex(e.Path, "/")+1:]})[0]
	if r.IntN(2) == 0 {
		e.Access = target.AccessReadOnly
	}
	if r.IntN(2) == 0 {
		e.Offset, e.Length = r.Uint64N(1<<50), 1+r.Uint64N(1<<50)
	}
	for range r.IntN(3) {
		e.Masks = append(e.Masks, aoe.MAC{byte(r.IntN(256)), 1, 2, 3, 4, byte(r.IntN(256))})
	}
	return e
}

func pick(r *rand.Rand, of ...string) string { return of[r.IntN(len(of))] }

// print is e as vblade's arguments, in one of the ways that there are.
func print(r *rand.Rand, e plan.Export) []string {
	format := pick(r, "%d", "0x%x", "0%o")
	var args []string
	args = append(args, pick(r, "-b ", "-b")+strconv.Itoa(int(e.Buffers)))
	if e.Offset != 0 {
		args = append(args, "-o "+fmt.Sprintf(format, e.Offset))
	}
	if e.Length != 0 {
		args = append(args, "-l"+fmt.Sprintf(format, e.Length))
	}
	if e.Access == target.AccessReadOnly {
		args = append(args, "-r")
	}
	switch e.Cache {
	case target.CacheDirect:
		args = append(args, "-d")
	case target.CacheDurable:
		args = append(args, pick(r, "-s", "-sd", "-d -s"))
	}
	for _, m := range e.Masks {
		args = append(args, "-m "+pick(r, m.String(), strings.ToUpper(m.String()), strings.ReplaceAll(m.String(), ":", "")))
	}
	args = strings.Fields(strings.Join(args, " "))
	return append(args, strconv.Itoa(int(e.Addr.Shelf)), strconv.Itoa(int(e.Addr.Slot)), e.Interfaces[0], e.Path)
}

// FuzzParse: any arguments make an export that a plan can have, or end with a
// message, and options last mean what they mean first.
func FuzzParse(f *testing.F) {
	f.Add("-b\x0032\x00-o\x008\x001\x002\x00eth0\x00/f", false)
	f.Add("1\x002\x00eth0\x00/f\x00-m\x00020000000009\x00--", true)
	f.Fuzz(func(t *testing.T, joined string, posix bool) {
		args := strings.Split(joined, "\x00")
		env := testEnv
		env.Posix = posix
		c, err := Parse(args, env)
		exit := (*Exit)(nil)
		if err != nil {
			if !errors.As(err, &exit) || exit.Code != 1 || exit.Text == "" || exit.key == "" || exit.reason == "" {
				t.Fatalf("%q: %#v", args, err)
			}
			return
		}
		if err := plan.Validate(plan.Plan{Exports: []plan.Export{c.Export}}); err != nil && !errors.Is(err, target.ErrRange) {
			t.Fatalf("%q: %v", args, err) // a window that no file has is refused when the size is known
		}
		if sectors, err := c.Sectors(1 << 40); err == nil && (sectors == 0 || sectors > 1<<40) {
			t.Fatalf("%q: %d sectors", args, sectors)
		}
		printed := print(rand.New(rand.NewPCG(0, 0)), c.Export)
		if again, err := Parse(slices.Insert(printed, len(printed)-4, "--"), env); err != nil || !reflect.DeepEqual(again.Export, c.Export) {
			t.Fatalf("%q: printed and parsed it is %+v, %v; want %+v", args, again, err, c.Export)
		}
	})
}

// FuzzParseConf: any file has values or a mistake in a line that it has.
func FuzzParseConf(f *testing.F) {
	for _, seed := range []string{"shelf=1\nslot=2\nnetif=eth0\nfilename=/f\noptions='-r'\n", "shelf=\"", "a=\\", "#", "x", "a='\n'\"\\\n\"$"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content string) {
		c, err := ParseConf("f", "f", []byte(content))
		if err != nil {
			place := strings.SplitN(err.Error(), ":", 3)
			if line, bad := strconv.Atoi(place[1]); bad != nil || line < 1 || line > 1+strings.Count(content, "\n") {
				t.Fatalf("%q: %v", content, err)
			}
			return
		}
		p, wrong := Plan([]Conf{c, c}, testEnv)
		if len(p.Exports) == 1 && len(wrong) != 1 || len(p.Exports) == 0 && len(wrong) != 2 || len(p.Exports) > 1 {
			t.Fatalf("%q twice: %+v, %v", content, p, wrong)
		}
	})
}
