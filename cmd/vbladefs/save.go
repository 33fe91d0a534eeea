package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"vbladefs/compat/native"
)

// save has the daemon make its state durable, or copies it.
func save(args []string, stdout io.Writer) error {
	f := newFlags("save", stdout, "[-mount DIRECTORY] [FILE]", `Without FILE: has the daemon make its state durable now, whatever it waits for.
With FILE: copies the present state there, as a whole or not at all; - is standard output.
`)
	mount := f.String("mount", defaultMount, "where the control tree is mounted")
	if err := f.parse(args); err != nil {
		return err
	}
	switch f.NArg() {
	case 0:
		return openControl(*mount).write("saved", "save")
	case 1:
		if f.Arg(0) == "" {
			return badUsage("the name of the file is empty: want the file to copy the state to, or no argument to have the daemon save its own")
		}
		text, err := openControl(*mount).saved()
		if err != nil {
			return err
		}
		if f.Arg(0) == "-" {
			_, err = stdout.Write(text)
			return err
		}
		return replaceFile(f.Arg(0), text)
	}
	return badUsage("%d arguments, want at most one: the file to copy the state to", f.NArg())
}

// replaceFile makes text the content of a file, durable, or leaves that as it
// is. What is no regular file, such as a pipe, is written as it is.
func replaceFile(path string, text []byte) error {
	mode := fs.FileMode(0o600)
	switch info, err := os.Stat(path); {
	case err == nil && !info.Mode().IsRegular():
		return os.WriteFile(path, text, mode)
	case err == nil:
		mode = info.Mode().Perm()
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	dir := filepath.Dir(path)
	temp, err := os.CreateTemp(dir, "."+filepath.Base(path)+".")
	if err != nil {
		return err
	}
	_, err = temp.Write(text)
	if err == nil {
		err = temp.Chmod(mode)
	}
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// saved is the present state.
func (c *control) saved() ([]byte, error) {
	text, err := os.ReadFile(c.path("saved"))
	if err != nil {
		return nil, c.missing(err)
	}
	if line, err := native.CheckForm(text); err != nil {
		return nil, fmt.Errorf("%s:%d: %w", c.path("saved"), line, err)
	}
	return text, nil
}
