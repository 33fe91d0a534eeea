// Package claims keeps two daemons of one machine from serving one address on one
// interface. The engine asks the segment who else answers, but frames of a machine
// do not reach its own packet sockets (packet(7)): both would answer, and initiators
// would take two disks for one.
//
//	target ─Take, Free─▶ Claims ─▶ one file for each network namespace ◀─ the other daemons
//
// The file is a table: for each interface and address the number of the daemon that
// has it, 0 for nobody. A daemon is alive while its open file description holds the
// lock of its number (fcntl(2), F_OFD_SETLK), so that what one had that was killed is
// free at once (see package dying for one whose end a disk delays), and a daemon that
// takes over gets all claims with the descriptor. Locks for each address would do
// without a table, but the kernel keeps them in a list: ten thousand took seconds.
//
// It protects those who see one /run. It is not about who may use a disk; disk is.
package claims

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"vbladefs/target/aoe"
)

// Claims are those of this process, on all interfaces of its network namespace. Its
// methods may be called concurrently. One without a file claims nothing.
type Claims struct {
	log  *logrus.Logger
	warn sync.Once

	mu     sync.Mutex // guards what follows
	path   string     // of file
	file   *os.File   // nil: nothing is claimed
	id     uint32     // this daemon's number
	shared bool       // a daemon that this one takes over from has them still
	alone  bool       // nobody else may change the table
	burst  *time.Timer
	dying  map[uint32]bool // daemons that were found dead; see dead
}

// Take claims addr on the interface of that index, until Free or the end of the
// process, and returns "", or who has it. What cannot be known is nobody's.
func (c *Claims) Take(index int, addr aoe.Addr) (holder string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == nil {
		return ""
	}
	holder, mine, err := c.holder(index, addr)
	if err == nil && holder == "" && !mine {
		holder, err = c.takeFree(index, addr)
	}
	if err != nil {
		c.fail(err)
	}
	return holder
}

// takeFree takes what was free a moment ago.
func (c *Claims) takeFree(index int, addr aoe.Addr) (holder string, err error) {
	if !c.alone {
		if err := c.exclude(); err != nil {
			return "", err
		}
		if holder, _, err = c.holder(index, addr); err != nil || holder != "" {
			return holder, err
		}
	}
	return "", c.put(index, addr, c.id)
}

// Holder is who else has addr there; "": nobody.
func (c *Claims) Holder(index int, addr aoe.Addr) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == nil {
		return ""
	}
	holder, _, err := c.holder(index, addr)
	if err != nil {
		c.fail(err)
	}
	return holder
}

// Free ends a claim. Nobody else changes one whose owner lives.
func (c *Claims) Free(index int, addr aoe.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == nil || c.shared {
		return
	}
	_, mine, err := c.holder(index, addr)
	if err == nil && mine {
		err = c.put(index, addr, 0)
	}
	if err != nil {
		c.fail(err)
	}
}

// holder is who has addr, if that is another who lives, or whether it is this one.
func (c *Claims) holder(index int, addr aoe.Addr) (other string, mine bool, err error) {
	var cell [4]byte
	if _, err := readAt(c.file, cell[:], cellOffset(index, addr)); err != nil {
		return "", false, err
	}
	switch id := binary.LittleEndian.Uint32(cell[:]); {
	case id == 0:
		return "", false, nil
	case id == c.id:
		return "", true, nil
	default:
		alive, err := locked(c.file, lifeOffset(id), 1)
		if err != nil || !alive || c.dead(id) {
			return "", false, err
		}
		return c.describe(id), false, nil
	}
}

// put makes addr the one's with that number.
func (c *Claims) put(index int, addr aoe.Addr, id uint32) error {
	_, err := unix.Pwrite(int(c.file.Fd()), binary.LittleEndian.AppendUint32(nil, id), cellOffset(index, addr))
	return err
}

// Who changes the table keeps it for a burst, since thousands of claims come at once,
// and locks are what costs. Others wait, with patience.
const (
	burst    = time.Millisecond
	patience = time.Second
)

// exclude has nobody else change the table until admit, which comes by itself.
func (c *Claims) exclude() error {
	for end := time.Now().Add(patience); ; time.Sleep(burst / 10) {
		err := lock(c.file, unix.F_WRLCK, tableLock)
		if err == nil {
			c.alone = true
			c.burst = time.AfterFunc(burst, func() {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.admit()
			})
			return nil
		}
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.EINTR) {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s is held by a process that does not go on: %w", c.path, err)
		}
	}
}

// admit ends exclude.
func (c *Claims) admit() {
	if c.alone {
		c.burst.Stop()
		c.alone = false
		_ = lock(c.file, unix.F_UNLCK, tableLock)
	}
}

// fail says once that claims do not work.
func (c *Claims) fail(err error) {
	c.warn.Do(func() {
		c.log.Warnf("a daemon of this machine that serves the same address may go unnoticed: %v", err)
	})
}
