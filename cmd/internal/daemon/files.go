package daemon

import "golang.org/x/sys/unix"

// manyFiles is as many descriptors as the kernel gives a process unless its limit
// fs.nr_open is changed (proc_sys_fs(5)). A drive takes up to three.
const manyFiles = 1 << 20

// RaiseFileLimit is what Start does first, for a process that gets descriptors
// before.
func RaiseFileLimit() { raiseFileLimit() }

// raiseFileLimit lets the daemon have as many descriptors as it can get: thousands of
// drives want more than the 1,024 that shells and services start with. Go raises
// the soft limit to the hard one; root may raise that, too.
func raiseFileLimit() {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil || limit.Cur >= manyFiles {
		return
	}
	for files := uint64(manyFiles); files > limit.Cur; files /= 2 {
		if unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: files, Max: max(files, limit.Max)}) == nil {
			return
		}
	}
}
