package fusectl

import (
	"slices"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// This file is the reading half of the fake engine.

func (f *fake) Drives() []target.DriveInfo {
	f.mu.RLock()
	defer f.mu.RUnlock()
	drives := slices.Clone(f.drives)
	for i := range drives {
		f.count(&drives[i])
	}
	return drives
}

// count fills in what a drive shows of its ports.
func (f *fake) count(d *target.DriveInfo) {
	d.Ports, d.Stats = 0, target.Stats{}
	for _, p := range f.ports {
		if p.Drive == d.Name {
			d.Ports++
			d.Stats.Announces += p.Stats.Announces
		}
	}
}

func (f *fake) Ports() []target.PortInfo {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return slices.Clone(f.ports)
}

func (f *fake) Drive(name string) (target.DriveInfo, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	i := f.driveIndex(name)
	if i < 0 {
		return target.DriveInfo{}, false
	}
	d := f.drives[i]
	f.count(&d)
	return d, true
}

func (f *fake) DrivePorts(name string) []target.PortInfo {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return slices.DeleteFunc(slices.Clone(f.ports), func(p target.PortInfo) bool { return p.Drive != name })
}

func (f *fake) Port(addr aoe.Addr, netif string) (target.PortInfo, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	i := f.portIndex(addr, netif)
	if i < 0 {
		return target.PortInfo{}, false
	}
	return f.ports[i], true
}

func (f *fake) Blades() []target.BladeInfo {
	f.mu.RLock()
	defer f.mu.RUnlock()
	var blades []target.BladeInfo
	for _, b := range f.blades {
		blades = append(blades, *b)
	}
	return blades
}

func (f *fake) Served() bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.served
}

var _ Engine = (*fake)(nil)
