package fusectl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// TestConcurrentUse has writers add and delete through all three trees while
// readers read everything there is. Every line that is read is whole, and when
// all is deleted nothing is left.
func TestConcurrentUse(t *testing.T) {
	d := mounted(t)
	const rounds = 60
	write := func(path, line string) {
		f, err := os.OpenFile(filepath.Join(d.dir, path), os.O_WRONLY|os.O_TRUNC, 0)
		if err == nil {
			_, err = f.WriteString(line + "\n")
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			t.Errorf("%s > %s: %v", line, path, err)
		}
	}
	writers := []func(n int){
		func(n int) {
			write("kvblade/add", fmt.Sprintf("1 %d eth0 /dev/loop0", n))
			write(fmt.Sprintf("kvblade/1.%d@eth0/model", n), "model")
			write("kvblade/del", fmt.Sprintf("1 %d eth0", n))
		},
		func(n int) {
			write("aoeserver", fmt.Sprintf("add /dev/loop1 2 %d eth1\nhostmask 2 %d 0:1:2:3:4:5", n, n))
			write("kvblade/del", fmt.Sprintf("2 %d eth1", n))
		},
		func(n int) {
			write("vblade/drives", fmt.Sprintf("add d%d /dev/loop2", n))
			write(fmt.Sprintf("vblade/d%d/ports", n), fmt.Sprintf("add eth0 3 %d\nadd eth1 3 %d 32 8", n, n))
			write("aoeserver", fmt.Sprintf("del x 3 %d", n))
			write("vblade/drives", fmt.Sprintf("del d%d", n))
		},
	}
	done := make(chan struct{})
	var writing, reading sync.WaitGroup
	for _, w := range writers {
		writing.Go(func() {
			for n := range rounds {
				w(n)
			}
		})
	}
	for range 3 {
		reading.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					readAll(t, d.dir)
				}
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
	if got, want := d.sh(t, "ls kvblade vblade; cat vblade/drives"), "kvblade:\nadd\nannounce\ndel\nreadd\n\nvblade:\ndrives\nstats\n"; got != want {
		t.Errorf("left over: %q", got)
	}
}

// readAll reads every file below dir. Objects may go while it looks; what is
// read is whole lines.
func readAll(t *testing.T, dir string) {
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.EIO) {
			return nil
		}
		if len(data) > 0 && data[len(data)-1] != '\n' {
			return fmt.Errorf("%s ends in the middle of a line: %q", path, data)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
