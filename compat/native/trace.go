package native

import (
	"strconv"
	"time"

	"vbladefs/compat/text"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// TraceGrammar is what the file trace takes.
const TraceGrammar = "1 [REQUESTS] to record the last 1 to 65536, without it 1024; 0 to end"

// ParseTrace reads what is written to trace, of addr.
func ParseTrace(addr aoe.Addr, value string) (target.Operation, error) {
	words := text.Fields(value, " \t\n")
	switch {
	case len(words) == 0:
		return nil, text.At{Column: 1, Err: text.Malformed("nothing written: want %s", TraceGrammar)}
	case len(words) > 2 || len(words) == 2 && words[0].Text == "0":
		extra := words[len(words)-1]
		return nil, extra.Malformed("%s is one word too many: want %s", extra, TraceGrammar)
	case words[0].Text == "0":
		return target.SetTrace{Addr: addr}, nil
	case words[0].Text != "1":
		return nil, words[0].Malformed("trace %s: want %s", words[0], TraceGrammar)
	}
	op := target.SetTrace{Addr: addr, Requests: target.DefaultTraceRequests, Length: traceLength}
	if len(words) == 2 {
		n, err := text.Number("number of requests", words[1], 1, target.MaxTraceRequests)
		if err != nil {
			return nil, err
		}
		op.Requests = int(n)
	}
	return op, nil
}

// traceTime is the form of times in a trace, always in UTC.
const traceTime = "2006-01-02T15:04:05.000000Z"

// AppendTrace appends the line of e to b: TIME MAC INTERFACE OPERATION LBA SECTORS
// OUTCOME MICROSECONDS, with - for what it does not have.
func AppendTrace(b []byte, e *target.TraceEvent) []byte {
	b = e.At.UTC().AppendFormat(b, traceTime)
	b = append(b, ' ')
	for i, octet := range e.Host {
		if i > 0 {
			b = append(b, ':')
		}
		b = appendHex(b, octet)
	}
	b = append(append(b, ' '), e.Interface...)
	b = appendOperation(append(b, ' '), e)
	if e.Sectors > 0 {
		b = strconv.AppendUint(append(b, ' '), e.LBA, 10)
		b = strconv.AppendInt(append(b, ' '), int64(e.Sectors), 10)
	} else {
		b = append(b, " - -"...)
	}
	b = appendOutcome(append(b, ' '), e)
	if e.Took > 0 {
		b = strconv.AppendInt(append(b, ' '), int64(e.Took/time.Microsecond), 10)
	} else {
		b = append(b, " -"...)
	}
	return append(b, '\n')
}

// traceLength is how long that line is. Workers ask for it, so nothing may be allocated.
func traceLength(e *target.TraceEvent) int {
	var line [192]byte
	return len(AppendTrace(line[:0], e))
}

// AppendLost appends the line that tells of requests that are not in the trace; it is
// shorter than any of theirs.
func AppendLost(b []byte, lost uint64) []byte {
	return append(strconv.AppendUint(append(b, "# "...), lost, 10), " requests are not kept\n"...)
}

// appendOperation appends what was asked for, in a word.
func appendOperation(b []byte, e *target.TraceEvent) []byte {
	switch e.Command {
	case aoe.CmdATA:
		if e.Action == "abort" || e.Action == "" {
			return appendHex(append(b, "ata-0x"...), e.ATA)
		}
		return append(b, e.Action...)
	case aoe.CmdConfig:
		return append(b, "config"...)
	case aoe.CmdMaskList:
		return append(b, "mask-list"...)
	case aoe.CmdReserve:
		return append(b, "reserve"...)
	}
	return strconv.AppendUint(append(b, "aoe-"...), uint64(e.Command), 10)
}

// appendOutcome appends what became of it, in a word.
func appendOutcome(b []byte, e *target.TraceEvent) []byte {
	switch e.Outcome {
	case target.TraceDone:
		return append(b, "ok"...)
	case target.TraceATAError:
		return appendHex(append(b, "ata-error-0x"...), e.Code)
	case target.TraceAoEError:
		return strconv.AppendUint(append(b, "aoe-error-"...), uint64(e.Code), 10)
	case target.TraceFull:
		return append(b, "full"...)
	case target.TraceNoRoom:
		return append(b, "no-room"...)
	}
	return append(b, "silent"...)
}

func appendHex(b []byte, octet byte) []byte {
	const digits = "0123456789abcdef"
	return append(b, digits[octet>>4], digits[octet&15])
}
