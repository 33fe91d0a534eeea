package fusectl

import (
	"time"

	"github.com/sirupsen/logrus"

	"vbladefs/compat/text"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// tree is what all nodes of a mounted tree share; nothing in it changes.
type tree struct {
	engine  Engine
	log     *logrus.Logger
	events  *Events
	group   uint32
	started time.Time
	readme  []byte
	save    func() error // as in Options
	settle  func()
	// restores is the one thing that changes.
	restores *restores
}

// subject is the object that a folder stands for. Of its fields those are set
// that identify the object in its part of the tree.
type subject struct {
	name  string // of the folder
	drive string
	addr  aoe.Addr
	netif string
}

// A dir is a folder, or a kind of folder of which there is one per object.
type dir struct {
	name  string // as in the README; that of a kind is in angle brackets
	about string
	files []*file
	dirs  []*dir
	// Of a kind only: the objects in the folder of a subject at this moment, and
	// whether one exists. An object has all that identifies the subject it is in.
	// One whose name is also that of a fixed entry has no folder.
	list func(t *tree, in subject) []subject
	find func(t *tree, in subject, name string) (subject, bool)
}

// folders lists what stands for each of infos.
func folders[Info any](infos []Info, of func(Info) subject) []subject {
	all := make([]subject, len(infos))
	for i, info := range infos {
		all[i] = of(info)
	}
	return all
}

// A file is one row of the table: what the README says of it and what it does.
type file struct {
	name    string
	about   string
	takes   []string // commands, or what the value may be; none: nobody may write
	gives   string   // empty: reading fails with EIO, as in sysfs
	dialect dialect

	// read is the text at this moment; false: the object is gone.
	read func(t *tree, s subject) ([]byte, bool)
	// long texts show a size of 0, as in procfs: making them to measure them
	// would slow down everyone who opens the file.
	long bool
	// trace is what a file shows that grows while it is read; of trace only.
	trace func(t *tree, s subject) (*target.Trace, bool)
	// private files are for root, and the group that may write, alone.
	private bool
	// follow lets a reader at the end see what is added later; of log only.
	follow bool

	// parse turns one command into an operation; no operation and no error for
	// a line that says nothing.
	parse func(t *tree, s subject, line, cwd string) (target.Operation, error)
	// split finds the commands in a write; nil: text.Lines.
	split func(data string) []text.Line
	// transaction marks a file that takes all that is written as one; of restore
	// only.
	transaction bool
	// value marks a file that takes one value instead of commands.
	value bool
	// maxWrite refuses larger writes; 0: any size.
	maxWrite int
}

func (f *file) writable() bool { return f.parse != nil }

// steady reports whether the attributes of the file never change.
func (f *file) steady() bool { return f.long || f.read == nil && f.trace == nil }

// text is what an opened file reads as; false: the object is gone, or the file
// is not for reading.
func (f *file) text(t *tree, s subject) ([]byte, bool) {
	if f.read == nil {
		return nil, false
	}
	return f.read(t, s)
}

// mode is the permission bits of the file: nothing is writable for the world,
// and nothing that ignores what is written is writable at all.
func (f *file) mode(t *tree) uint32 {
	switch {
	case f.private && t.group != 0:
		return 0o660
	case f.private:
		return 0o600
	case !f.writable():
		return 0o444
	case t.group != 0:
		return 0o664
	default:
		return 0o644
	}
}

// child is an entry of a folder: a file or another folder.
type child struct {
	name    string
	file    *file // nil for a folder
	dir     *dir
	subject subject
}

// child finds the entry called name in folder d of subject s.
func (d *dir) child(t *tree, s subject, name string) (child, bool) {
	for _, f := range d.files {
		if f.name == name {
			return child{name: name, file: f, subject: s}, true
		}
	}
	for _, sub := range d.dirs {
		if sub.find == nil && sub.name == name {
			return child{name: name, dir: sub, subject: s}, true
		}
	}
	for _, sub := range d.dirs {
		if sub.find == nil {
			continue
		}
		if object, ok := sub.find(t, s, name); ok {
			return child{name: name, dir: sub, subject: object}, true
		}
	}
	return child{}, false
}

// children lists folder d of subject s.
func (d *dir) children(t *tree, s subject) []child {
	var all []child
	fixed := make(map[string]bool)
	for _, f := range d.files {
		all, fixed[f.name] = append(all, child{name: f.name, file: f, subject: s}), true
	}
	for _, sub := range d.dirs {
		if sub.list == nil {
			all, fixed[sub.name] = append(all, child{name: sub.name, dir: sub, subject: s}), true
		}
	}
	for _, sub := range d.dirs {
		if sub.list == nil {
			continue
		}
		for _, object := range sub.list(t, s) {
			if !fixed[object.name] {
				all = append(all, child{name: object.name, dir: sub, subject: object})
			}
		}
	}
	return all
}

// exists reports whether the object of folder d is still there.
func (d *dir) exists(t *tree, s subject) bool {
	if d.find == nil {
		return true
	}
	_, ok := d.find(t, s, s.name)
	return ok
}
