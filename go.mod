module vbladefs

go 1.26.0

require (
	// The XDP and steering programs, put together and loaded without a compiler.
	github.com/cilium/ebpf v0.22.0
	// The control tree: the fastest and best kept FUSE library in Go.
	github.com/hanwen/go-fuse/v2 v2.12.1
	// The portable link, where no packet ring can be had.
	github.com/mdlayher/raw v0.1.0
	// Metrics in the forms that Prometheus reads, and their rules.
	github.com/prometheus/client_golang v1.25.0
	// Levelled logging with a syslog hook.
	github.com/sirupsen/logrus v1.10.2
	// Interfaces that come, go and change, over rtnetlink.
	github.com/vishvananda/netlink v1.3.1
	// The assembler for the kernel's packet filter.
	golang.org/x/net v0.62.0
	// Packet rings, direct I/O and the rest of Linux without cgo.
	golang.org/x/sys v0.49.0
)

require (
	github.com/beorn7/perks v1.0.1 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/josharian/native v1.1.0 // indirect
	github.com/kylelemons/godebug v1.1.0 // indirect
	github.com/mdlayher/packet v1.1.2 // indirect
	github.com/mdlayher/socket v0.5.1 // indirect
	github.com/munnerz/goautoneg v0.0.0-20191010083416-a7dc8b61c822 // indirect
	github.com/prometheus/client_model v0.6.3 // indirect
	github.com/prometheus/common v0.72.0 // indirect
	github.com/prometheus/procfs v0.22.0 // indirect
	github.com/vishvananda/netns v0.0.5 // indirect
	golang.org/x/sync v0.22.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)
