package mountns

import (
	"os"
	"strings"
)

// topSource is the source of the topmost mount at a place, in the namespace of the calling thread; empty if there is none.
func topSource(at string) (string, error) {
	text, err := os.ReadFile("/proc/thread-self/mountinfo")
	if err != nil {
		return "", err
	}
	return sourceIn(string(text), at), nil
}

// sourceIn finds the source of the last mount at a place in a list of mounts, see proc_pid_mountinfo(5). Neither may
// hold blanks, which are escaped there.
func sourceIn(table, at string) string {
	found := ""
	for line := range strings.Lines(table) {
		mount, device, _ := strings.Cut(line, " - ")
		if words := strings.Fields(mount); len(words) < 5 || words[4] != at {
			continue
		}
		found = ""
		if words := strings.Fields(device); len(words) >= 2 {
			found = words[1]
		}
	}
	return found
}
