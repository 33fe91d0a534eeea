package fusectl

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestChildCloses starts a program while half a command is written: the copy of
// the descriptor that the child closes must not carry the half out. The half
// would end the export on all interfaces, the whole is about another.
func TestChildCloses(t *testing.T) {
	need(t, "true")
	const half, rest = "\ndel /dev/loop0 0 1", "2 eth0\n"
	for name, fill := range map[string]int{"a buffer of 4096 bytes": 4096, "a buffer of 8192 bytes": 8192, "a buffer of another size": 4242} {
		t.Run(name, func(t *testing.T) {
			d := mounted(t)
			d.sh(t, "printf 'add /dev/loop0 0 1\\nadd /dev/loop0 0 12 eth0\\n' > aoeserver")
			f, err := os.OpenFile(filepath.Join(d.dir, "aoeserver"), os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			say := func(text string) {
				if _, err := f.WriteString(text); err != nil {
					t.Fatal(err)
				}
			}
			say(strings.Repeat("\n", fill-len(half)) + half)
			cmd := exec.Command("true") // closes its copy of f on exec, another when it ends
			cmd.ExtraFiles = []*os.File{f}
			if err := cmd.Run(); err != nil {
				t.Fatal(err)
			}
			if got := d.sh(t, "ls -d kvblade/*@*"); got != "kvblade/0.12@eth0\nkvblade/0.1@*\n" {
				t.Errorf("half: got %q", got)
			}
			say(rest)
			if got := d.sh(t, "ls -d kvblade/*@*; grep -c refused log"); got != "kvblade/0.1@*\n0\n(exit status 1)\n" {
				t.Errorf("whole: got %q", got)
			}
		})
	}
}

// TestPartsOfPrograms has several programs of a shell write the parts of a text.
func TestPartsOfPrograms(t *testing.T) {
	need(t, "dd")
	d := mounted(t)
	first := "\nadd do /dev/lo"
	text := strings.Repeat("#", 4096-len(first)) + first + "op2\n"
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got := d.sh(t, "{ dd if="+file+" bs=4096 count=1 status=none; dd if="+file+" bs=4096 skip=1 status=none; } > vblade/drives; ls vblade; grep -c refused log")
	if got != "do\ndrives\nstats\n0\n(exit status 1)\n" {
		t.Errorf("got %q", got)
	}
}

// TestLastClose ends a text of whole blocks without a newline: the last line is
// carried out when the file is closed, which nobody waits for.
func TestLastClose(t *testing.T) {
	need(t, "dd")
	for _, tt := range []struct{ last, show, want string }{
		{"add do /dev/loop2", "cat vblade/drives", "do /dev/loop2 4096 rw 0\n"},
		{"add do /dev/none2", "grep -o 'refused.*ENOENT' log", "refused \"add do /dev/none2\": ENOENT\n"},
	} {
		d := mounted(t)
		file := filepath.Join(t.TempDir(), "text")
		if err := os.WriteFile(file, []byte(strings.Repeat("#", 4095-len(tt.last))+"\n"+tt.last), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := d.sh(t, "dd if="+file+" of=vblade/drives bs=4096 status=none"); got != "" {
			t.Errorf("dd: %s", got)
		}
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
			got := d.sh(t, tt.show)
			if got == tt.want {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: got %q, want %q", tt.last, got, tt.want)
			}
		}
	}
}
