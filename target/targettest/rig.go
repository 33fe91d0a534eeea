package targettest

import (
	"context"
	"testing"
	"time"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// Rig is a target with the network and the disks around it.
type Rig interface {
	Target() *target.Target
	// Interface makes an interface of the target, or gives it another MTU. It
	// returns when the target knows, with the interface's address.
	Interface(name string, mtu int) aoe.MAC
	// Disk makes a disk of that many sectors, filled with Pattern, and returns
	// its path.
	Disk(name string, sectors int, readOnly bool) (path string)
	// Sectors returns n sectors of a disk from lba on.
	Sectors(path string, lba, n int) []byte
	// Send has a frame arrive on the interface, whatever its source says.
	Send(netif string, frame []byte)
	// Collect returns the frames that the target has sent on the interface,
	// whoever they are for, since the last call. It waits for all that what was
	// done before makes the target send; want frames are expected.
	Collect(netif string, want int) [][]byte
}

// Faults is a Rig that has what only memory has.
type Faults interface {
	Rig
	// Machine is where everything is opened.
	Machine() *Machine
}

// memoryRig is a Rig in memory.
type memoryRig struct {
	machine *Machine
	target  *target.Target
	indices map[string]int // of interfaces
}

// MemoryRig makes a target on a Machine; t's cleanup closes it and checks that
// nothing is left open.
func MemoryRig(t testing.TB) Faults { return MemoryRigOf(t, 1) }

// MemoryRigOf is a MemoryRig whose interfaces have that many workers each.
func MemoryRigOf(t testing.TB, workers int) Faults {
	m := NewMachine(t)
	m.workers = workers
	r := &memoryRig{machine: m, target: target.New(m.Config()), indices: map[string]int{}}
	t.Cleanup(func() {
		m.FailAfter(-1)
		m.SetMode(Inline)
		m.FinishAll()
		CloseTarget(t, m, r.target)
	})
	return r
}

// CloseTarget closes a target and checks that nothing stays open on its
// machine and that nothing was written outside of a medium.
func CloseTarget(t testing.TB, m *Machine, closing *target.Target) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := closing.Close(ctx); err != nil {
		t.Errorf("closing the target: %v", err)
	}
	if open := m.Open(); open != Nothing {
		t.Errorf("left open after Close: %s", open)
	}
	for _, d := range m.media {
		if err := d.CheckGuards(); err != nil {
			t.Error(err)
		}
	}
}

func (r *memoryRig) Target() *target.Target { return r.target }
func (r *memoryRig) Machine() *Machine      { return r.machine }

func (r *memoryRig) Interface(name string, mtu int) aoe.MAC {
	if r.indices[name] == 0 {
		r.indices[name] = len(r.indices) + 1
	}
	info := r.machine.SetInterface(name, r.indices[name], mtu)
	r.target.InterfaceChanged(info)
	return aoe.MAC(info.MAC)
}

func (r *memoryRig) Disk(name string, sectors int, readOnly bool) string {
	path := "/disks/" + name
	r.machine.AddMedium(path, sectors, readOnly)
	return path
}

func (r *memoryRig) Sectors(path string, lba, n int) []byte {
	r.machine.mu.Lock()
	d := r.machine.media[path]
	r.machine.mu.Unlock()
	return d.Contents(lba, n)
}

func (r *memoryRig) Send(netif string, frame []byte) { r.machine.Inject(netif, frame) }

func (r *memoryRig) Collect(netif string, _ int) [][]byte {
	r.machine.Quiesce()
	return r.machine.Sent(netif)
}
