// Package state keeps what is exported in a folder, so that it survives the
// daemon.
//
//	target ─Changed─▶ Keeper ─text()─▶ the present state ─save─▶ FOLDER/state
//	                     └──────then(err), Settle returns ◀────────┘
//
// The file state is replaced as a whole: written as state.new, brought to the
// medium, renamed, and the folder brought to the medium. Whenever the machine or
// the daemon dies, the file is the old one or the new one. One save runs at a
// time and covers all changes that came before it, so that many cost little more
// than one (keeper.go). A save that fails is logged and tried again; it ends
// nothing, and the old file stays.
//
// The package does not know what the text says, but for its first and its last
// line, which native checks; fusectl makes it, checks it and carries it out.
package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"vbladefs/compat/native"
)

// Files of the folder.
const (
	fileName     = "state"
	tempName     = "state.new"
	lockName     = "lock"
	newLockName  = "lock.new"
	rejectedName = "state.rejected-" // a time follows
)

// ErrClosed is that of a Keeper which saves no more.
var ErrClosed = errors.New("the state is not kept any more")

// Keeper keeps a state in a folder. It is a target.Keeper. All methods may be
// called concurrently.
type Keeper struct {
	folder *folder
	log    *logrus.Logger
	loaded []byte
	sealed bool // loaded is what was saved: nobody has edited it
	text   func() []byte
	wake   chan struct{} // something is to be looked at
	ended  chan struct{} // closed when nothing is saved any more

	// Of the saving goroutine, and before it of Open.
	last     []byte // what the file has; nil: it must be written
	rejected bool   // the file has lines that could not be carried out: keep it

	mu        sync.Mutex // guards what follows
	started   bool
	closing   bool
	changes   uint64        // how many there were
	urgent    uint64        // changes up to this one are waited for by operations
	wanted    uint64        // and up to this one by initiators
	attempted uint64        // changes up to this one were in a save, which failed perhaps
	saved     uint64        // changes up to this one are durable
	due       time.Time     // when the next save is to begin though nobody waits; zero: never
	err       error         // of the last save
	failures  int           // since a save succeeded
	rested    time.Time     // when the next save for initiators may begin
	hurried   bool          // it may begin at once, see Hurry
	notBefore time.Time     // when the next save may begin, after a failure
	quiet     time.Time     // until when failures are not logged again
	thens     []func(error) // of changes that no save has covered
	round     chan struct{} // closed, and replaced, after each save
	waits     budget        // what Settle may spend
}

// Open takes the folder, which it makes if it is missing, until Close. It
// refuses one that another process uses or someone else could write to, and a
// state of an unknown version or one that was cut off.
func Open(dir string, log *logrus.Logger) (*Keeper, error) {
	f, err := openFolder(dir, nil)
	if err != nil {
		return nil, err
	}
	file, err := f.load()
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	text, sealed := unseal(file)
	if native.IsOld(text) {
		log.Warnf("%s is of an older version, which had no end line: if it was cut off, nobody can tell; with the next change it is written as %q", f.path(fileName), native.Header)
	}
	k := newKeeper(f, text, log)
	k.sealed = sealed
	return k, nil
}

// Join is Open of the folder that another process has, with the lock of that one
// and the state that it had a moment ago. It goes on to keep its state there until
// both agree that it ends: Joined says so.
func Join(dir string, lock *os.File, text []byte, log *logrus.Logger) (*Keeper, error) {
	f, err := openFolder(dir, lock)
	if err != nil {
		return nil, err
	}
	return newKeeper(f, text, log), nil
}

func newKeeper(f *folder, text []byte, log *logrus.Logger) *Keeper {
	return &Keeper{folder: f, log: log, loaded: text, last: text,
		wake: make(chan struct{}, 1), ended: make(chan struct{}), round: make(chan struct{})}
}

// Loaded is the state that the folder had when it was opened; nil: none.
func (k *Keeper) Loaded() []byte { return k.loaded }

// Sealed reports that Loaded is, to the byte, what a daemon saved. Else someone
// may have made a mistake in it.
func (k *Keeper) Sealed() bool { return k.sealed }

// Path is where the state lies.
func (k *Keeper) Path() string { return k.folder.path(fileName) }

// Reject says that not all of Loaded could be carried out. The file is kept
// under another name before it is replaced. It is called before Start.
func (k *Keeper) Reject() { k.rejected = true }

// Joined says, before Start, that the process which had the folder keeps nothing
// there any more, and that the file has text now.
func (k *Keeper) Joined(text []byte) {
	k.last = text
	k.folder.sign()
}

// Lock is the file that is locked as long as k is open; it stays k's.
func (k *Keeper) Lock() *os.File { return k.folder.lock }

// Start begins to save what text returns. Changes so far are those of carrying
// out what was loaded, so they are saved only if an initiator waits for one.
func (k *Keeper) Start(text func() []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.text, k.started, k.due = text, true, time.Time{}
	if len(k.thens) == 0 {
		k.attempted, k.saved = k.changes, k.changes
	}
	go k.run()
}

// Close saves what has changed since the last save and gives the folder up.
// Later changes are answered with ErrClosed; closing again does nothing.
func (k *Keeper) Close() error {
	k.mu.Lock()
	first, started := !k.closing, k.started
	k.closing = true
	k.mu.Unlock()
	if !started {
		if first {
			close(k.ended)
			return k.folder.close()
		}
		return nil
	}
	k.poke()
	<-k.ended
	if !first {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return errors.Join(k.err, k.folder.close())
}

// load reads the state; nil: there is none.
func (f *folder) load() ([]byte, error) {
	text, err := f.root.ReadFile(fileName)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read the state: %w", err)
	}
	if line, err := native.CheckForm(text); err != nil {
		return nil, fmt.Errorf("%s:%d:1: %w; it is left as it is: mend it (`vbladefs check %s` shows what is wrong), or move it away to start with nothing",
			f.path(fileName), line, err, f.path(fileName))
	}
	return text, nil
}
