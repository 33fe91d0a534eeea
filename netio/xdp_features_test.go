package netio

import (
	"testing"

	"vbladefs/netio/netiotest"
)

// TestNetdevFeatures asks of veth, which every kernel with XDP on it lets redirect to sockets.
func TestNetdevFeatures(t *testing.T) {
	ns, _ := netiotest.Pair(t, 1500)
	index := lookupIn(t, ns, "eth0").Index
	ns.Do(func() {
		features, _, err := netdevFeatures(index)
		if err != nil || features&xdpFeatureRedirect == 0 || features&xdpFeatureZeroCopy != 0 {
			t.Errorf("features %#x, %v; want redirection and no zero copy", features, err)
		}
	})
}
