package disk

// Flushes of a store are done one at a time, and those that come while one is under way wait for the next together, as
// the commits of a journal do. However many are asked for, the device sees no more than it can do one after the other,
// and each asker waits for two at most. What a flush answers for is never more than it covers: a request joins only one
// that has not begun, and a failure goes to all that shared it.
//
//	Submit ─▶ next, and those that join it ─▶ under way ─▶ all of them finished

// flushes is what a lane knows of those of its store.
type flushes struct {
	next    *request // not begun; nil: there is none
	joined  fifo     // share it
	held    bool     // next is in no list, but waits for the one under way
	running bool     // one is under way
	sharing fifo     // share that
}

// addLocked takes a flush in, and reports whether there is no more to do: it shares another, or waits for one.
func (f *flushes) addLocked(r *request) bool {
	if f.next != nil {
		f.joined.push(r)
		return true
	}
	f.next, f.held = r, f.running
	return f.held
}

// beginLocked says that next is about to be done: whoever comes now has come too late to share it.
func (f *flushes) beginLocked() {
	f.running, f.sharing = true, f.joined
	f.next, f.joined = nil, fifo{}
}

// endLocked says that the one under way has ended with err. It returns those that shared it, and the flush
// that waited for its end, if there is one.
func (f *flushes) endLocked(err error) (sharing fifo, after *request) {
	sharing = f.sharing
	for r := sharing.head; r != nil; r = r.next {
		r.err = err
	}
	if f.held {
		after = f.next
	}
	f.running, f.held, f.sharing = false, false, fifo{}
	return sharing, after
}
