package main

import "runtime/debug"

// hurriedGC is how much garbage there may be, in percent of what is in use, while a
// state is read: thousands of commands leave little else behind. More would cost
// more than it saves, as fresh memory is not free either.
const hurriedGC = 300

// hurry lets garbage lie until done is called, unless there may be more anyway.
func hurry() (done func()) {
	usual := debug.SetGCPercent(hurriedGC)
	if usual < 0 || usual > hurriedGC {
		debug.SetGCPercent(usual)
	}
	return func() { debug.SetGCPercent(usual) }
}
