package qaoed

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"vbladefs/compat/qaoed"
	"vbladefs/netio"
)

// This file reads configurations, and asks the machine what they need to know.

// maxFile is more than a configuration may have.
const maxFile = 16 << 20

func load(file string) (qaoed.Config, []qaoed.Warning, error) {
	content, err := readFile(file)
	if err != nil {
		return qaoed.Config{}, nil, fmt.Errorf("%w: -c names another configuration", err)
	}
	return qaoed.Parse(file, content, machine())
}

// machine is this machine as a configuration asks of it. Relative paths start at
// the working folder, which the daemon keeps.
func machine() qaoed.Env {
	folder, err := os.Getwd()
	if err != nil {
		folder = ""
	}
	return qaoed.Env{Folder: folder, Include: include, MTU: mtuOf, Usable: usable}
}

// include gives the files of a pattern, which libc's glob(3) sorts, too.
func include(pattern string) ([]qaoed.Source, error) {
	names, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("glob() failed: %w", err)
	}
	var sources []qaoed.Source
	for _, name := range names {
		content, err := readFile(name)
		if err != nil {
			return nil, err
		}
		sources = append(sources, qaoed.Source{Name: name, Text: content})
	}
	return sources, nil
}

// readFile reads a regular file; others might never end.
func readFile(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file (%s)", name, info.Mode())
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%s has %d bytes: want at most %d", name, info.Size(), maxFile)
	}
	return io.ReadAll(io.LimitReader(f, maxFile))
}

func mtuOf(netif string) (int, bool) {
	i, err := netio.Lookup(netif)
	return i.MTU, !errors.Is(err, netio.ErrNoInterface)
}

// usable says why a path is no target.
func usable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case info.Mode().IsRegular(), info.Mode().Type() == fs.ModeDevice:
		return nil
	}
	return fmt.Errorf("%s is neither (%s)", path, info.Mode())
}

func tellWarnings(w io.Writer, warnings []qaoed.Warning) {
	for _, warning := range warnings {
		_, _ = fmt.Fprintln(w, "warning:", warning)
	}
}
