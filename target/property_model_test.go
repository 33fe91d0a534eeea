package target_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// model is what a target should be, without all that makes one fast: no workers,
// no tables, no order, no sharing.
type model struct {
	netifs  map[string]*modelNetif
	disks   map[string]*modelDisk  // by path
	drives  map[string]*modelDrive // by name
	blades  map[aoe.Addr]*modelBlade
	devices map[string]*modelDevice // open disks, by path
}

type modelNetif struct {
	mtu int
	up  bool
}

type modelDisk struct {
	content  []byte
	readOnly bool
}

// modelDevice is an open disk.
type modelDevice struct {
	readOnly, paused bool
	cache            target.Cache
}

type modelDrive struct {
	path           string
	first, length  uint64
	access, wished target.Access
	implicit       bool
}

type modelBlade struct {
	drive  string
	config []byte
	lists  [4][]aoe.MAC
	access [target.AccessPoints]*target.AccessList
	ports  map[string]modelPort // by interface
}

type modelPort struct {
	buffers uint16
	sectors uint8
}

var (
	diskNames  = []string{"d0", "d1", "d2", "ro"}
	driveNames = []string{"a", "b", "d0", "d1"}
	netifNames = []string{"eth0", "eth1"}
	missing    = "/disks/missing"
)

func pathOf(disk string) string { return "/disks/" + disk }

func newModel() *model {
	m := &model{netifs: map[string]*modelNetif{"eth0": {1500, true}, "eth1": {9000, true}}, disks: map[string]*modelDisk{},
		drives: map[string]*modelDrive{}, blades: map[aoe.Addr]*modelBlade{}, devices: map[string]*modelDevice{}}
	for i, name := range diskNames {
		m.disks[pathOf(name)] = &modelDisk{readOnly: name == "ro"}
		m.resize(pathOf(name), 40+8*i)
	}
	return m
}

func (m *model) resize(path string, sectors int) {
	d := m.disks[path]
	d.content = d.content[:min(len(d.content), sectors*aoe.SectorSize)]
	for lba := len(d.content) / aoe.SectorSize; lba < sectors; lba++ {
		d.content = append(d.content, targettest.Pattern(uint64(lba))...)
	}
}

func (m *model) sectors(path string) uint64 {
	return uint64(len(m.disks[path].content) / aoe.SectorSize)
}

func (m *model) capacity(d *modelDrive) uint64 {
	size := m.sectors(d.path)
	if size <= d.first {
		return 0
	}
	if d.length > 0 {
		return min(d.length, size-d.first)
	}
	return size - d.first
}

func (m *model) readOnly(d *modelDrive) bool {
	return d.access == target.AccessReadOnly || m.devices[d.path].readOnly
}

// on is the port of a blade that an interface has, if it has one.
func (b *modelBlade) on(netif string) (p modelPort, ok bool) {
	if p, ok = b.ports[netif]; !ok {
		p, ok = b.ports[target.EveryInterface]
	}
	return p, ok
}

// open has a drive use a disk; nobody else may have it open with another policy.
func (m *model) open(path string, access target.Access, cache target.Cache, first, length uint64) error {
	disk, dev := m.disks[path], m.devices[path]
	refused := disk != nil && disk.readOnly && access == target.AccessReadWrite
	switch {
	case disk == nil, dev == nil && refused:
		return target.ErrStore
	case dev != nil && cache != "" && cache != dev.cache:
		return target.ErrInUse
	case first+length > 0 && (first >= m.sectors(path) || first+length > m.sectors(path)):
		return target.ErrRange
	case refused:
		return target.ErrStore
	case dev == nil:
		if cache == "" {
			cache = target.CacheDirect
		}
		m.devices[path] = &modelDevice{readOnly: disk.readOnly || access == target.AccessReadOnly, cache: cache}
	case access != target.AccessReadOnly:
		dev.readOnly = disk.readOnly
	}
	return nil
}

// tidy closes disks that no drive uses.
func (m *model) tidy() {
	for path := range m.devices {
		used := false
		for _, d := range m.drives {
			used = used || d.path == path
		}
		if !used {
			delete(m.devices, path)
		}
	}
}

// unused removes a blade that has nothing left, and a drive that goes with it.
func (m *model) removeBlade(a aoe.Addr) {
	name := m.blades[a].drive
	delete(m.blades, a)
	if m.drives[name].implicit && !slices.ContainsFunc(slices.Collect(maps.Values(m.blades)), func(b *modelBlade) bool { return b.drive == name }) {
		delete(m.drives, name)
		m.tidy()
	}
}

