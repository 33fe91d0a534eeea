package powercut

// medium is what may be on the disk after a loss of power at one moment of a
// replay.
type medium struct {
	log     *Log
	sectors []remains
	cached  []int // writes that have ended and that no flush has covered, as they ended
}

// remains are the versions of one sector, any of which may be there.
type remains struct {
	versions []version // the first is there at least; then as they ended
	flying   []version // of writes that have not ended
}

// version is a generation of a sector.
type version struct {
	gen uint32
	of  int // operation; -1: there from the start
}

func newMedium(l *Log) *medium {
	m := &medium{log: l, sectors: make([]remains, len(l.next))}
	for i := range m.sectors {
		m.sectors[i].versions = []version{{0, -1}}
	}
	return m
}

// begun takes a write that came in.
func (m *medium) begun(id int) {
	o := &m.log.operations[id]
	for i, gen := range o.gens {
		r := &m.sectors[o.first+i]
		r.flying = append(r.flying, version{gen, id})
	}
}

// ended takes the end of an operation.
func (m *medium) ended(id int) {
	o := &m.log.operations[id]
	if o.flush {
		if !o.failed {
			m.flushed(o.begun)
		}
		return
	}
	for i, gen := range o.gens {
		r := &m.sectors[o.first+i]
		for n, v := range r.flying {
			if v.of == id {
				r.flying = append(r.flying[:n], r.flying[n+1:]...)
				break
			}
		}
		if r.versions = append(r.versions, version{gen, id}); o.sync && !o.failed {
			r.versions = r.versions[len(r.versions)-1:]
		}
	}
	if !o.failed {
		m.cached = append(m.cached, id)
	}
}

// flushed has everything on the medium that had ended before that event.
func (m *medium) flushed(before int) {
	n := 0
	for ; n < len(m.cached) && m.log.operations[m.cached[n]].ended < before; n++ {
		o := &m.log.operations[m.cached[n]]
		for i := range o.gens {
			r := &m.sectors[o.first+i]
			for at, v := range r.versions {
				if v.of == m.cached[n] { // unless a later one has made it go
					r.versions = r.versions[at:]
					break
				}
			}
		}
	}
	m.cached = m.cached[n:]
}
