package main

import (
	"fmt"
	"math/rand/v2"
	"os"
)

// chunk is what files are filled with, over and over: nothing that a store could
// leave out.
var chunk = func() []byte {
	b := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}()

func writeFile(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = fill(f, size)
	if closing := f.Close(); err == nil {
		err = closing
	}
	return err
}

func fill(f *os.File, size int64) error {
	for size > 0 {
		n, err := f.Write(chunk[:min(size, int64(len(chunk)))])
		if err != nil {
			return fmt.Errorf("filling %s: %w", f.Name(), err)
		}
		size -= int64(n)
	}
	return nil
}

// outputs are the files of -json and -plot, opened before the rig hides parts of
// the file system, and before minutes of work that could not be kept.
type outputs struct{ json, plot *os.File }

func openOutputs(json, plot string) (*outputs, error) {
	o := &outputs{}
	for _, f := range []struct {
		path string
		file **os.File
	}{{json, &o.json}, {plot, &o.plot}} {
		if f.path == "" {
			continue
		}
		file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE, 0o644)
		if err != nil {
			o.close()
			return nil, err
		}
		*f.file = file
	}
	if o.plot != nil {
		if _, err := find("gnuplot", "bench"); err != nil {
			o.close()
			return nil, fmt.Errorf("-plot: %w", err)
		}
	}
	return o, nil
}

// close closes the files, and removes those that nothing was written to.
func (o *outputs) close() {
	for _, f := range []*os.File{o.json, o.plot} {
		if f == nil {
			continue
		}
		if info, err := f.Stat(); err == nil && info.Size() == 0 {
			_ = os.Remove(f.Name())
		}
		_ = f.Close()
	}
}

// write puts the report into the files.
func (o *outputs) write(r *report) error {
	if o.json != nil {
		text, err := r.encode()
		if err == nil {
			err = replace(o.json, text)
		}
		if err != nil {
			return fmt.Errorf("-json: %w", err)
		}
	}
	if o.plot != nil {
		picture, err := r.plot()
		if err == nil {
			err = replace(o.plot, picture)
		}
		if err != nil {
			return fmt.Errorf("-plot: %w", err)
		}
	}
	return nil
}

// replace overwrites all that is in f.
func replace(f *os.File, content []byte) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt(content, 0)
	return err
}
