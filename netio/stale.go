package netio

// maxWaitNanos is how long a frame may wait in the ring. While a process is stopped the frames of each of its
// rings wait, and its owners go on at different moments: a write kept in one ring would then undo a newer one
// that was repeated, or followed, through another. Linux' initiator repeats a request to the same address for
// 10 s and only then turns to another path, so nothing younger than 10 s can be overtaken by its sender's
// own choice; 2 s is well under that, and far over what an owner's other work takes. The frame is lost as any
// frame can be: every initiator repeats.
const maxWaitNanos = 2e9

// maxAgeNanos is the age beyond which a stamp is rather taken from another clock, or the clock was set: if all
// stamps were such, dropping the frames would end all traffic.
const maxAgeNanos = 3600e9

// stale says whether a frame that the kernel stamped with that CLOCK_REALTIME has waited too long at now, in
// nanoseconds of the same clock. A stamp of zero or from the future is none. A clock that is set forward costs
// the frames that wait at that moment; set back, it lets them pass.
func stale(now int64, sec, nsec uint32) bool {
	age := now - int64(sec)*1e9 - int64(nsec)
	return age > maxWaitNanos && age <= maxAgeNanos && (sec != 0 || nsec != 0)
}
