package vm

import (
	"errors"
	"fmt"
	"os"
	"runtime"
)

// Missing says what this machine lacks to run a guest on a Network, and how to get it; nil if nothing.
func Missing() error {
	if runtime.GOARCH != "amd64" {
		return fmt.Errorf("the guest is an amd64 machine made of this machine's programs, and this is %s", runtime.GOARCH)
	}
	var errs []error
	if os.Geteuid() != 0 {
		errs = append(errs, errors.New("root is needed for network namespaces"))
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		errs = append(errs, fmt.Errorf("no tap interfaces: %w", err))
	}
	needed := append(hostTools[:len(hostTools):len(hostTools)], []tool{
		{"busybox", "busybox-static"}, {"qemu-system-x86_64", "qemu-system-x86"}, {"xz", "xz-utils"},
		{"ip", "iproute2"}, {"nsenter", "util-linux"}, {"apt-get", "apt"}, {"dpkg-deb", "dpkg"},
	}...)
	for _, tool := range needed {
		_, err := hostProgram(tool)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
