package fusectl

import (
	"cmp"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// An origin is something that a line makes: an object, by what identifies it, or
// one of its values.
type origin struct {
	drive string
	addr  aoe.Addr
	netif string // of a port
	what  string
}

// What an origin can be of beside a drive, an address or a port.
const (
	ofModel    = "model"
	ofSerial   = "serial"
	ofFirmware = "firmware"
	ofKeep     = "keep"
	ofThin     = "thin"
	ofCache    = "cache"
	ofReadOnly = "readonly"
	ofConfig   = "config"
	ofBlade    = "blade"
	ofLoud     = "loud"
	ofLimit    = "limit" // of an interface
	ofPort     = "port"
)

// note remembers that the present line made what op is about.
func (r *rehearsal) note(op target.Operation) {
	switch op := op.(type) {
	case target.AddDrive:
		r.origins[origin{drive: op.Name}] = r.line
	case target.AddBlade:
		r.noteBlade(op.Addr, "")
	case target.AddPort:
		r.noteBlade(op.Addr, op.Interface)
	case target.Export:
		r.noteBlade(op.Addr, op.Interface)
	case target.Rebind:
		if b, ok := r.Blade(op.Addr); ok {
			r.origins[origin{drive: b.Drive}] = r.line
		}
	case target.SetModel:
		r.origins[origin{drive: op.Drive, what: ofModel}] = r.line
	case target.SetSerial:
		r.origins[origin{drive: op.Drive, what: ofSerial}] = r.line
	case target.SetFirmware:
		r.origins[origin{drive: op.Drive, what: ofFirmware}] = r.line
	case target.SetKeep:
		r.origins[origin{drive: op.Drive, what: ofKeep}] = r.line
	case target.SetThin:
		r.origins[origin{drive: op.Drive, what: ofThin}] = r.line
	case target.SetCache:
		r.origins[origin{drive: op.Drive, what: ofCache}] = r.line
	case target.SetReadOnly:
		r.origins[origin{drive: op.Drive, what: ofReadOnly}] = r.line
	case target.SetConfig:
		r.origins[origin{addr: op.Addr, what: ofConfig}] = r.line
	case target.SetPort:
		r.origins[origin{addr: op.Addr, netif: op.Interface, what: ofPort}] = r.line
	case target.SetLoud:
		r.origins[origin{addr: op.Addr, what: ofLoud}] = r.line
	case target.LimitMTU:
		r.origins[origin{netif: op.Interface, what: ofLimit}] = r.line
	case target.SetHosts:
		r.origins[origin{addr: op.Addr, what: op.List.String()}] = r.line
	case target.SetAccess:
		r.origins[origin{addr: op.Addr, what: op.Point.String()}] = r.line
	case target.AddAccess:
		r.origins[origin{addr: op.Addr, what: op.Point.String()}] = r.line
	case target.EditHostList:
		r.origins[origin{addr: op.Addr, what: op.List.String()}] = r.line
	}
}

// noteBlade is note of an address, with its drive, which the line may have made
// with it, and with a port if netif is not empty.
func (r *rehearsal) noteBlade(addr aoe.Addr, netif string) {
	if netif != "" {
		r.origins[origin{addr: addr, netif: netif, what: ofPort}] = r.line
	}
	b, _ := r.Blade(addr)
	for _, o := range []origin{{addr: addr, what: ofBlade}, {drive: b.Drive}} {
		r.origins[o] = cmp.Or(r.origins[o], r.line)
	}
}

// from is the line that made what o says, or else its object.
func (r *rehearsal) from(o origin) Mistake {
	if m, ok := r.origins[o]; ok {
		return m
	}
	if o.drive != "" {
		return r.origins[origin{drive: o.drive}]
	}
	return r.origins[origin{addr: o.addr, what: ofBlade}]
}
