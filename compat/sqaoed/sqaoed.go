// Package sqaoed speaks the command line of sqaoed, the port of qaoed to Solaris:
//
//	arguments ─Parse─▶ plan.Export
//
// It is pure: whoever runs the export tells Failed how that went. Only a call in
// an article is known of sqaoed; the rest is decided by the qaoed sheet, §6: four
// arguments, qaoed's values on the wire, and exit code 1 after any error.
package sqaoed

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"

	"vbladefs/compat/plan"
	"vbladefs/compat/text"
	"vbladefs/target"
)

// How an export presents itself: as qaoed's do, qaoed sheet §5.
const (
	Model     = "123456789"
	Firmware  = 0x400a
	Buffers   = 20
	maxSerial = 19 // of the target's path
)

// Parse reads the arguments behind argv[0], which is argv0. A relative device is
// in dir, an absolute path. The error is what to print on stderr, without its
// newline, before the exit with code 1.
func Parse(args []string, argv0, dir string) (plan.Export, error) {
	if len(args) != 4 {
		return plan.Export{}, errors.New("usage: " + argv0 + " <interface> <device> <shelf> <slot>")
	}
	netif, device := args[0], args[1]
	addr, err := text.Addr(text.Word{Text: args[2]}, text.Word{Text: args[3]})
	switch {
	case err != nil:
		return plan.Export{}, fmt.Errorf("%s: %w", argv0, err)
	case !plan.PlainInterface(netif):
		return plan.Export{}, Failed(netif, syscall.ENODEV)
	case device == "" || strings.ContainsRune(device, 0):
		return plan.Export{}, Failed(device, syscall.ENOENT)
	}
	if !target.IsBacking(device) {
		device = filepath.Join(dir, device)
	}
	return plan.Export{
		Name:       "e" + addr.String(),
		Drive:      plan.DriveNames([]string{target.BaseName(device)})[0],
		Path:       device,
		Addr:       addr,
		Interfaces: []string{netif},
		Buffers:    Buffers,
		Access:     target.AccessAuto,
		Cache:      target.CacheWriteback,
		Identity:   target.Identity{Model: Model, Serial: text.Label(device, maxSerial), Firmware: Firmware},
	}, nil
}

// Failed says that something went wrong with an interface or a device.
func Failed(thing string, err error) error {
	return errors.New(thing + ": " + text.Strerror(err))
}
