package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"vbladefs/disk/disktest"
	"vbladefs/target/aoe"
)

// Where the export lies in its file: between two guards, which nothing may touch.
const (
	guardBytes  = 1 << 20
	exportBytes = 16 << 20
)

// medium is what an export is on.
type medium struct {
	image string         // a file
	disk  *disktest.Disk // or a disk with faults
	guard []byte

	path   string // to export,
	window string // with these words behind it
}

// newMedium makes a file, a loop device or a disk with faults. A loop device
// shows only what lies between the guards.
func (r *rig) newMedium(store string, seed uint64) (m *medium, err error) {
	m = &medium{guard: make([]byte, guardBytes), window: fmt.Sprintf(" offset=%d length=%d", guardBytes/aoe.SectorSize, exportBytes/aoe.SectorSize)}
	rand.NewChaCha8([32]byte{byte(seed), 1}).Read(m.guard)
	content := bytes.Join([][]byte{m.guard, m.guard}, make([]byte, exportBytes))
	if store == "fuse" {
		if m.disk, err = r.disk(content); err == nil {
			m.path = m.disk.Path()
		}
		return m, err
	}
	m.image = filepath.Join(r.dir, "disk.img")
	m.path = m.image
	if err := os.WriteFile(m.image, content, 0o600); err != nil {
		return nil, err
	}
	if store == "loop" {
		m.window = ""
		m.path, err = r.loop(m.image, "--direct-io=on", "-o", fmt.Sprint(guardBytes), "--sizelimit", fmt.Sprint(exportBytes))
	}
	return m, err
}

// content is all that there is on the medium.
func (m *medium) content() ([]byte, error) {
	if m.disk != nil {
		return m.disk.Contents(), nil
	}
	return os.ReadFile(m.image)
}

// export starts a daemon that serves the medium on all paths.
func (r *rig) export(s setup, m *medium, paths []*path) (*daemon, error) {
	d, err := r.serve("-workers", fmt.Sprint(s.workers), "-io", s.io, "-link", s.link, "-cache", s.cache)
	if err != nil {
		return nil, err
	}
	return d, d.export(m, paths)
}

// export has the daemon serve the medium on all paths.
func (d *daemon) export(m *medium, paths []*path) error {
	if err := d.echo("add d "+m.path+m.window, "vblade/drives"); err != nil {
		return err
	}
	for _, p := range paths {
		if err := d.echo(fmt.Sprintf("add %s %d %d", p.netif, trialAddr.Shelf, trialAddr.Slot), "vblade/d/ports"); err != nil {
			return err
		}
	}
	return nil
}
