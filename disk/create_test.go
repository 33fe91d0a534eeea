package disk

import (
	"os"
	"path/filepath"
	"testing"
)

// What was made is removed again only if it is as it was made.
func TestCreateUndone(t *testing.T) {
	for name, tt := range map[string]struct {
		use  func(t *testing.T, path string)
		kept bool
	}{
		"unused":  {func(*testing.T, string) {}, false},
		"written": {func(t *testing.T, path string) { must(t, os.WriteFile(path, make([]byte, 4096), 0o600)) }, true},
		"claimed": {func(t *testing.T, path string) { open(t, path, Options{}) }, true},
		"replaced": {func(t *testing.T, path string) {
			must(t, os.Rename(path, path+".old"))
			must(t, os.WriteFile(path, make([]byte, 4096), 0o600))
		}, true},
		"gone": {func(t *testing.T, path string) { must(t, os.Remove(path)) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "image")
			undo, err := Create(path, 4096)
			must(t, err)
			tt.use(t, path)
			undo()
			if _, err := os.Stat(path); (err == nil) != tt.kept {
				t.Errorf("it is there: %v, want %v", err == nil, tt.kept)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
