package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"vbladefs/compat/convert"
	"vbladefs/compat/vblade"
	"vbladefs/fusectl"
	"vbladefs/target"
)

// convertFiles makes a saved state of configuration files of daemons.
func convertFiles(args []string, stdout io.Writer) error {
	f := newFlags("convert", stdout, "[options] FILE...", `Makes a saved state, for serve and restore, of what configuration files of ggaoed, qaoed and vblade
export. FILE may be a folder of vblade's instances, such as /etc/vblade.conf.d; - is standard input.
What a saved state has no place for is a warning, FILE:LINE: REASON. A file with a mistake converts
nothing.
`)
	from := f.String("from", "", "whose the files are: ggaoed, qaoed or vblade; by default each shows it itself")
	out := f.String("o", "-", "file to write the state to, as a whole or not at all; - is standard output")
	state := f.String("state-directory", "", "where ggaoed kept config strings, mask lists and reserve lists; by default where the file says, or /var/lib/ggaoed")
	if err := f.parse(args); err != nil {
		return err
	}
	kind := convert.Kind(*from)
	switch kind {
	case "", convert.GGAoED, convert.QAoED, convert.Vblade:
	default:
		return badUsage("-from %q: want ggaoed, qaoed or vblade", *from)
	}
	if f.NArg() == 0 {
		return badUsage("no FILE: want the configuration to convert, or - for standard input")
	}
	files, err := configurations(f.Args(), kind)
	if err != nil {
		return err
	}
	text, err := converted(files, *state)
	switch {
	case err != nil:
		return err
	case *out == "-":
		_, err = stdout.Write(text)
		return err
	}
	return replaceFile(*out, text)
}

// converted is the saved state of files. What is wrong is told of on stderr.
func converted(files []convert.File, stateDirectory string) ([]byte, error) {
	env, err := convertEnv(stateDirectory)
	if err != nil {
		return nil, err
	}
	s, warnings, err := convert.State(files, env)
	for _, w := range warnings {
		_, _ = fmt.Fprintln(os.Stderr, "warning: "+w)
	}
	var mistakes convert.Mistakes
	if errors.As(err, &mistakes) {
		return nil, notConverted(mistakes)
	} else if err != nil {
		return nil, err
	}
	return checked(s)
}

// checked is the text of a state that restore takes.
func checked(s target.State) ([]byte, error) {
	text := fusectl.Saved(s)
	var mistakes convert.Mistakes
	for _, m := range mistakesOf(text) {
		mistakes = append(mistakes, fmt.Sprintf("cannot be said in a saved state: %s %s: %v", m.File, m.Text, m.Err))
	}
	if len(mistakes) > 0 {
		return nil, notConverted(mistakes)
	}
	return text, nil
}

func notConverted(mistakes convert.Mistakes) error {
	for _, m := range mistakes {
		_, _ = fmt.Fprintln(os.Stderr, m)
	}
	if len(mistakes) == 1 {
		return errors.New("1 mistake; nothing is converted")
	}
	return fmt.Errorf("%d mistakes; nothing is converted", len(mistakes))
}

// configurations reads files, and what is in folders of vblade's instances.
func configurations(paths []string, kind convert.Kind) ([]convert.File, error) {
	var files []convert.File
	for i, path := range paths {
		info, err := os.Stat(path)
		if err == nil && slices.ContainsFunc(paths[:i], func(o string) bool { before, err := os.Stat(o); return err == nil && os.SameFile(info, before) }) {
			return nil, badUsage("%s is named twice: want each file once", path)
		}
		if path == "-" || err == nil && !info.IsDir() {
			file, err := configuration(path, kind)
			if err != nil {
				return nil, err
			}
			files = append(files, file)
			continue
		}
		if err != nil {
			return nil, err
		}
		if kind != "" && kind != convert.Vblade {
			return nil, badUsage("%s is a folder, which only vblade's instances are in: want a file", path)
		}
		some, err := instances(path)
		if err != nil {
			return nil, err
		}
		files = append(files, some...)
	}
	return files, nil
}

// instances reads a folder of vblade's.
func instances(dir string) ([]convert.File, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []convert.File
	for _, e := range entries {
		if filepath.Ext(e.Name()) != vblade.ConfSuffix {
			continue
		}
		file, err := configuration(filepath.Join(dir, e.Name()), convert.Vblade)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s has no *%s, as vblade's instances are called: %w", dir, vblade.ConfSuffix, fs.ErrNotExist)
	}
	return files, nil
}

// maxConfiguration is what the longest of configurations may have, qaoed's.
const maxConfiguration = 16 << 20

func configuration(path string, kind convert.Kind) (convert.File, error) {
	text, err := readLimited(path, maxConfiguration)
	return convert.File{Name: path, Kind: kind, Text: text}, err
}
