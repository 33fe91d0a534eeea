package native

import (
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

func TestSaved(t *testing.T) {
	plain := target.DriveInfo{Name: "do", Path: "/dev/loop2", Cache: target.CacheDirect,
		Model: "EtherDrive(R) vblade-kernel", Serial: "do", Firmware: 3}
	rich := target.DriveInfo{Name: "loop0", Path: "/dev/loop0", Cache: target.CacheDurable, ReadOnly: true, Forced: true,
		Model: "EtherDrive(R) kvblade", Serial: " SN", Firmware: 2, Implicit: true, Paused: true, Down: "gone", Sectors: 8}
	s := target.State{
		Drives: []target.DriveInfo{plain, rich},
		Blades: []target.BladeInfo{
			{Addr: addr, Drive: "do"},
			{Addr: aoe.Addr{Shelf: 7}, Drive: "loop0", Config: []byte("a\n"), Accept: []aoe.MAC{alice, bob}, Deny: []aoe.MAC{bob},
				Masks: []aoe.MAC{alice}, Reserve: []aoe.MAC{bob, alice}},
		},
		Ports: []target.PortInfo{
			{Addr: aoe.Addr{Shelf: 7}, Interface: "eth1", Buffers: 64, Sectors: 8, Quiet: true, Forced: true, Down: "gone"},
			{Addr: addr, Interface: "*", Buffers: 64, Up: true, EffectiveSectors: 16},
			{Addr: addr, Interface: "eth0", Buffers: 32},
		},
	}
	want := `# vbladefs state 1
vblade/drives add do /dev/loop2
vblade/drives add loop0 /dev/loop0 ro force durable
vblade/loop0/model EtherDrive(R) kvblade
vblade/loop0/serial " SN"
vblade/loop0/firmware 2
vblade/loop0/keep 0
targets/blades add e0.1 do
targets/blades add e7.0 loop0
targets/e7.0/accept set 00:01:02:03:04:ab 00:01:02:03:04:05
targets/e7.0/deny set 00:01:02:03:04:05
targets/e7.0/masks set 00:01:02:03:04:ab
targets/e7.0/reserve set 00:01:02:03:04:05 00:01:02:03:04:ab
targets/e7.0/config "a\n"
targets/ports add e7.0 eth1 64 8 quiet force
targets/ports add e0.1 *
targets/ports add e0.1 eth0 32
`
	if got := string(Saved(s)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := string(Saved(target.State{})); got != "# vbladefs state 1\n" {
		t.Errorf("nothing: got %q", got)
	}
}
