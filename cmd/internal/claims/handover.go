package claims

import (
	"os"

	"github.com/sirupsen/logrus"
)

// Share is what Join needs in a process that takes over: this daemon's number, and
// the descriptor, which stays the Claims'. The number is 0 if there are none.
func (c *Claims) Share() (id uint32, fd int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == nil {
		return 0, -1
	}
	c.admit()
	return c.id, int(c.file.Fd())
}

// Join is the claims of another process, which is to end, as this one's. Both have
// them: nothing is freed before Own.
func Join(log *logrus.Logger, id uint32, f *os.File) *Claims {
	return &Claims{log: log, path: f.Name(), file: f, id: id, shared: true}
}

// Own has claims be this process's alone.
func (c *Claims) Own() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == nil || !c.shared {
		return
	}
	c.shared = false
	err := c.record()
	if err == nil {
		c.path, err = pathOfNamespace()
	}
	if err != nil {
		c.fail(err)
	}
}
