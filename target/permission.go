package target

import (
	"cmp"
	"slices"
	"sync/atomic"

	"vbladefs/target/aoe"
)

// This file asks access lists whether a host may. Workers do, with every request.

// permissions are the access lists of a blade, by point; nil: everyone may. They
// are immutable, as rules are.
type permissions [AccessPoints]*permission

func (s *permissions) at(p AccessPoint) *permission {
	if s == nil || p >= AccessPoints {
		return nil
	}
	return s[p]
}

// with is s with the list at one point replaced.
func (s *permissions) with(at AccessPoint, p *permission) *permissions {
	var next permissions
	if s != nil {
		next = *s
	}
	if next[at] = p; next == (permissions{}) {
		return nil
	}
	return &next
}

// lists is s as it was set.
func (s *permissions) lists() (all [AccessPoints]*AccessList) {
	for i := range all {
		if p := s.at(AccessPoint(i)); p != nil {
			all[i] = p.list
		}
	}
	return all
}

// permission is an AccessList for looking hosts up.
type permission struct {
	list  *AccessList
	name  string    // for the log
	keys  []uint64  // of the hosts in rows: hostKey, and in bit 0 whether it may; ascending
	hosts []aoe.MAC // those of them that may, in order of rows; not nil
	noted [notedHosts]atomic.Uint64
}

// newPermission prepares l, which is called name if it has no name.
func newPermission(l *AccessList, name string) *permission {
	p := &permission{list: l, name: cmp.Or(l.Name, name), hosts: []aoe.MAC{}}
	decided := make(map[aoe.MAC]bool, len(l.Rows))
	for _, row := range l.Rows {
		if decided[row.Host] {
			continue
		}
		decided[row.Host] = true
		key := hostKey(row.Host) << 1
		if row.Accept {
			key |= uint64(accepted)
			p.hosts = append(p.hosts, row.Host)
		}
		p.keys = append(p.keys, key)
	}
	slices.Sort(p.keys)
	return p
}

// decision is what a list says of a host: bit 0 is whether it may, bit 1 whether
// no row said so.
type decision uint8

const accepted decision = 1

// String is the decision as it is logged.
func (d decision) String() string {
	return [...]string{"reject", "allow", "default-reject", "default-allow"}[d&3]
}

func (p *permission) decide(host aoe.MAC) decision {
	key := hostKey(host)
	if i, _ := slices.BinarySearch(p.keys, key<<1); i < len(p.keys) && p.keys[i]>>1 == key {
		return decision(p.keys[i] & 1)
	}
	if p.list.Accept {
		return 2 | accepted
	}
	return 2
}

// permits reports whether host may make a request of one kind, as far as the
// access lists go.
func (w *worker) permits(r *rules, at AccessPoint, host aoe.MAC) bool {
	if r.access == nil || r.access[at] == nil {
		return true
	}
	p := r.access[at]
	d := p.decide(host)
	if p.list.Log {
		w.note(p, host, d)
	}
	return d&accepted != 0
}
