package main_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
)

// cluster is a Ceph cluster of one monitor and one OSD, in a folder and a network namespace of its own. Its clients run in
// that namespace, too. There is no manager: it counts, and no data passes it.
type cluster struct {
	t   *testing.T
	ns  netiotest.Netns
	dir string
}

// cephConf takes one copy for enough, and as little memory and disk as will do.
const cephConf = `[global]
fsid = %[1]s
mon host = [v2:127.0.0.1:3300,v1:127.0.0.1:6789]
auth cluster required = none
auth service required = none
auth client required = none
auth allow insecure global id reclaim = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon cluster log to file = false
mon data avail warn = 1
mon data avail crit = 1
ms bind ipv6 = false
admin socket =
pid file =
log file = %[2]s/$name.log
crash dir = %[2]s
keyring = %[2]s/keyring
mon data = %[2]s/mon
osd data = %[2]s/osd
bluestore block size = 1073741824
osd memory target = 939524096
bluestore cache autotune = false
bluestore cache size = 67108864
`

// newCluster starts a cluster with an empty pool rbd, until the test ends.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	need(t, "ceph-mon", "ceph-osd", "ceph", "rbd", "monmaptool", "ceph-authtool", "qemu-nbd")
	dir, err := os.MkdirTemp("", "vbladefs-ceph-")
	if err != nil {
		t.Fatal(err)
	}
	done := netiotest.Afterwards("rm -rf " + dir)
	t.Cleanup(func() { _ = os.RemoveAll(dir); done() })
	c := &cluster{t: t, ns: netiotest.New(t), dir: dir}
	id, osd := uuid(), uuid()
	for _, sub := range []string{"mon", "osd"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "ceph.conf"), fmt.Appendf(nil, cephConf, id, dir), 0o600); err != nil {
		t.Fatal(err)
	}
	c.run("monmaptool", "--create", "--fsid", id, "--addv", "a", "[v2:127.0.0.1:3300,v1:127.0.0.1:6789]", dir+"/monmap")
	c.run("ceph-authtool", "--create-keyring", dir+"/keyring", "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
	c.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", dir+"/monmap", "--keyring", dir+"/keyring")
	c.daemon("ceph-mon", "-i", "a", "-f")
	c.run("ceph", "osd", "new", osd)
	c.run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
	c.daemon("ceph-osd", "-i", "0", "-f")
	c.run("ceph", "osd", "pool", "create", "rbd", "8")
	return c
}

// uuid is a random one.
func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// command prepares a program that is a client, or a part, of the cluster.
func (c *cluster) command(args ...string) *exec.Cmd {
	cmd := c.ns.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "CEPH_CONF="+c.dir+"/ceph.conf")
	return cmd
}

// run runs one, for two minutes at most, and returns what it prints.
func (c *cluster) run(args ...string) string {
	c.t.Helper()
	cmd := c.command(append([]string{"timeout", "120"}, args...)...)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		c.t.Fatalf("%q: %v\n%s%s", args, err, out.String(), complaints.String())
	}
	return out.String()
}

// daemon runs a part of the cluster until the test ends.
func (c *cluster) daemon(args ...string) {
	c.t.Helper()
	cmd, said := c.command(args...), &output{}
	cmd.Stdout, cmd.Stderr = said, said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	done := netiotest.Afterwards(fmt.Sprintf("kill -9 %d", cmd.Process.Pid))
	c.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		done()
		if c.t.Failed() {
			c.t.Logf("%s said: %s", args[0], said)
		}
	})
}

// serve has a host's NBD server serve an image.
func (c *cluster) serve(image, cache string) (s *nbdServer, uri string) {
	c.t.Helper()
	return nbdBy(c.t, func(name string, args ...string) *exec.Cmd { return c.command(append([]string{name}, args...)...) },
		"-f", "raw", "--cache="+cache, "rbd:rbd/"+image+":conf="+c.dir+"/ceph.conf")
}

// owner is the address of the client that holds an image's exclusive lock.
func (c *cluster) owner(image string) string {
	c.t.Helper()
	var locks []struct{ Address string }
	text := c.run("rbd", "lock", "ls", "--format", "json", "rbd/"+image)
	if err := json.Unmarshal([]byte(text), &locks); err != nil || len(locks) != 1 {
		c.t.Fatalf("want one lock on %s: %v, %s", image, err, text)
	}
	return locks[0].Address
}

// TestCeph has two hosts serve one RBD image, one after the other, each by a qemu-nbd of its own: whatever the first
// acknowledged is there when it has died with all that it had not written. Fenced, the first is put on the cluster's
// blocklist before the second begins; else the second waits for its lock to lapse.
func TestCeph(t *testing.T) {
	if os.Getenv("VBLADEFS_CEPH") == "" {
		t.Skip("starts a Ceph cluster: scripts/setup.sh ceph installs it, VBLADEFS_CEPH=1 asks for it; make interop-ceph does both")
	}
	c := newCluster(t)
	for _, row := range []struct {
		name, policy, cache string
		fenced              bool
	}{
		{"direct", "direct", "none", true},
		{"durable", "durable", "writeback", true},
		{"durable unfenced", "durable", "writeback", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := &cluster{t, c.ns, c.dir}
			image := strings.ReplaceAll(row.name, " ", "-")
			c.run("rbd", "create", "--size", "16M", "rbd/"+image)
			nodes := segment(t, 3)
			var hosts []*host
			for _, ns := range nodes[1:] {
				server, uri := c.serve(image, row.cache)
				hosts = append(hosts, newHost(t, ns, server, uri, "-cache", row.policy))
			}
			failOver(t, nodes[0], hosts[0], hosts[1], func() {
				if row.fenced {
					began := time.Now()
					c.run("ceph", "osd", "blocklist", "add", c.owner(image))
					t.Logf("the blocklist took %v of it", time.Since(began).Round(time.Millisecond))
				}
			})
			bothAtOnce(t, nodes[0], hosts[0], hosts[1])
		})
	}
}
