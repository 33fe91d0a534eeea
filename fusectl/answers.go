package fusectl

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Answers asks the tree, as anybody would, and returns when it has answered: at
// once, if it is mounted no more. It opens nothing: see fileNode.Open.
func (s *Server) Answers() {
	select {
	case <-s.removed:
		return
	default:
	}
	_ = unix.Statfs(s.point.dir, &unix.Statfs_t{})
}

// answerTime is how long a folder may take to say what it is, and soon how long it takes before a look at who has it.
const (
	answerTime = 5 * time.Second
	soon       = 200 * time.Millisecond
)

// mustAnswer refuses a dir that belongs to a daemon that hangs: whoever looks at it
// waits, and could not even be told to end. One that has been killed is no hindrance.
func mustAnswer(dir string) error {
	answered := make(chan struct{})
	go func() {
		_ = unix.Statfs(dir, &unix.Statfs_t{}) // stat(2) is answered from memory
		close(answered)
	}()
	for wait := soon; ; wait = answerTime - soon {
		select {
		case <-answered:
			return nil
		case <-time.After(wait):
		}
		if wait != soon {
			break
		}
		if takeFromTheDying(dir) {
			return mustAnswer(dir) // there may be another beneath
		}
	}
	return fmt.Errorf("mount point %s: %w: it does not answer for %v: if a daemon hangs that serves it, "+
		"kill that one, or take its tree away with `umount -f -l %s`", dir, unix.ETIMEDOUT, answerTime, dir)
}