// checkPort is whether an interface can have one more port of an address.
func (m *model) checkPort(a aoe.Addr, netif string) error {
	switch b := m.blades[a]; {
	case a.Slot > target.MaxSlot:
		return target.ErrRange
	case netif != target.EveryInterface && m.netifs[netif] == nil:
		return target.ErrNoInterface
	case b == nil:
		return nil
	case netif == target.EveryInterface && len(b.ports) > 0:
		return target.ErrAddressTaken
	default:
		if _, taken := b.on(netif); taken {
			return target.ErrAddressTaken
		}
	}
	return nil
}

// addPort is AddPort and the end of Export.
func (m *model) addPort(drive string, a aoe.Addr, netif string, p modelPort) error {
	if err := m.checkPort(a, netif); err != nil {
		return err
	}
	b := m.blades[a]
	if b != nil && b.drive != drive {
		return target.ErrAddressTaken
	}
	if b == nil {
		b = &modelBlade{drive: drive, ports: map[string]modelPort{}}
		m.blades[a] = b
	}
	if p.buffers == 0 {
		p.buffers = target.DefaultBuffers
	}
	b.ports[netif] = p
	return nil
}

// compare says where the target is another than the model; empty: nowhere.
func (w *world) compare() string {
	s := w.target.State()
	drives, blades, ports := map[string]string{}, map[string]string{}, map[string]string{}
	for _, d := range s.Drives {
		drives[d.Name] = fmt.Sprintf("%s, %d sectors, read-only %v, %s, implicit %v, paused %v, %d ports", d.Path, d.Sectors, d.ReadOnly, d.Cache, d.Implicit, d.Paused, d.Ports)
	}
	for _, b := range s.Blades {
		blades[b.Addr.String()] = describeBlade(b.Drive, b.Config, [4][]aoe.MAC{b.Accept, b.Deny, b.Masks, b.Reserve})
	}
	for _, p := range s.Ports {
		ports[p.Addr.String()+" "+p.Interface] = fmt.Sprintf("%s, %d buffers, %d sectors", p.Drive, p.Buffers, p.Sectors)
	}
	wantDrives, wantBlades, wantPorts := w.describe()
	for _, c := range []struct {
		what      string
		got, want map[string]string
	}{{"drives", drives, wantDrives}, {"blades", blades, wantBlades}, {"ports", ports, wantPorts}} {
		if !maps.Equal(c.got, c.want) {
			return fmt.Sprintf("%s are %q,\nwant %q", c.what, c.got, c.want)
		}
	}
	if err := target.Disagreeing(w.target); err != nil {
		return err.Error()
	}
	return ""
}

func describeBlade(drive string, config []byte, lists [4][]aoe.MAC) string {
	return fmt.Sprintf("%s, %q, %v", drive, config, lists)
}

func (m *model) describe() (drives, blades, ports map[string]string) {
	drives, blades, ports = map[string]string{}, map[string]string{}, map[string]string{}
	count := map[string]int{}
	for a, b := range m.blades {
		blades[a.String()] = describeBlade(b.drive, b.config, b.lists)
		for netif, p := range b.ports {
			count[b.drive]++
			ports[a.String()+" "+netif] = fmt.Sprintf("%s, %d buffers, %d sectors", b.drive, p.buffers, p.sectors)
		}
	}
	for name, d := range m.drives {
		dev := m.devices[d.path]
		drives[name] = fmt.Sprintf("%s, %d sectors, read-only %v, %s, implicit %v, paused %v, %d ports", d.path, m.capacity(d), m.readOnly(d), dev.cache, d.implicit, dev.paused, count[name])
	}
	return drives, blades, ports
}

// compareDisks says where a disk has other bytes than the model's.
func (w *world) compareDisks() string {
	for path, d := range w.disks {
		got := w.rig.Sectors(path, 0, len(d.content)/aoe.SectorSize)
		for lba := 0; lba*aoe.SectorSize < len(got); lba++ {
			at := lba * aoe.SectorSize
			if !bytes.Equal(got[at:at+aoe.SectorSize], d.content[at:at+aoe.SectorSize]) {
				return fmt.Sprintf("%s: sector %d begins % x, want % x", path, lba, got[at:at+16], d.content[at:at+16])
			}
		}
	}
	return ""
}

// carryOut does an operation to the target, which must end as it did to the model.
func (w *world) carryOut(op target.Operation, want error) (wrong string) {
	got := w.target.Do(op)
	if (got == nil) != (want == nil) || !errors.Is(got, want) {
		return fmt.Sprintf("%+v: %v, want %v", op, got, want)
	}
	return ""
}
