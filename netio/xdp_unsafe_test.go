package netio

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestXDPLayouts compares our structures, and those of x/sys that the kernel reads, with linux/if_xdp.h, linux/if.h
// and linux/ethtool.h.
func TestXDPLayouts(t *testing.T) {
	var m ifreqMAC
	var e ifreqEthtool
	var c ethtoolChannels
	for _, c := range []struct {
		what      string
		got, want uintptr
	}{
		{"sizeof xdp_desc", unsafe.Sizeof(unix.XDPDesc{}), 16},
		{"xdp_desc.len", unsafe.Offsetof(unix.XDPDesc{}.Len), 8},
		{"xdp_desc.options", unsafe.Offsetof(unix.XDPDesc{}.Options), 12},
		{"sizeof xdp_umem_reg", unsafe.Sizeof(unix.XDPUmemReg{}), 32},
		{"xdp_umem_reg.chunk_size", unsafe.Offsetof(unix.XDPUmemReg{}.Size), 16},
		{"xdp_umem_reg.headroom", unsafe.Offsetof(unix.XDPUmemReg{}.Headroom), 20},
		{"sizeof xdp_mmap_offsets", unsafe.Sizeof(unix.XDPMmapOffsets{}), 128},
		{"sizeof xdp_statistics", unsafe.Sizeof(unix.XDPStatistics{}), 48},
		{"xdp_statistics.rx_ring_full", unsafe.Offsetof(unix.XDPStatistics{}.Rx_ring_full), 24},
		{"ifreq.ifr_hwaddr.sa_data", unsafe.Offsetof(m.mac), 18},
		{"sizeof ifreq", unsafe.Sizeof(m), 40},
		{"ifreq.ifr_data", unsafe.Offsetof(e.data), 16},
		{"sizeof ifreq", unsafe.Sizeof(e), 40},
		{"sizeof ethtool_value", unsafe.Sizeof(ethtoolValue{}), 8},
		{"sizeof ethtool_channels", unsafe.Sizeof(c), 36},
		{"ethtool_channels.rx_count", unsafe.Offsetof(c.receive), 20},
		{"ethtool_channels.combined_count", unsafe.Offsetof(c.combined), 32},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, want %d", c.what, c.got, c.want)
		}
	}
}
