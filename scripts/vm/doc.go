// Package vm runs the Linux AoE client in a virtual machine, so that tests and the demo can put a target before the
// initiator that the field uses: Debian's stock kernel with its aoe module, which works in the initial network namespace only
// and therefore not in the ones that tests make.
//
//	apt-get download ─▶ cache: kernel, modules ─┐
//	host's busybox, mkfs.ext4, aoetools ────────┴▶ initramfs ─▶ QEMU ◀─tap─▶ bridge ◀─veth─▶ eth0: the target
//	Run(script) ─▶ virtio serial port ─▶ the guest's /init ─▶ sh ─▶ output and exit code ─▶ Run
//
// Network is the wire: a network namespace with the target's eth0, a second leg eth1 and the guest's tap on one bridge.
// Boot starts a guest on it, Guest.Run runs shell scripts there, Guest.Close ends it. Modules that scripts may load, for RAID,
// are in the guest's /modules/more.
//
// It is no general virtual machine manager: one kernel, one processor, one interface, no disk but those that AoE brings,
// and everything is gone after Close. It needs root, amd64, and the packages of `scripts/setup.sh all`. Hardware
// virtualisation is never used, so it runs inside virtual machines too.
package vm
