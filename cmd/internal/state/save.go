package state

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// steps are the moments of a save at which a crash can leave something behind.
var steps = []string{"begun", "created", "half written", "written", "synced", "renamed", "done"}

// step is called at each of them; tests replace it.
var step = func(string) {}

// save makes text the content of the file, or leaves that as it is. An error
// of the last step leaves the new content, which may not survive.
func (f *folder) save(text []byte) error {
	step("begun")
	err := f.writeTemp(text)
	if err == nil {
		err = f.root.Rename(tempName, fileName)
	}
	if err != nil {
		_ = f.tidy() // what fails here mostly has the same reason; the next save tidies first, and says so
		return err
	}
	step("renamed")
	if err := f.sync(); err != nil {
		return err
	}
	step("done")
	return nil
}

// writeTemp writes text to a new file and sees it to the medium.
func (f *folder) writeTemp(text []byte) error {
	if err := f.tidy(); err != nil {
		return err
	}
	temp, err := f.root.OpenFile(tempName, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	step("created")
	half := len(text) / 2
	_, err = temp.Write(text[:half])
	if err == nil {
		step("half written")
		_, err = temp.Write(text[half:])
	}
	if err == nil {
		step("written")
		err = temp.Sync()
	}
	if err == nil {
		step("synced")
	}
	return cmp.Or(err, temp.Close())
}

// sync sees the names in the folder to the medium.
func (f *folder) sync() error {
	d, err := f.root.Open(".")
	if err != nil {
		return err
	}
	return cmp.Or(d.Sync(), d.Close())
}

// has reports whether there is a state.
func (f *folder) has() bool {
	_, err := f.root.Lstat(fileName)
	return err == nil
}

// keepRejected gives the present file a second name, which stays when the first
// leads to the next state, and returns it.
func (f *folder) keepRejected(now time.Time) (string, error) {
	base := rejectedName + now.UTC().Format("20060102T150405Z")
	name := base
	for n := 2; ; n++ {
		err := f.root.Link(fileName, name)
		if err == nil {
			return f.path(name), f.sync()
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("keep a copy of the state that was not carried out: %w", err)
		}
		name = fmt.Sprintf("%s-%d", base, n)
	}
}
