package dying

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestOfFolder: what status files of the threads of a process mean.
func TestOfFolder(t *testing.T) {
	const (
		killed = "State:\tD (disk sleep)\nSigPnd:\t0000000000000100\nShdPnd:\t0000000000000100\n"
		runs   = "Name:\tx\nState:\tS (sleeping)\nSigPnd:\t0000000000000000\nShdPnd:\t0000000000004002\n"
		stuck  = "State:\tD (disk sleep)\nSigPnd:\t0000000000000000\nShdPnd:\t0000000000000000\n"
		ended  = "State:\tZ (zombie)\nShdPnd:\t0000000000000100\n"
		stops  = "State:\tT (stopped)\nSigPnd:\t0000000000000000\nShdPnd:\t0000000000000000\n"
	)
	for name, tt := range map[string]struct {
		leader string
		others []string
		want   bool
	}{
		"lives":                           {runs, []string{runs, stuck}, false},
		"waits for a disk, and lives":     {stuck, []string{stuck}, false},
		"stopped":                         {stops, []string{stops}, false},
		"killed, all threads wait":        {killed, []string{killed}, true},
		"killed, others wait":             {ended, []string{killed, ended}, true},
		"ended by itself, others wait":    {ended, []string{stuck}, true},
		"ended, to be waited for":         {ended, nil, false},
		"ended, with all threads":         {ended, []string{ended, "State:\tX (dead)\n"}, false},
		"nothing that is known":           {"State\nSigPnd:\tzz\n", []string{killed}, false},
		"killed only now, and runs still": {strings.ReplaceAll(runs, "SigPnd:\t00000000000000", "SigPnd:\t00000000000001"), nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put := func(thread, text string) {
				folder := filepath.Join(dir, thread)
				if err := os.MkdirAll(folder, 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(folder, "status"), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			put(".", tt.leader)
			put("task/1", tt.leader)
			for i, text := range tt.others {
				put("task/2"+strings.Repeat("0", i), text)
			}
			if got := ofFolder(dir); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
	if ofFolder(t.TempDir()) {
		t.Error("an empty folder is a dying process")
	}
}

// TestLiving: neither this process nor one that has ended is dying.
func TestLiving(t *testing.T) {
	if Process(os.Getpid()) || Process(0) || Process(-1) {
		t.Error("who asks is dying, or nobody is")
	}
	c := exec.Command("true")
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	_, _ = out.Read(make([]byte, 1)) // until it has ended; it is a zombie now, or about to be one
	_ = c.Wait()
	if Process(c.Process.Pid) {
		t.Error("a process that has ended is dying")
	}
}

// TestFiles finds a descriptor of this process, and stops when it is told to.
func TestFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "open")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	found, after := 0, 0
	Files(os.Getpid(), func(name, to string) bool {
		if found > 0 {
			after++
		}
		if to == path {
			found++
			return false
		}
		return true
	})
	if found != 1 || after != 0 {
		t.Errorf("found %d times, and %d more after that", found, after)
	}
}
