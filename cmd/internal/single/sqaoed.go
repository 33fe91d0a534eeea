package single

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"vbladefs/cmd/internal/daemon"
	"vbladefs/compat/sqaoed"
	"vbladefs/target"
)

// Sqaoed is the program sqaoed; args[0] is what it was called.
func Sqaoed(args []string, stdout, stderr io.Writer) int {
	own, rest, err := daemon.TakeOwn(args[1:])
	var ended syscall.Signal
	if err == nil {
		ended, err = newRun("sqaoed", own, stdout, stderr).sqaoed(args[0], rest)
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		return exitFailure
	}
	return daemon.EndBy(ended)
}

func (r *run) sqaoed(name string, words []string) (syscall.Signal, error) {
	dir, err := os.Getwd()
	if err != nil {
		return 0, err
	}
	e, err := sqaoed.Parse(words, name, dir)
	if err != nil {
		return 0, err
	}
	if netif := e.Interfaces[0]; !interfaceThere(netif) {
		return 0, sqaoed.Failed(netif, syscall.ENODEV)
	}
	ended, err := r.serve(e, func(sectors uint64) string {
		return fmt.Sprintf("%s: e%s on %s, %d sectors\n", e.Path, e.Addr, e.Interfaces[0], sectors)
	})
	var errno syscall.Errno
	if errors.Is(err, target.ErrStore) && errors.As(err, &errno) {
		err = fmt.Errorf("%w\n%w", sqaoed.Failed(e.Path, errno), err)
	}
	return ended, err
}
