package fusectl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"vbladefs/compat/native"
	"vbladefs/target"
)

// restores carries out one restore at a time, and has the report of the last.
type restores struct {
	running sync.Mutex // held by the one that is carried out
	mu      sync.Mutex // guards last
	last    *job
}

func (r *restores) report() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		return nil
	}
	return r.last.all()
}

// A job is one restore, and its report: lines that are added while it runs.
type job struct {
	tree *tree

	mu     sync.Mutex // guards what follows
	text   []byte     // only appended to
	more   chan struct{}
	done   bool
	errno  syscall.Errno // of the first failure
	steps  int
	failed int

	first Mistake // of those in the text
}

// mostTold is how many mistakes a report tells: of a file that is no state it
// would be every line.
const mostTold = 200

// exactWord is the first line of what is written, for an exact restore.
const exactWord = "exact\n"

// restore begins to carry out what was written, if it has no mistakes. What came
// of it is in the job's report.
func (t *tree) restore(written []byte) *job {
	j := &job{tree: t, more: make(chan struct{})}
	t.restores.mu.Lock()
	t.restores.last = j
	t.restores.mu.Unlock()
	saved, exact := bytes.CutPrefix(written, []byte(exactWord))
	rehearsal := examine(saved, j.mistake)
	if j.failed == 0 && native.IsOld(saved) {
		j.mistake(Mistake{Line: 1, Column: 1, Err: fmt.Errorf("%w: a state of version 1 has no end line: want %q as its first line, and \"# end\" as its last",
			target.ErrMalformed, native.Header)})
	}
	if j.failed > 0 {
		rehearsal.close()
		j.refuse()
		return j
	}
	go j.run(rehearsal, exact)
	return j
}

// mistake counts a mistake, and reports it while they are few.
func (j *job) mistake(m Mistake) {
	if j.failed++; j.failed == 1 {
		j.first = m
	}
	if j.failed <= mostTold {
		j.tell("! %v", m)
	}
}

// refuse reports how many more mistakes there are, and ends the job.
func (j *job) refuse() {
	if more := j.failed - mostTold; more > 0 {
		j.tell("! and %d more", more)
	}
	j.tree.log.Warnf("restore: refused: %d mistakes, the first in line %v; nothing was changed", j.failed, j.first)
	j.end(unix.EINVAL)
}

func (j *job) run(want *rehearsal, exact bool) {
	j.tree.restores.running.Lock()
	defer j.tree.restores.running.Unlock()
	defer want.close()
	r := restorer{engine: j.tree.engine, wanted: want, exact: exact, did: j.did, failed: j.fail}
	r.run()
	if j.tree.settle != nil {
		j.tree.settle()
	}
	j.tell("= %d carried out, %d failed", j.steps, j.failed)
	j.tree.log.Infof("restore: %d commands carried out, %d failed", j.steps, j.failed)
	j.end(j.errno)
}

func (j *job) did(s step) {
	j.steps++
	j.tell("+ %s %s", s.file, s.text)
	j.tree.log.Infof("%s: %s", s.file, shown(s.text))
}

// fail reports and logs what was not carried out.
func (j *job) fail(m Mistake, column int) {
	errno := natural.errno(m.Err)
	j.failed++
	if j.errno == 0 {
		j.errno = errno
	}
	reason := oneLine(shortened(m.Err.Error()+wayOut(m.Err), maxReason))
	place, at := fmt.Sprintf("%d:%d", m.Line, m.Column), fmt.Sprintf(" at column %d", column)
	if m.Line == 0 {
		place, at = m.File+" "+shown(m.Text), ""
	}
	j.tell("! %s: %s: %s", place, errnoName(errno), reason)
	j.tree.log.Warnf("%s: refused %s%s: %s: %s", m.File, shown(m.Text), at, errnoName(errno), reason)
}

func oneLine(s string) string { return strings.ReplaceAll(s, "\n", " ") }

func (j *job) tell(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.text = append(append(j.text, oneLine(fmt.Sprintf(format, args...))...), '\n')
	close(j.more)
	j.more = make(chan struct{})
}

func (j *job) end(errno syscall.Errno) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.done, j.errno = true, errno
	close(j.more)
	j.more = make(chan struct{})
}

// now is how the job is; more is closed when that changes.
func (j *job) now() (text []byte, done bool, more <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text[:len(j.text):len(j.text)], j.done, j.more
}

func (j *job) all() []byte {
	text, _, _ := j.now()
	return text
}

// read is what there is of the report from off on; it waits for more, if there
// may be any.
func (j *job) read(ctx context.Context, off int64) ([]byte, error) {
	for {
		text, done, more := j.now()
		switch {
		case off < int64(len(text)):
			return text[off:], nil
		case done:
			return nil, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), unix.EINTR)
		}
	}
}

// wait returns when the job has ended, with its errno.
func (j *job) wait(ctx context.Context) syscall.Errno {
	for {
		_, done, more := j.now()
		if done {
			return j.errno
		}
		select {
		case <-more:
		case <-ctx.Done():
			return unix.EINTR
		}
	}
}
