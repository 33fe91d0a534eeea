package target_test

import (
	"fmt"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// maskFrame has one host put on the mask list, or taken off.
func maskFrame(addr aoe.Addr, d aoe.MaskDirective, host aoe.MAC) []byte {
	f := frameOf(addr, aoe.CmdMaskList, 1, aoe.MaskListSize+aoe.DirectiveSize)
	aoe.MaskList{Command: aoe.MaskEdit, Count: 1}.Put(f)
	aoe.PutDirective(f, 0, d, host)
	return f
}

// Lists that change over the wire while ports come and go, and devices change,
// hold on every port: none keeps what was.
func TestPortsFollowTheirBladeAndDrive(t *testing.T) {
	rig := newRigOf(t, 3)
	for i, netif := range []string{"eth0", "eth1"} {
		rig.Machine().SetInterface(netif, i+1, 4200)
	}
	do := rig.Target().Do
	must(t, do(target.AddDrive{Name: "d", Path: rig.Disk("d", 100, false)}))
	must(t, do(target.AddPort{Drive: "d", Addr: blade, Interface: "eth0"}))
	rig.Disk("e", 100, false)
	guest := aoe.MAC{2, 9, 9, 9, 9, 9}
	for i := range 200 {
		_, result := background(func() error {
			if err := do(target.AddPort{Drive: "d", Addr: blade, Interface: "eth1"}); err != nil {
				return err
			}
			return do(target.Rebind{Addr: blade, Interface: "eth1", Path: []string{"/disks/e", "/disks/d"}[i%2]})
		})
		for _, f := range [][]byte{maskFrame(blade, aoe.MaskAdd, alice), maskFrame(blade, aoe.MaskAdd, guest), maskFrame(blade, aoe.MaskDelete, guest)} {
			rig.Send("eth0", f)
		}
		must(t, do(target.EditHosts{List: target.AcceptList, Addr: blade, Host: alice, Remove: i%2 == 1}))
		must(t, <-result)
		rig.Machine().Quiesce()
		must(t, target.Disagreeing(rig.Target()))
		if info, _ := rig.Target().Blade(blade); fmt.Sprint(info.Masks) != fmt.Sprint([]aoe.MAC{alice}) {
			t.Fatalf("masks %v", info.Masks)
		}
		must(t, do(target.RemovePort{Addr: blade, Interface: "eth1"}))
	}
}
