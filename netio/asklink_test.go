package netio

import (
	"errors"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"

	"vbladefs/netio/netiotest"
)

// What the kernel says to us is what it says to the library.
func TestAskLink(t *testing.T) {
	a, _ := netiotest.Pair(t, 1500)
	a.Run("ip", "link", "property", "add", "dev", "eth0", "altname", "a-long-alternative-name", "altname", "short")
	a.Run("ip", "link", "add", "name", "bridge0", "type", "bridge")
	a.Run("ip", "tuntap", "add", "dev", "tun", "mode", "tun") // has no address
	a.Do(func() {
		for _, name := range []string{"eth0", "short", "a-long-alternative-name", "bridge0", "tun", "lo"} {
			link, err := netlink.LinkByName(name)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := askLink(name); err != nil || got != fromAttrs(link.Attrs()) {
				t.Errorf("%s: got %+v, %v; want %+v", name, got, err, fromAttrs(link.Attrs()))
			}
		}
		for _, name := range []string{"eth1", "an-alternative-name-of-none", "et"} {
			if got, err := askLink(name); err != syscall.ENODEV {
				t.Errorf("%s: got %+v, %v; want %v", name, got, err, syscall.ENODEV)
			}
		}
	})
}

// FuzzLinkAnswer: whatever comes, there is an interface or an error.
func FuzzLinkAnswer(f *testing.F) {
	f.Add(linkQuestion("eth0"))
	f.Add([]byte{20, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xed, 0xff, 0xff, 0xff})
	answer := linkQuestion("lo") // an answer but for its kind and MTU
	answer[4] = 16
	f.Add(append(answer, 8, 0, 4, 0, 0, 0, 1, 0))
	f.Fuzz(func(t *testing.T, answer []byte) {
		ifi, err := linkAnswer(answer)
		var errno syscall.Errno
		if err != nil && err != errOddAnswer && !errors.As(err, &errno) {
			t.Errorf("error %v", err)
		}
		if err == nil && (ifi.Name == "" || ifi.MTU == 0) {
			t.Errorf("%+v without an error", ifi)
		}
	})
}
