package daemon

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// EndBy ends the process as the signal would have ended the original, so that
// whoever started it sees the same status.
func EndBy(s syscall.Signal) int {
	signal.Reset(s)
	_ = unix.Kill(os.Getpid(), s)
	select {} // until it arrives
}

// hurried is how long an end waits for work that is under way.
const hurried = 3 * time.Second

// Ends are the signals that end a daemon. They have a channel of their own: one
// that others fill could lose them.
type Ends <-chan os.Signal

// NotifyEnds has signals end up in a channel from now on, but for those that who
// started this process has had ignored: nohup(1) does so, and shells for what they
// start in the background of a script.
func NotifyEnds(signals ...os.Signal) Ends {
	ends := make(chan os.Signal, 1)
	for _, s := range signals {
		if !signal.Ignored(s) {
			signal.Notify(ends, s)
		}
	}
	return ends
}

// During carries out work, which a disk or a file system that hangs may hold up for
// ever. A signal to end then ends the waiting: During returns it, and work goes on
// beside what the end does. If work has ended, the signal is nil.
func (e Ends) During(work func()) os.Signal {
	done := make(chan struct{})
	go func() {
		defer close(done)
		work()
	}()
	select {
	case <-done:
		return nil
	case s := <-e:
		select {
		case <-done:
		case <-time.After(hurried):
		}
		return s
	}
}
