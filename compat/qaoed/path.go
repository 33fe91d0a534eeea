package qaoed

import (
	"fmt"
	"path/filepath"
	"strings"

	"vbladefs/compat/text"
	"vbladefs/target"
)

// The longest paths: PATH_MAX and sun_path of unix(7), without their NUL.
const (
	maxPath   = text.MaxPath
	maxSocket = 107
)

// absolute is path from folder on, or what would be right instead.
func absolute(path, folder string, most int) (string, string) {
	if !strings.HasPrefix(path, "/") {
		if !strings.HasPrefix(folder, "/") {
			return "", "a path that starts with /"
		}
		path = filepath.Join(folder, path)
	}
	return printable(path, most)
}

func printable(path string, most int) (string, string) {
	switch {
	case len(path) > most:
		return "", fmt.Sprintf("a path of at most %d bytes", most)
	case strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f || r == '"' }):
		return "", "a path without control characters and quotation marks"
	}
	return path, ""
}

// exportable is path from the environment's folder on, or what would be right
// instead. Blanks cannot be: the operations and files of this project separate
// words by them.
func exportable(path string, env Env) (string, string) {
	full, want := printable(path, maxPath)
	if !target.IsURI(path) {
		full, want = absolute(path, env.Folder, maxPath)
	}
	switch {
	case want != "":
		return "", want
	case strings.Contains(full, " "):
		return "", "a path without blanks; a symbolic link to it will do"
	}
	if env.Usable != nil && !target.IsURI(full) {
		if err := env.Usable(full); err != nil {
			return "", "a block device or regular file: " + text.Printable(err.Error())
		}
	}
	return full, ""
}
