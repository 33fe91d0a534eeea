package main_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"vbladefs/netio/netiotest"
)

var update = flag.Bool("update", false, "make the picture of top in docs/ anew")

const (
	picture                  = "../../docs/top.svg"
	pictureRows, pictureCols = 6, 86
)

// A cell is a character on a screen.
type cell struct {
	c       byte
	reverse bool
}

// screenOf is what a terminal of that size shows of the last whole picture that top drew: as much of
// console_codes(4) as top uses.
func screenOf(t *testing.T, said string) (rows [pictureRows][pictureCols]cell) {
	t.Helper()
	for i := range rows {
		for j := range rows[i] {
			rows[i][j].c = ' '
		}
	}
	frames := strings.Split(said, "\x1b[H")
	if len(frames) < 3 {
		t.Fatalf("top drew nothing whole: %q", said)
	}
	row, column, reverse := 0, 0, false
	for text := frames[len(frames)-2]; text != ""; {
		if end := strings.IndexAny(text, "mKJ"); strings.HasPrefix(text, "\x1b[") && end > 0 {
			if code := text[:end+1]; code[end] == 'm' {
				reverse = code == "\x1b[7m"
			}
			text = text[end+1:] // the rest of a line is empty before it is drawn
			continue
		}
		switch c := text[0]; {
		case c == '\r':
			column = 0
		case c == '\n':
			row++
		case c < ' ' || c > '~' || row >= pictureRows || column >= pictureCols:
			t.Fatalf("at row %d, column %d there is %q", row, column, c)
		default:
			rows[row][column] = cell{c, reverse}
			column++
		}
		text = text[1:]
	}
	return rows
}

// svg draws a screen: light on dark, what is in reverse dark on light.
func svg(rows [pictureRows][pictureCols]cell) string {
	const width, height, margin = 8.4, 18, 12 // of a character of 14 pixels, and around all
	var b strings.Builder
	w, h := width*pictureCols+2*margin, height*pictureRows+2*margin
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%d\" viewBox=\"0 0 %.0f %d\">\n", w, h, w, h)
	fmt.Fprintf(&b, "<title>vbladefs top</title>\n<rect width=\"100%%\" height=\"100%%\" rx=\"6\" fill=\"#1e2127\"/>\n")
	b.WriteString("<g font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"14\" fill=\"#d7dae0\">\n")
	for i, row := range rows {
		text, y := "", margin+height*i
		for _, c := range row {
			text += string(c.c)
		}
		text = strings.TrimRight(text, " ")
		if text == "" {
			continue
		}
		attributes := ""
		if row[0].reverse {
			fmt.Fprintf(&b, "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"#d7dae0\"/>\n", margin, y, width*float64(len(text)), height)
			attributes = " fill=\"#1e2127\""
		}
		text = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
		fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\" textLength=\"%.1f\" xml:space=\"preserve\"%s>%s</text>\n", margin, y+height-5, width*float64(len(text)), attributes, text)
	}
	b.WriteString("</g>\n</svg>\n")
	return b.String()
}

// busy is a daemon with three exports, which two initiators use until the end of the test.
func busy(t *testing.T) *daemon {
	t.Helper()
	here, first := netiotest.Pair(t, 9000)
	second := netiotest.New(t)
	netiotest.Join(here, "eth1", second, "eth0", 9000)
	d := serve(t, here, "-cache", "writeback")
	for slot, name := range []string{"web", "mail", "backup"} {
		path, _ := image(t, 8*mib)
		d.echo(fmt.Sprintf("add %s %s", name, path), "vblade/drives")
		d.echo(fmt.Sprintf("add * 0 %d", slot+1), "vblade/"+name+"/ports")
	}
	stop, stopped := make(chan struct{}), make(chan struct{}, 3)
	for _, use := range []struct {
		ns    netiotest.Netns
		addr  string
		bytes int
		write bool
	}{{first, "0.1", 32 << 10, false}, {second, "0.2", 4 << 10, true}, {second, "0.3", 256 << 10, true}} {
		x := connect(t, use.ns, "eth0").open(use.addr)
		go func() {
			defer func() { stopped <- struct{}{} }()
			for b := make([]byte, use.bytes); ; {
				var err error
				if use.write {
					_, err = x.WriteAt(b, 0)
				} else {
					_, err = x.ReadAt(b, 0)
				}
				if err != nil {
					t.Error(err)
					return
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		}()
	}
	t.Cleanup(func() {
		close(stop)
		for range 3 {
			<-stopped
		}
	})
	return d
}

// topScreen is what top shows of a daemon on a terminal, once wanted says that it is enough.
func topScreen(t *testing.T, d *daemon, wanted func(string) bool) (rows [pictureRows][pictureCols]cell) {
	t.Helper()
	keyboard, tty := terminal(t)
	defer tty.Close()
	if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: pictureRows, Col: pictureCols}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "top", "-interval", "1s", d.dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	said := saidOn(keyboard)
	d.await("top shows a load", func() bool {
		frames := strings.Split(said.String(), "\x1b[H")
		return len(frames) > 5 && wanted(frames[len(frames)-2])
	})
	return screenOf(t, said.String())
}

// headings are the titles of columns in a text, without the mark of the one that it is sorted by.
func headings(t *testing.T, text string) []string {
	t.Helper()
	line := regexp.MustCompile(`EXPORT\*? +DRIVE [A-Z/* ]+[A-Z*]`).FindString(text)
	if line == "" {
		t.Fatalf("no heading in %q", text)
	}
	return strings.Fields(strings.ReplaceAll(line, "*", ""))
}

// TestPictureOfTop: the picture in the documents has what top shows of three exports and two initiators; -update
// makes it anew.
func TestPictureOfTop(t *testing.T) {
	d := busy(t)
	rows := topScreen(t, d, func(frame string) bool {
		return strings.Contains(frame, "e0.1") && strings.Contains(frame, "e0.2") && strings.Contains(frame, "e0.3")
	})
	now := svg(rows)
	if *update {
		if err := os.WriteFile(picture, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(picture)
	if err != nil {
		t.Fatal(err)
	}
	if len(kept) > 40<<10 {
		t.Errorf("the picture has %d bytes, more than 40 KiB", len(kept))
	}
	if want, got := headings(t, now), headings(t, string(kept)); !slices.Equal(got, want) {
		t.Errorf("the picture has the columns %q, top %q: go test ./cmd/vbladefs -run TestPictureOfTop -update", got, want)
	}
	for _, want := range []string{">e0.1 ", ">e0.2 ", ">e0.3 ", " web ", " mail ", " backup ", " ok "} {
		if !strings.Contains(string(kept), want) || !strings.Contains(now, want) {
			t.Errorf("%q is not in the picture, or not in what top shows:\n%s", want, now)
		}
	}
}
