package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// daemonsPage is the manual of the daemons.
const daemonsPage = "vbladefs-daemons.8"

// others lists the daemons that a document's commands left in the background.
func (s *session) others() (pids []int) {
	s.t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, exe := range all {
		pid, _ := strconv.Atoi(strings.Split(exe, "/")[2])
		path, _ := os.Readlink(exe)
		if s.daemon != nil && pid == s.daemon.Process.Pid || path != filepath.Join(programs(s.t), "vbladefs") || !s.isOurs(pid) {
			continue
		}
		pids = append(pids, pid)
	}
	return pids
}

// isOurs tells a process of this session's from that of another by its folder.
func (s *session) isOurs(pid int) bool {
	mounts, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/mountinfo")
	return err == nil && strings.Contains(string(mounts), s.machine+"/run /run ")
}

// endOthers ends them, and waits until they have.
func (s *session) endOthers() {
	s.t.Helper()
	for _, pid := range s.others() {
		_ = syscall.Kill(pid, syscall.SIGTERM)
	}
	for end := time.Now().Add(patience); len(s.others()) > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Errorf("processes %v do not end", s.others())
			for _, pid := range s.others() {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
			return
		}
	}
}

// exported holds that the other host finds these addresses, in time.
func (s *session) exported(addrs ...string) {
	s.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		out, err := s.shell("aoebench -i eth0 --discover")
		missing := slices.DeleteFunc(slices.Clone(addrs), func(addr string) bool {
			return regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(addr) + ` `).MatchString(out)
		})
		if len(missing) == 0 {
			return
		}
		if time.Now().After(end) {
			s.t.Errorf("not found: %v, %v\n%s\n%s", missing, err, out, s.log())
			return
		}
	}
}

// TestDaemonsInManual: the manual has every daemon in its synopsis, and what it
// and their help say of options and commands is the same.
func TestDaemonsInManual(t *testing.T) {
	_, page, _ := strings.Cut(read(t, "docs/"+daemonsPage), ".Sh SYNOPSIS\n")
	synopsis, description, _ := strings.Cut(page, ".Sh DESCRIPTION\n")
	same(t, "daemons: in help, and in the synopsis", daemons(t), submatches(`(?m)^\.Nm ([a-z]+)$`, synopsis))
	for _, name := range []string{"vblade", "ggaoed", "ggaoectl", "qaoed"} {
		help := helpOf(name, programs(t))
		_, calls, _ := strings.Cut(synopsis, ".Nm "+name+"\n")
		calls, _, _ = strings.Cut(calls, ".Nm ")
		list := listBehind(t, description, `The options of\n\.Nm `+name+` :`)
		same(t, "options: of "+name+", and in its list", submatches(`[\[ ]-([a-zA-Z])\b`, help), submatches(`(?m)^\.It Fl ([a-zA-Z])\b`, list))
		same(t, "options: of "+name+", and in its synopsis", submatches(`[\[ ]-([a-zA-Z])\b`, help), submatches(`(?m)^\.Op Fl ([a-zA-Z])\b`, calls))
		if long := submatches(`, --([a-z]+)\b`, help); len(long) > 0 {
			same(t, "long options: of "+name+", and in its list", long, submatches(`(?m)^\.It Fl [a-zA-Z] , Fl Fl ([a-z]+)\b`, list))
		}
	}
	own := submatches(`(?m)^\.It Fl Fl ([a-z]+)\b`, listBehind(t, description, `All but the two that control`))
	for _, name := range []string{"ggaoed", "qaoed"} {
		same(t, "options of ours: in "+name+" -h, and in the manual", submatches(`(?m)^  --([a-z]+) `, helpOf(name, programs(t))), own)
	}
	_, commands, _ := strings.Cut(helpOf("ggaoectl", programs(t)), "Commands:\n")
	same(t, "commands: of ggaoectl, and in the manual", submatches(`(?m)^  ([a-z-]+) `, commands),
		submatches(`(?m)^\.It Cm ([a-z-]+)\b`, listBehind(t, description, `Its commands, in which`)))
}

// helpOf is what a daemon says to -h, whatever it takes that for.
func helpOf(name, folder string) string {
	out, _ := exec.Command(filepath.Join(folder, name), "-h").CombinedOutput()
	return string(out)
}

// listBehind is the first list behind what an expression matches.
func listBehind(t *testing.T, page, expression string) string {
	t.Helper()
	list := regexp.MustCompile(`(?s)` + expression + `.*?\n(\.Bl.*?\n\.El\n)`).FindStringSubmatch(page)
	if list == nil {
		t.Fatalf("no list behind %s", expression)
	}
	return list[1]
}
