package interop

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vbladefs/scripts/vm"
)

// TestBoot boots a disk image over AoE, from an address that DHCP tells as docs/guides/boot.md says, by the iPXE that is in
// the option ROM of QEMU's network card. What is booted reads the disk, shows on the serial line what is there, and writes it
// to another sector.
func TestBoot(t *testing.T) {
	need(t)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	network, err := vm.NewNetwork(1500)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { network.Close() })
	r := &rig{ctx: ctx, net: network, artifacts: artifactsDir(t)}
	d := startDaemon(t, r, build(t))
	const message = "hello from a disk that is not here\r\n"
	disk := bootDisk(t, message)
	d.echo(t, "add "+disk.loop+" 0 1 eth0", "aoeserver")
	serial := filepath.Join(r.artifacts, "serial.log")
	end := bootIPXE(t, r, "aoe:e0.1", "-serial", "file:"+serial)
	defer end()
	for limit := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		shown, _ := os.ReadFile(serial)
		if strings.Contains(string(shown), message) && written(t, disk, message) {
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("the serial line shows %q, and the message was written: %v\n%s", shown, written(t, disk, message), d.cat(t, "log"))
		}
	}
	d.stop(t)
}

// bootIPXE starts a machine whose network card has iPXE, and what tells that by DHCP where to boot from.
func bootIPXE(t *testing.T, r *rig, root string, options ...string) (end func()) {
	t.Helper()
	if err := r.net.IP("addr add 192.0.2.1/24 dev eth0"); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(t.TempDir(), "udhcpd.conf")
	text := "start 192.0.2.2\nend 192.0.2.9\ninterface eth0\nlease_file /dev/null\npidfile /dev/null\nopt subnet 255.255.255.0\nopt rootpath " + root + "\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	machine := append(strings.Fields("qemu-system-x86_64 -accel tcg -m 64 -nodefaults -no-user-config -display none -no-reboot"+
		" -netdev tap,id=n,script=no,downscript=no,ifname="+vm.TapIf+" -device e1000,netdev=n -boot n"), options...)
	var started []*exec.Cmd
	end = func() {
		for _, cmd := range started {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	for _, words := range [][]string{{"busybox", "udhcpd", "-f", conf}, machine} {
		cmd := r.net.Command(r.ctx, words[0], words[1:]...)
		if err := cmd.Start(); err != nil {
			end()
			t.Fatal(err)
		}
		started = append(started, cmd)
	}
	return end
}

// bootSector reads sector 1 of the disk that it was booted from by the BIOS, sends it to the first serial line up to its NUL, and
// writes it to sector 2.
var bootSector = []byte{
	0x31, 0xc0, // xor %ax, %ax
	0x8e, 0xd8, // mov %ax, %ds
	0x8e, 0xd0, // mov %ax, %ss
	0xbc, 0x00, 0x7c, // mov $0x7c00, %sp
	0x52,       // push %dx: the drive
	0xb4, 0x42, // mov $0x42, %ah: read
	0xbe, 0x32, 0x7c, // mov $packet, %si
	0xcd, 0x13, // int $0x13
	0x72, 0x1c, // jc halt
	0xbe, 0x00, 0x7e, // mov $0x7e00, %si
	0xac,       // next: lodsb
	0x84, 0xc0, // test %al, %al
	0x74, 0x06, // jz done
	0xba, 0xf8, 0x03, // mov $0x3f8, %dx
	0xee,       // out %al, %dx: the serial line of QEMU is never busy
	0xeb, 0xf5, // jmp next
	0x5a,                         // done: pop %dx
	0xc6, 0x06, 0x3a, 0x7c, 0x02, // movb $2, packet+8: sector 2
	0xb8, 0x00, 0x43, // mov $0x4300, %ax: write
	0xbe, 0x32, 0x7c, // mov $packet, %si
	0xcd, 0x13, // int $0x13
	0xf4,       // halt: hlt
	0xeb, 0xfd, // jmp halt
	0x10, 0x00, 1, 0x00, 0x00, 0x7e, 0x00, 0x00, 1, 0, 0, 0, 0, 0, 0, 0, // packet: one sector, at 0:0x7e00, sector 1
}

// bootDisk is a disk with bootSector, and a message in sector 1.
func bootDisk(t *testing.T, message string) disk {
	t.Helper()
	d := newDisk(t, 16<<20) // iPXE boots from no disk that is smaller than a cylinder of 255 heads and 63 sectors
	content := make([]byte, d.sizeBytes)
	copy(content, bootSector)
	copy(content[512:], message)
	content[510], content[511] = 0x55, 0xaa
	if err := os.WriteFile(d.file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := exec.Command("blockdev", "--flushbufs", d.loop).Run(); err != nil {
		t.Fatal(err)
	}
	return d
}

// written tells whether sector 2 has the message.
func written(t *testing.T, d disk, message string) bool {
	t.Helper()
	if err := exec.Command("blockdev", "--flushbufs", d.loop).Run(); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(d.loop)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sector := make([]byte, 512)
	if _, err := f.ReadAt(sector, 1024); err != nil {
		t.Fatal(err)
	}
	return bytes.HasPrefix(sector, []byte(message))
}
