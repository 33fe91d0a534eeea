package engine

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/sirupsen/logrus"

	"vbladefs/target"
)

// BenchmarkSizes is what asking 10,000 files for their sizes costs, which is
// done every two seconds.
func BenchmarkSizes(b *testing.B) {
	const files = 10000
	dir := b.TempDir()
	log := logrus.New()
	log.SetOutput(io.Discard)
	var stores []target.Store
	for i := range files {
		path := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(path, make([]byte, 4096), 0o600); err != nil {
			b.Fatal(err)
		}
		s, err := storeOpener(nil)(path, target.StoreOptions{Cache: target.CacheWriteback})
		if err != nil {
			b.Fatal(err)
		}
		stores = append(stores, s)
	}
	b.Cleanup(func() {
		for _, s := range stores {
			_ = s.Close()
		}
	})
	for b.Loop() {
		for _, s := range stores {
			if _, err := s.Refresh(); err != nil {
				b.Fatal(err)
			}
		}
	}
}
