package plan

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"vbladefs/target"
)

// DriveNames makes a drive name of each of names, all different. A name that can
// be one stays as it is. Any other gets a digest of itself behind what remains of
// it, so that it is the same in the next plan, whatever else is in that.
func DriveNames(names []string) []string {
	drives := make([]string, len(names))
	taken := make(map[string]bool)
	for i, name := range names {
		if driveName(name) && !taken[name] {
			drives[i] = name
			taken[name] = true
		}
	}
	for i, name := range names {
		for n := 0; drives[i] == ""; n++ {
			if d := digested(name, n); !taken[d] {
				drives[i] = d
				taken[d] = true
			}
		}
	}
	return drives
}

// digested is the n-th drive name for name.
func digested(name string, n int) string {
	const digits = 6
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s", n, name))
	kept := strings.Map(func(c rune) rune {
		if driveNameRune(c) {
			return c
		}
		return '_'
	}, name)
	return fmt.Sprintf("%s-%.*x", cut(kept, target.MaxDriveName-1-digits), digits/2, sum[:])
}

// driveName reports whether target.AddDrive takes name.
func driveName(name string) bool {
	return name != "" && len(name) <= target.MaxDriveName &&
		!strings.ContainsFunc(name, func(c rune) bool { return !driveNameRune(c) }) &&
		!slices.Contains([]string{".", "..", "drives", "stats"}, name) // the last two are files beside a drive's folder
}

func driveNameRune(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("_-.", c)
}
