package vm

import (
	"bufio"
	"fmt"
	"io"
	"path"
	"strings"
)

// File types of a cpio entry's mode (cpio(5), stat(2)).
const (
	modeDir     = 0o040000
	modeRegular = 0o100000
	modeSymlink = 0o120000
	modeCharDev = 0o020000
)

// archive writes an initramfs in the "newc" format: Documentation/driver-api/early-userspace/buffer-format.rst.
// It keeps the first error and does nothing after it; a path that was added once is not added again.
type archive struct {
	w       *bufio.Writer
	err     error
	written int64
	inode   int
	have    map[string]bool
}

func newArchive(w io.Writer) *archive {
	return &archive{w: bufio.NewWriter(w), have: map[string]bool{"/": true}}
}

func (a *archive) file(name string, perm uint32, content []byte) {
	a.parents(name)
	a.entry(name, modeRegular|perm, content, 0, 0)
}

func (a *archive) symlink(name, target string) {
	a.parents(name)
	a.entry(name, modeSymlink|0o777, []byte(target), 0, 0)
}

func (a *archive) dir(name string) {
	a.parents(name)
	a.entry(name, modeDir|0o755, nil, 0, 0)
}

func (a *archive) charDev(name string, major, minor uint32) {
	a.parents(name)
	a.entry(name, modeCharDev|0o600, nil, major, minor)
}

// parents adds the directories above name: the kernel makes none by itself.
func (a *archive) parents(name string) {
	if dir := path.Dir(path.Clean("/" + name)); dir != "/" && !a.have[dir] {
		a.dir(dir)
	}
}

func (a *archive) entry(name string, mode uint32, content []byte, major, minor uint32) {
	name = path.Clean("/" + name)
	if a.have[name] {
		return
	}
	a.have[name] = true
	a.inode++
	a.header(strings.TrimPrefix(name, "/"), a.inode, mode, len(content), major, minor)
	a.write(content)
	a.pad()
}

// header writes the 110 byte header, the name and its padding. Links, owner and time are of no use in an initramfs.
func (a *archive) header(name string, inode int, mode uint32, contentBytes int, major, minor uint32) {
	fields := []any{inode, mode, 0, 0, 1, 0, contentBytes, 0, 0, major, minor, len(name) + 1, 0}
	a.write([]byte("070701" + fmt.Sprintf(strings.Repeat("%08x", len(fields)), fields...)))
	a.write([]byte(name + "\x00"))
	a.pad()
}

func (a *archive) write(data []byte) {
	if a.err != nil {
		return
	}
	_, a.err = a.w.Write(data)
	a.written += int64(len(data))
}

// pad fills up to the next multiple of four bytes.
func (a *archive) pad() {
	a.write(make([]byte, (4-a.written%4)%4))
}

// close ends the archive and returns the first error of all its calls. It does not close the writer below.
func (a *archive) close() error {
	a.header("TRAILER!!!", 0, 0, 0, 0, 0)
	if a.err != nil {
		return a.err
	}
	return a.w.Flush()
}
