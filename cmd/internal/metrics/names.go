package metrics

import "github.com/prometheus/client_golang/prometheus"

// The metrics, by the conventions of Prometheus: base units, _total for what only grows.

var descriptions []*prometheus.Desc

// desc is a metric vbladefs_NAME.
func desc(name, help string, labels ...string) *prometheus.Desc {
	d := prometheus.NewDesc("vbladefs_"+name, help, labels, nil)
	descriptions = append(descriptions, d)
	return d
}

// ofExport is a metric of each export.
func ofExport(name, help string, labels ...string) *prometheus.Desc {
	return desc("export_"+name, help, append([]string{"export", "drive"}, labels...)...)
}

// ofInterface is a metric of each interface.
func ofInterface(name, help string, labels ...string) *prometheus.Desc {
	return desc("interface_"+name, help, append([]string{"interface"}, labels...)...)
}

var (
	buildInfo       = desc("build_info", "The version of the daemon, and of Go; always 1.", "version", "goversion")
	exports         = desc("exports", "Exports, by their health: ok, degraded or down.", "health")
	requestDuration = desc("request_duration_seconds", "Time from taking the frame of a request that needs the disk to sending its reply, over all exports.", "operation")

	exportUp         = ofExport("up", "Whether it can be read: its drive is open and not paused, and one of its ports at least is up.")
	exportHealthy    = ofExport("healthy", "Whether nothing is wrong with it, as vbladefs status says.")
	exportSize       = ofExport("size_bytes", "Its size.")
	exportPorts      = ofExport("ports", "Its ports as configured.")
	exportPortsUp    = ofExport("ports_up", "Its ports that are served.")
	exportBuffers    = ofExport("buffers", "Requests that may be in flight, on all interfaces.")
	exportInFlight   = ofExport("requests_in_flight", "Requests that are with the disk.")
	exportInitiators = ofExport("initiators", "Initiators that sent a request in the last minute.")
	exportConflicts  = ofExport("conflicts", "Other machines that answered for its address in the last ten minutes.")
	exportRequests   = ofExport("requests_total", "Requests that were answered with what they asked for.", "operation")
	exportBytes      = ofExport("transferred_bytes_total", "Data that was read and written.", "operation")
	exportErrors     = ofExport("errors_total", "Requests that were answered with an error, of the drive (ata) or the protocol (aoe).", "kind")
	exportDropped    = ofExport("dropped_requests_total", "Requests that were not answered: all buffers were in use, or it was malformed or not allowed.", "reason")
	exportDuration   = ofExport("request_duration_seconds", "Time from taking the frame of a request that needs the disk to sending its reply.", "operation")
	exportLatency    = ofExport("latency_seconds", "The same as a histogram; only if asked for by latency=export.", "operation")

	netifUp         = ofInterface("up", "Whether it is there, up, and served.")
	netifMTU        = ofInterface("mtu_bytes", "Its MTU.")
	netifPorts      = ofInterface("ports", "Exports on it.")
	netifWorkers    = ofInterface("workers", "Workers that share it.")
	netifInitiators = ofInterface("initiators", "Initiators that read or wrote over it in the last minute, of the latest 256 for each worker.")
	netifFrames     = ofInterface("frames_total", "Frames of AoE.", "direction")
	netifBytes      = ofInterface("bytes_total", "Bytes of frames of AoE.", "direction")
	netifBatches    = ofInterface("batches_total", "Calls that took or sent frames.", "direction")
	netifDropped    = ofInterface("dropped_frames_total", "Frames that were lost before they were looked at, and replies that the interface refused.", "direction")
	netifIgnored    = ofInterface("ignored_frames_total", "Frames that no export answers: replies, forged sources and no AoE (malformed), or another's address.", "reason")
)
