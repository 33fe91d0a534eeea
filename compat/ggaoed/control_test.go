package ggaoed

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
	"time"

	"vbladefs/target/aoe"
)

var everyAnswer = []Answer{
	Greeting, OKAnswer{}, UptimeAnswer{Since: 3*time.Second + 7},
	DeviceAnswer{"disk", DeviceStats{1, 2, 3, 4, 5, 6 * time.Second, 7, 8, 9, 10, 11, 12, 13, 14, 15}},
	NetAnswer{"eth0", NetStats{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
	ListAnswer{"disk", ListFile([]aoe.MAC{{1, 2, 3, 4, 5, 6}})},
	ConfigAnswer{"disk", ConfigFile([]byte("hello"))},
}

// The sizes and places of sheet §4, on a machine of its byte order.
func TestDatagrams(t *testing.T) {
	sizes := []int{8, 4, 24, 137 + 4, 81 + 4, 2057 + 4, 1037 + 4}
	for i, a := range everyAnswer {
		b := Datagram(a)
		if len(b) != sizes[i] {
			t.Errorf("%T: %d bytes, want %d", a, len(b), sizes[i])
		}
		if back, err := ParseAnswer(b); err != nil || !reflect.DeepEqual(back, a) {
			t.Errorf("%T comes back as %+v, %v", a, back, err)
		}
		for n := range b {
			if _, err := ParseAnswer(b[:n]); err == nil {
				t.Errorf("%T cut to %d bytes is taken", a, n)
			}
		}
	}
	le := func(b []byte, at, size int) (n uint64) {
		for i := range size {
			n |= uint64(b[at+i]) << (8 * i)
		}
		return n
	}
	dev, net := Datagram(everyAnswer[3])[8:], Datagram(everyAnswer[4])[8:]
	for _, c := range []struct {
		b        []byte
		at, size int
		want     uint64
	}{
		{dev, 0, 8, 1}, {dev, 8, 8, 2}, {dev, 24, 8, 3}, {dev, 32, 8, 4}, {dev, 40, 8, 5}, {dev, 48, 8, 6}, {dev, 64, 4, 7},
		{dev, 80, 8, 8}, {dev, 88, 8, 9}, {dev, 96, 8, 10}, {dev, 104, 8, 11}, {dev, 112, 4, 12}, {dev, 116, 4, 13}, {dev, 120, 4, 14}, {dev, 124, 4, 15},
		{net, 0, 8, 1}, {net, 8, 8, 2}, {net, 16, 8, 3}, {net, 24, 8, 4}, {net, 32, 8, 5}, {net, 40, 8, 6},
		{net, 48, 4, 7}, {net, 52, 4, 8}, {net, 56, 4, 9}, {net, 60, 4, 10}, {net, 64, 4, 11},
	} {
		if got := le(c.b, c.at, c.size); got != c.want {
			t.Errorf("at %d: %d, want %d", c.at, got, c.want)
		}
	}
	list, config := Datagram(everyAnswer[5]), Datagram(everyAnswer[6])
	if got := hex.EncodeToString(list[8:16]); got != "6b712ae901000000" {
		t.Errorf("a list begins with %s", got)
	}
	if got := hex.EncodeToString(config[4:12]); got != "aebfa03805000000" {
		t.Errorf("a config string begins with %s", got)
	}
}

func TestRequests(t *testing.T) {
	for _, r := range []Request{{Command: Hello}, {Command: GetStats, Names: []string{"a*", "eth?"}}} {
		if got, err := ParseRequest(r.Datagram()); err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%v comes back as %v, %v", r, got, err)
		}
	}
	if _, err := ParseRequest([]byte{1, 0, 0}); err == nil {
		t.Error("3 bytes are taken")
	}
	if r, err := ParseRequest([]byte("\x08\x00\x00\x00disk")); err != nil || len(r.Names) != 1 || r.Names[0] != "disk" {
		t.Errorf("a name without its NUL: %v, %v", r, err)
	}
	r := Request{Names: []string{"a*", "eth?"}}
	for name, want := range map[string]bool{"a": true, "abc": true, "eth0": true, "eth10": false, "b": false} {
		if r.Selects(name) != want {
			t.Errorf("%v selects %s: %v", r.Names, name, !want)
		}
	}
	if !(Request{}).Selects("x") {
		t.Error("no name means none")
	}
}

func TestStateFiles(t *testing.T) {
	config := ConfigFile([]byte("text"))
	if got, ok := ParseConfigFile(config); len(config) != 1032 || !ok || string(got) != "text" {
		t.Errorf("config file: %q, %v", got, ok)
	}
	config[5] = 5 // a length of more than 1024
	if _, ok := ParseConfigFile(config); ok {
		t.Error("a config file of 1284 bytes of text is taken")
	}
	hosts := []aoe.MAC{{1, 0, 0, 0, 0, 2}, {2, 0, 0, 0, 0, 1}, {0, 0, 0, 0, 0, 2}}
	sorted := []aoe.MAC{hosts[1], hosts[2], hosts[0]}
	list := ListFile(SortMasks(hosts))
	if got, ok := ParseListFile(list); len(list) != 2048 || !ok || !reflect.DeepEqual(got, sorted) {
		t.Errorf("list file: %v, %v", got, ok)
	}
	if !bytes.Equal(list[8:24], []byte{2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0}) {
		t.Errorf("entries % x", list[8:24])
	}
	list[0]++
	if _, ok := ParseListFile(list); ok {
		t.Error("a wrong magic is taken")
	}
}

func TestOutput(t *testing.T) {
	stats := StatsText(everyAnswer)
	for _, want := range []string{
		"# Statistics for device disk\nread_cnt: 1\nread_bytes: 2\nread_time: 3e-09\nwrite_cnt: 4\n",
		"write_time: 6\nother_cnt: 7\n", "proto_err: 15\n\n# Statistics for interface eth0\nrx_cnt: 1\nrx_bytes: 2\nrx_runs: 3\nrx_buffers_full: 7\ntx_cnt: 4\n",
		"broadcast: 11\n\n",
	} {
		if !strings.Contains(stats, want) {
			t.Errorf("stats lack %q:\n%s", want, stats)
		}
	}
	if got, want := ConfigText(everyAnswer), "Device disk:\n68 65 6c 6c 6f                                   hello\n\n"; got != want {
		t.Errorf("show-config:\n%q, want\n%q", got, want)
	}
	five := make([]aoe.MAC, 5)
	for i := range five {
		five[i][5] = byte(i)
	}
	want := "Device d:\n00:00:00:00:00:00 00:00:00:00:00:01 00:00:00:00:00:02 00:00:00:00:00:03\n00:00:00:00:00:04 \n\n"
	if got := HostsText([]Answer{ListAnswer{"d", ListFile(five)}}); got != want {
		t.Errorf("show-macmask:\n%q, want\n%q", got, want)
	}
}

func TestMonitor(t *testing.T) {
	before := Sample{Uptime: time.Second, Devices: map[string]DeviceStats{"b": {Reads: 100}}}
	now := Sample{Uptime: 3 * time.Second,
		Devices: map[string]DeviceStats{
			"b": {Reads: 300, ReadBytes: 2 << 20, ReadTime: 400 * time.Millisecond, QueueLength: 600, ATAErrors: 1},
			"a": {Writes: 20, WriteBytes: 4096, Others: 5},
		},
		Nets: map[string]NetStats{"eth0": {Received: 640, ReceivedBytes: 65536, ReceivedRuns: 10, Sent: 64, Dropped: 3}},
	}
	want := `dev    rrqm/s      rkB/s   wrqm/s      wkB/s oth avgqsz qs qf ae pe    svctm
a         0.0       0.00     10.0       2.00   5   0.00  0  0  0  0     0.00
b       100.0    1024.00      0.0       0.00   0   3.00  0  0  1  0     2.00

net    rrqm/s      rkB/s   wrqm/s      wkB/s drp  avrun
eth0    320.0      32.00     32.0       0.00   3  64.00

`
	if got := MonitorText(before, now, nil); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := MonitorText(Sample{}, Sample{Uptime: time.Second, Nets: map[string]NetStats{"lo": {}}}, []string{"longer"}); !strings.HasPrefix(got, "net      ") || strings.Count(got, "\n") != 3 {
		t.Errorf("interfaces alone:\n%s", got)
	}
}

// FuzzControl takes what comes from a socket, either way.
func FuzzControl(f *testing.F) {
	for _, a := range everyAnswer {
		f.Add(Datagram(a))
	}
	f.Add(Request{Command: ClearMasks, Names: []string{"x"}}.Datagram())
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := ParseAnswer(b); err == nil {
			if again, err := ParseAnswer(Datagram(a)); err != nil || !reflect.DeepEqual(a, again) {
				t.Errorf("%+v comes back as %+v, %v", a, again, err)
			}
			_ = StatsText([]Answer{a}) + ConfigText([]Answer{a}) + HostsText([]Answer{a}) + MonitorText(Sample{}, NewSample([]Answer{a}), nil)
		}
		if r, err := ParseRequest(b); err == nil {
			if again, err := ParseRequest(r.Datagram()); err == nil && !reflect.DeepEqual(r, again) {
				t.Errorf("%+v comes back as %+v", r, again)
			}
		}
		if config, ok := ParseConfigFile(b); ok && !bytes.Equal(ConfigFile(config)[:8+len(config)], b[:8+len(config)]) {
			t.Error("a config file does not come back")
		}
		if hosts, ok := ParseListFile(b); ok && len(hosts) > maxEntries {
			t.Error("too many hosts")
		}
	})
}
