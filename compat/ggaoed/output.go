package ggaoed

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"vbladefs/compat/text"
	"vbladefs/target/aoe"
)

// This file is what ggaoectl shows, sheet §5.

// StatsText is the text of `ggaoectl stats` for the answers to GetStats.
func StatsText(answers []Answer) string {
	var b strings.Builder
	for _, a := range answers {
		switch a := a.(type) {
		case DeviceAnswer:
			fmt.Fprintf(&b, "# Statistics for device %s\n", text.Printable(a.Name))
			a.DeviceStats.list(&b)
		case NetAnswer:
			fmt.Fprintf(&b, "# Statistics for interface %s\n", text.Printable(a.Name))
			a.NetStats.list(&b)
		}
	}
	return b.String()
}

func (s DeviceStats) list(b *strings.Builder) {
	fmt.Fprintf(b, "read_cnt: %d\nread_bytes: %d\nread_time: %s\n", s.Reads, s.ReadBytes, secondsText(s.ReadTime))
	fmt.Fprintf(b, "write_cnt: %d\nwrite_bytes: %d\nwrite_time: %s\n", s.Writes, s.WriteBytes, secondsText(s.WriteTime))
	fmt.Fprintf(b, "other_cnt: %d\nother_time: %s\n", s.Others, secondsText(s.OtherTime))
	fmt.Fprintf(b, "io_slots: %d\nio_runs: %d\nqueue_length: %d\nqueue_stall: %d\nqueue_over: %d\nata_err: %d\nproto_err: %d\n\n",
		s.IOSlots, s.IORuns, s.QueueLength, s.QueueStall, s.QueueOver, s.ATAErrors, s.ProtocolErrors)
}

func (s NetStats) list(b *strings.Builder) {
	fmt.Fprintf(b, "rx_cnt: %d\nrx_bytes: %d\nrx_runs: %d\nrx_buffers_full: %d\n", s.Received, s.ReceivedBytes, s.ReceivedRuns, s.ReceiveFull)
	fmt.Fprintf(b, "tx_cnt: %d\ntx_bytes: %d\ntx_runs: %d\ntx_buffers_full: %d\n", s.Sent, s.SentBytes, s.SentRuns, s.SendFull)
	fmt.Fprintf(b, "dropped: %d\nignored: %d\nbroadcast: %d\n\n", s.Dropped, s.Ignored, s.Broadcasts)
}

// secondsText has up to six significant digits, as C's %g.
func secondsText(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'g', 6, 64) }

// ConfigText is the text of `show-config`: a dump of each config string.
func ConfigText(answers []Answer) string {
	var b strings.Builder
	for _, a := range answers {
		if a, is := a.(ConfigAnswer); is {
			config, _ := ParseConfigFile(a.File)
			fmt.Fprintf(&b, "Device %s:\n%s\n", text.Printable(a.Name), dump(config))
		}
	}
	return b.String()
}

// dump shows 16 bytes a line, in hex and as characters.
func dump(config []byte) string {
	const perLine, hexWidth = 16, 48
	var b strings.Builder
	for part := range slices.Chunk(config, perLine) {
		hex := ""
		for _, c := range part {
			hex += fmt.Sprintf("%02x ", c)
		}
		fmt.Fprintf(&b, "%-*s %s\n", hexWidth, hex, strings.Map(func(c rune) rune {
			if c < ' ' || c > '~' { // the original shows DEL, which does things to terminals
				return '.'
			}
			return c
		}, latin1(part)))
	}
	return b.String()
}

// latin1 is a string with a rune for each byte.
func latin1(b []byte) string {
	runes := make([]rune, len(b))
	for i, c := range b {
		runes[i] = rune(c)
	}
	return string(runes)
}

// HostsText is the text of `show-macmask` and `show-reserve`: four hosts a line.
func HostsText(answers []Answer) string {
	var b strings.Builder
	for _, a := range answers {
		if a, is := a.(ListAnswer); is {
			hosts, _ := ParseListFile(a.File)
			fmt.Fprintf(&b, "Device %s:\n%s\n", text.Printable(a.Name), hostLines(hosts))
		}
	}
	return b.String()
}

// hostLines has a blank between hosts, and behind the last of a short line.
func hostLines(hosts []aoe.MAC) string {
	const perLine = 4
	var b strings.Builder
	for i, host := range hosts {
		b.WriteString(host.String())
		if i%perLine == perLine-1 {
			b.WriteByte('\n')
		} else {
			b.WriteByte(' ')
		}
	}
	if len(hosts)%perLine != 0 {
		b.WriteByte('\n')
	}
	return b.String()
}

