package state

import "time"

// How long writers of the control tree wait for their changes to be saved:
// allowance in every window. After that they go on, and a state is saved at the
// latest patience after it has changed.
const (
	allowance = 2 * time.Second
	window    = 10 * time.Second
	patience  = time.Second
)

// budget counts the time in which anyone waited, second by second.
type budget struct {
	spent  [window / time.Second]time.Duration
	second [window / time.Second]int64 // which second each is of
	now    int                         // how many wait now
	since  time.Time                   // when the first of them began
}

// left is how long one may wait now.
func (b *budget) left(now time.Time) time.Duration {
	left := allowance
	for i, second := range b.second {
		if now.Unix()-second < int64(len(b.second)) {
			left -= b.spent[i]
		}
	}
	if b.now > 0 {
		left -= now.Sub(b.since)
	}
	return max(left, 0)
}

// enter and leave tell of one who waits.
func (b *budget) enter(now time.Time) {
	if b.now++; b.now == 1 {
		b.since = now
	}
}

func (b *budget) leave(now time.Time) {
	if b.now--; b.now > 0 {
		return
	}
	at := int(now.Unix() % int64(len(b.second)))
	if b.second[at] != now.Unix() {
		b.second[at], b.spent[at] = now.Unix(), 0
	}
	b.spent[at] += now.Sub(b.since)
}
