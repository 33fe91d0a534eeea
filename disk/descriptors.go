package disk

import "golang.org/x/sys/unix"

// reserve is how many descriptors are left to the rest of the process, which needs some for every command and reader.
const reserve = 64

// scarce reports whether fd is among the last that this process may have. The kernel gives the lowest number that is
// free (open(2)).
func scarce(fd int) bool {
	var limit unix.Rlimit
	return unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil && uint64(fd)+reserve >= limit.Cur
}
