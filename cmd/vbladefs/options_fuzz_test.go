package main

import (
	"errors"
	"flag"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzCommandLine: any words are a command line of which every value is in range,
// or a mistake of the user's, which exits with the code for one.
func FuzzCommandLine(f *testing.F) {
	for _, line := range []string{"/mnt", "-state= -link xdp -io sync -workers 3 -cpus 0,2-3 /mnt", "-ring 4m -requests 64 -busy-poll 50us dir",
		"-takeover -state= x", "-state /mnt/x /mnt", "-h", "-workers 0 /mnt", "-mount /run/x -- sh -c true", "-ring 99999999999999999999g x", "--", "-user= -group 0 y"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words := strings.Split(line, " ")
		o, err := parseServe(words, io.Discard)
		if refused(t, line, err) {
			return
		}
		if err := o.check(); err != nil {
			t.Errorf("%q is taken, and refused after: %v", line, err)
		}
		if o.dir == "" && words[len(words)-1] != "" || len(o.cpus) > 2*(maxCPU+1) || o.state == "" && o.takeover {
			t.Errorf("%q: taken as %+v", line, o)
		}
	})
}

// FuzzRunCommandLine: what is run is some command, and the tree at some place.
func FuzzRunCommandLine(f *testing.F) {
	for _, line := range []string{"", "-mount /run/x -- sh -c true", "-mount", "-h", "--", "-x", "ls -l", "-mount= ls"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		o, err := parseRun(strings.Split(line, " "), io.Discard)
		if !refused(t, line, err) && (len(o.command) == 0 || !filepath.IsAbs(o.mount)) {
			t.Errorf("%q: taken as %+v", line, o)
		}
	})
}

// refused reports whether a command line was, and demands that its user is told so.
func refused(t *testing.T, line string, err error) bool {
	var usage *usageError
	if err != nil && !errors.Is(err, flag.ErrHelp) && !errors.As(err, &usage) {
		t.Errorf("%q: %v is no mistake of a command line", line, err)
	}
	return err != nil
}
