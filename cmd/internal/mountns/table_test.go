package mountns

import "testing"

func TestSourceIn(t *testing.T) {
	t.Parallel()
	const table = "22 27 0:21 / /proc rw,relatime - proc proc rw\n" +
		"23 27 0:22 / /sys rw shared:7 master:1 - sysfs sysfs rw\n" +
		"90 22 0:99 / /proc ro,nosuid - fuse.vbladefs-proc vbladefs-run ro\n" +
		"91 90 0:21 /sys /proc/sys rw - proc proc rw\n" +
		"92 90 0:21 /sys /a\\040b rw - proc a\\040b rw\n" +
		"short\n77 1 0:1 / /cut\n78 1 0:1 / /end rw - tmpfs"
	for at, want := range map[string]string{
		"/proc": "vbladefs-run", "/sys": "sysfs", "/proc/sys": "proc", `/a\040b`: `a\040b`,
		"/cut": "", "/end": "", "/nothing": "", "": "",
	} {
		if got := sourceIn(table, at); got != want {
			t.Errorf("at %q: %q, want %q", at, got, want)
		}
	}
}
