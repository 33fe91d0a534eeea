package target

import (
	"net/url"
	"path/filepath"
	"strings"
)

// This file knows paths of backing stores from URIs, which stand for exports of
// other servers wherever a path is taken: nbd://host/export, nbds://…,
// nbd+unix:///export?socket=/path, nbds+unix://….

// uriSchemes are what URIs begin with. Parts.OpenStore reads the rest.
var uriSchemes = [...]string{"nbd://", "nbds://", "nbd+unix://", "nbds+unix://"}

// IsURI reports whether path is the URI of an export of another server, and no
// path at all: nothing is put before it, and it is not cleaned.
func IsURI(path string) bool {
	for _, scheme := range uriSchemes {
		if strings.HasPrefix(path, scheme) {
			return true
		}
	}
	return false
}

// IsBacking reports whether path is one that leads to the same wherever it is
// said: an absolute path, or a URI.
func IsBacking(path string) bool { return filepath.IsAbs(path) || IsURI(path) }

// BaseName is the last element of path, which a drive can be named after: of a
// URI that of the export's name, or of what serves it when it has none.
func BaseName(path string) string {
	if !IsURI(path) {
		return filepath.Base(path)
	}
	u, err := url.Parse(path)
	if err != nil {
		return "nbd"
	}
	for _, name := range []string{u.Path, u.Hostname(), u.Query().Get("socket")} {
		if base := filepath.Base(name); base != "." && base != "/" {
			return base
		}
	}
	return "nbd"
}
