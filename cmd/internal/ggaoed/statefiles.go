package ggaoed

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"vbladefs/compat/ggaoed"
	"vbladefs/compat/plan"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// load is what a device kept before it begins. An error is about a file that holds
// something which cannot be had: to begin without it would lose it, and open a
// device to hosts that a mask keeps out.
func (s *stateFolder) load(e plan.Export) (b target.BladeInfo, err error) {
	for _, suffix := range []string{ggaoed.ConfigSuffix, ggaoed.MaskSuffix, ggaoed.ReserveSuffix} {
		delete(s.known, e.Name+suffix) // somebody may have changed it while the device was not there
	}
	var wrong [3]error
	b.Config, wrong[0] = read(s, e.Name+ggaoed.ConfigSuffix, "AoE configuration space", ggaoed.ConfigFileSize, ggaoed.ParseConfigFile)
	b.Masks, wrong[1] = read(s, e.Name+ggaoed.MaskSuffix, "MAC Mask list", ggaoed.ListFileSize, ggaoed.ParseListFile)
	b.Reserve, wrong[2] = read(s, e.Name+ggaoed.ReserveSuffix, "Reserve list", ggaoed.ListFileSize, ggaoed.ParseListFile)
	for i, list := range [][]aoe.MAC{b.Masks, b.Reserve} {
		if len(list) > aoe.MaxListed {
			wrong[1+i] = fmt.Errorf("%d hosts: want at most %d: %s", len(list), aoe.MaxListed, mend)
		}
	}
	for i, suffix := range []string{ggaoed.ConfigSuffix, ggaoed.MaskSuffix, ggaoed.ReserveSuffix} {
		if wrong[i] != nil {
			wrong[i] = fmt.Errorf("state file %s%s: %w", e.Name, suffix, wrong[i])
		}
	}
	return b, errors.Join(wrong[:]...)
}

// mend is what to do about a state file that is wrong.
const mend = "mend it, or move it away to begin with nothing, and reload"

// read is what a file of that size holds. As with the original one that is shorter
// or longer is taken as if it had the size, and one of another format counts as
// empty; it is set aside.
func read[T any](s *stateFolder, name, what string, size int, parse func([]byte) (T, bool)) (none T, err error) {
	f, err := s.root.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return none, nil
	}
	if err != nil {
		return none, fmt.Errorf("%w: %s", err, mend)
	}
	defer f.Close()
	b := make([]byte, size)
	n, err := f.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return none, fmt.Errorf("%w: %s", err, mend)
	}
	if n == 0 { // made, and never filled
		return none, nil
	}
	if value, ok := parse(b); ok {
		return value, nil
	}
	if err := s.root.Rename(name, name+ggaoed.BadSuffix); err != nil {
		return none, fmt.Errorf("it is none of ggaoed's, and cannot be set aside: %w", err)
	}
	s.log.Warnf("Resetting %s: %s is none of ggaoed's; what was there is %s%s", what, name, name, ggaoed.BadSuffix)
	return none, nil
}

// save writes the files that differ from what is kept now.
func (s *stateFolder) save(devices []device) error {
	var wrong []error
	for _, d := range devices {
		b, ok := s.blade(d.addr)
		if !ok || b.Drive != d.drive { // somebody else has ended it
			continue
		}
		for _, f := range []struct {
			suffix string
			data   []byte
		}{
			{ggaoed.ConfigSuffix, ggaoed.ConfigFile(b.Config)},
			{ggaoed.MaskSuffix, ggaoed.ListFile(ggaoed.SortMasks(b.Masks))},
			{ggaoed.ReserveSuffix, ggaoed.ListFile(b.Reserve)},
		} {
			wrong = append(wrong, s.keep(d.name+f.suffix, f.data))
		}
	}
	if s.unsynced {
		err := s.sync()
		s.unsynced = err != nil
		wrong = append(wrong, err)
	}
	return errors.Join(wrong...)
}

// keep has a file hold data, if it does not.
func (s *stateFolder) keep(name string, data []byte) error {
	if bytes.Equal(s.known[name], data) {
		return nil
	}
	if err := s.replace(name, data); err != nil {
		return err
	}
	s.known[name], s.unsynced = data, true
	return nil
}

// replace writes a file that is the old one or the new one at every moment.
func (s *stateFolder) replace(name string, data []byte) error {
	temporary := name + ggaoed.NewSuffix
	_ = s.root.Remove(temporary) // that a daemon left which was killed
	f, err := s.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = s.root.Rename(temporary, name)
	}
	if err != nil {
		_ = s.root.Remove(temporary)
	}
	return err
}

// sync makes new names of files durable.
func (s *stateFolder) sync() error {
	folder, err := s.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
