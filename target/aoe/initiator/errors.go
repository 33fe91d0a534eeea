package initiator

import (
	"errors"
	"fmt"
	"time"

	"vbladefs/target/aoe"
)

// What callers may ask errors.Is for.
var (
	ErrNoAnswer = errors.New("nothing answered")
	ErrTimeout  = errors.New("no reply in time")
	ErrRange    = errors.New("beyond the end of the export")
	ErrNotSent  = errors.New("the link does not take the frame")
	ErrBusy     = errors.New("a request is still outstanding")
)

// TimeoutError says which request was given up. It is an ErrTimeout.
type TimeoutError struct {
	Op      Op
	LBA     uint64 // of the frame, in sectors
	After   time.Duration
	Retries int
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("%v at sector %d: %v: given up after %v and %d retransmissions", e.Op, e.LBA, ErrTimeout,
		e.After.Round(time.Millisecond), e.Retries)
}

// Is makes every TimeoutError an ErrTimeout.
func (e *TimeoutError) Is(target error) bool { return target == ErrTimeout }

// AoEError is a reply with the E flag (PROTOCOL §2.2).
type AoEError struct {
	Addr    aoe.Addr
	Command aoe.Command
	Code    aoe.ErrorCode
}

func (e *AoEError) Error() string {
	return fmt.Sprintf("export %v refuses AoE command %d: error %d, %v", e.Addr, e.Command, e.Code, e.Code)
}

// ATAError is a reply whose status register has an error bit (PROTOCOL §3.2).
type ATAError struct {
	LBA     uint64 // of the frame, in sectors
	Command uint8  // ATA command
	Status  uint8
	Reg     uint8 // error register
}

func (e *ATAError) Error() string {
	why := "failed"
	switch {
	case e.Reg&0x10 != 0:
		why = "sector not found (IDNF)"
	case e.Reg&0x40 != 0:
		why = "uncorrectable data (UNC)"
	case e.Reg&0x04 != 0:
		why = "aborted (ABRT)"
	}
	return fmt.Sprintf("ATA command %#02x at sector %d: %s: status %#02x, error %#02x", e.Command, e.LBA, why, e.Status, e.Reg)
}

// ReplyError is a reply that matches a request and breaks the protocol.
type ReplyError struct {
	LBA   uint64
	Fault Fault
	Got   int // the value found, in the unit of the fault
	Want  int
}

func (e *ReplyError) Error() string {
	return fmt.Sprintf("malformed reply for sector %d: %v is %d, want %d", e.LBA, e.Fault, e.Got, e.Want)
}
