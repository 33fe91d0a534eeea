package target

import "errors"

// The reasons for which an operation is refused. Errors of operations wrap one
// of these, or the errno of a device that could not be used together with
// ErrStore, and say in words what was wrong and what would be right. fusectl
// maps them to errno.
var (
	ErrMalformed    = errors.New("malformed command")
	ErrRange        = errors.New("number out of range")
	ErrTooLong      = errors.New("command too long")
	ErrNoInterface  = errors.New("no such interface")
	ErrNotEthernet  = errors.New("not an Ethernet interface")
	ErrNameTaken    = errors.New("name in use")
	ErrAddressTaken = errors.New("address in use")
	ErrAnswered     = errors.New("address answered by another machine")
	ErrClaimed      = errors.New("address served by another process")
	ErrNoDrive      = errors.New("no such drive")
	ErrNoPort       = errors.New("no such port")
	ErrInUse        = errors.New("still in use")
	ErrNotDrained   = errors.New("requests in flight did not finish in time")
	ErrFull         = errors.New("table full")
	ErrStore        = errors.New("cannot use the backing store")
	ErrClosed       = errors.New("target is closed")
)