// Sample is what all counters were at one moment.
type Sample struct {
	Uptime  time.Duration
	Devices map[string]DeviceStats
	Nets    map[string]NetStats
}

// NewSample is the sample in the answers to GetStats.
func NewSample(answers []Answer) Sample {
	s := Sample{Devices: map[string]DeviceStats{}, Nets: map[string]NetStats{}}
	for _, a := range answers {
		switch a := a.(type) {
		case UptimeAnswer:
			s.Uptime = a.Since
		case DeviceAnswer:
			s.Devices[a.Name] = a.DeviceStats
		case NetAnswer:
			s.Nets[a.Name] = a.NetStats
		}
	}
	return s
}

// MonitorText shows what happened between two samples; the zero Sample is the
// start of the daemon. names are those that were asked for.
func MonitorText(before, now Sample, names []string) string {
	width := 4
	for _, name := range names {
		width = max(width, len(name))
	}
	for name := range now.Devices {
		width = max(width, len(name))
	}
	for name := range now.Nets {
		width = max(width, len(name))
	}
	took := max(now.Uptime-before.Uptime, time.Nanosecond).Seconds()
	var b strings.Builder
	if len(now.Devices) > 0 {
		fmt.Fprintf(&b, "%-*s   rrqm/s      rkB/s   wrqm/s      wkB/s oth avgqsz qs qf ae pe    svctm\n", width, "dev")
		for name, s := range sortedByName(now.Devices) {
			fmt.Fprintf(&b, "%-*s %s\n", width, text.Printable(name), s.since(before.Devices[name], took))
		}
	}
	if len(now.Devices) > 0 && len(now.Nets) > 0 {
		b.WriteByte('\n')
	}
	if len(now.Nets) > 0 {
		fmt.Fprintf(&b, "%-*s   rrqm/s      rkB/s   wrqm/s      wkB/s drp  avrun\n", width, "net")
		for name, s := range sortedByName(now.Nets) {
			fmt.Fprintf(&b, "%-*s %s\n", width, text.Printable(name), s.since(before.Nets[name], took))
		}
	}
	return b.String() + "\n"
}

func (s DeviceStats) since(o DeviceStats, took float64) string {
	reads, writes, others := since(s.Reads, o.Reads), since(s.Writes, o.Writes), since(s.Others, o.Others)
	requests := reads + writes + others
	busy := s.ReadTime + s.WriteTime + s.OtherTime - o.ReadTime - o.WriteTime - o.OtherTime
	return fmt.Sprintf("%8.1f %10.2f %8.1f %10.2f %3.0f %6.2f %2.0f %2.0f %2.0f %2.0f %8.2f",
		reads/took, since(s.ReadBytes, o.ReadBytes)/1024/took, writes/took, since(s.WriteBytes, o.WriteBytes)/1024/took, others,
		ratio(since(s.QueueLength, o.QueueLength), requests), since(s.QueueStall, o.QueueStall), since(s.QueueOver, o.QueueOver),
		since(s.ATAErrors, o.ATAErrors), since(s.ProtocolErrors, o.ProtocolErrors),
		ratio(max(busy, 0).Seconds()*1000, requests))
}

func (s NetStats) since(o NetStats, took float64) string {
	received := since(s.Received, o.Received)
	return fmt.Sprintf("%8.1f %10.2f %8.1f %10.2f %3.0f %6.2f",
		received/took, since(s.ReceivedBytes, o.ReceivedBytes)/1024/took, since(s.Sent, o.Sent)/took,
		since(s.SentBytes, o.SentBytes)/1024/took, since(s.Dropped, o.Dropped), ratio(received, since(s.ReceivedRuns, o.ReceivedRuns)))
}

// since is how far a counter went; one that was cleared meanwhile began at 0.
func since[N uint32 | uint64](now, before N) float64 {
	if now < before {
		return float64(now)
	}
	return float64(now - before)
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

func sortedByName[S any](all map[string]S) func(yield func(string, S) bool) {
	return func(yield func(string, S) bool) {
		names := make([]string, 0, len(all))
		for name := range all {
			names = append(names, name)
		}
		slices.SortFunc(names, cmp.Compare[string])
		for _, name := range names {
			if !yield(name, all[name]) {
				return
			}
		}
	}
}
