package native

import (
	"fmt"
	"strconv"
	"time"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// traceTime is the form of times in a trace, always in UTC.
const traceTime = "2006-01-02T15:04:05.000000Z"

// AppendTrace appends the line of e to b: TIME MAC INTERFACE OPERATION LBA SECTORS
// OUTCOME MICROSECONDS, with - for what it does not have.
func AppendTrace(b []byte, e *target.TraceEvent) []byte {
	b = e.At.UTC().AppendFormat(b, traceTime)
	b = append(append(b, ' '), e.Host.String()...)
	b = append(append(b, ' '), e.Interface...)
	b = append(append(b, ' '), traceOperation(e)...)
	if e.Sectors > 0 {
		b = strconv.AppendUint(append(b, ' '), e.LBA, 10)
		b = strconv.AppendInt(append(b, ' '), int64(e.Sectors), 10)
	} else {
		b = append(b, " - -"...)
	}
	b = append(append(b, ' '), traceOutcome(e)...)
	if e.Took > 0 {
		b = strconv.AppendInt(append(b, ' '), int64(e.Took/time.Microsecond), 10)
	} else {
		b = append(b, " -"...)
	}
	return append(b, '\n')
}

// AppendLost appends the line that tells of requests that are not in the trace.
func AppendLost(b []byte, lost uint64) []byte {
	return fmt.Appendf(b, "# %d requests are missing here: they came faster than they were read\n", lost)
}

// traceOperation is what was asked for, in a word.
func traceOperation(e *target.TraceEvent) string {
	switch e.Command {
	case aoe.CmdATA:
		if e.Action == "abort" || e.Action == "" {
			return fmt.Sprintf("ata-%#02x", e.ATA)
		}
		return e.Action
	case aoe.CmdConfig:
		return "config"
	case aoe.CmdMaskList:
		return "mask-list"
	case aoe.CmdReserve:
		return "reserve"
	}
	return fmt.Sprintf("aoe-%d", e.Command)
}

// traceOutcome is what became of it, in a word.
func traceOutcome(e *target.TraceEvent) string {
	switch e.Outcome {
	case target.TraceDone:
		return "ok"
	case target.TraceATAError:
		return fmt.Sprintf("ata-error-%#02x", e.Code)
	case target.TraceAoEError:
		return fmt.Sprintf("aoe-error-%d", e.Code)
	case target.TraceFull:
		return "full"
	case target.TraceNoRoom:
		return "no-room"
	}
	return "silent"
}
