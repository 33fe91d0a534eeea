package main

import (
	"encoding/json"
	"slices"
	"time"
)

// report is all that a run has found; -json writes it as it stands.
type report struct {
	Date         time.Time     `json:"date"`
	Machine      machine       `json:"machine"`
	Versions     versions      `json:"versions"`
	Rounds       int           `json:"rounds"`
	Seconds      float64       `json:"seconds"`
	MTU          int           `json:"mtu"`
	Memory       *footprint    `json:"idle_memory,omitempty"`
	Comparisons  []comparison  `json:"comparisons,omitempty"`
	Measurements []measurement `json:"measurements,omitempty"`
	Soak         *soak         `json:"soak,omitempty"`

	Control []controlFigure `json:"control,omitempty"`
}

func newReport(o *options, r *rig) *report {
	return &report{Date: time.Now().UTC().Truncate(time.Second), Machine: thisMachine(), Versions: versionsOf(r),
		Rounds: o.rounds, Seconds: o.seconds, MTU: mtu}
}

// compare makes every comparison that the groups name.
func (r *report) compare(groups []group) {
	for _, g := range groups {
		for _, row := range g.rows {
			for _, p := range g.pairs {
				for _, f := range row.figures {
					c := compareOne(r.Measurements, row.name, f, p)
					if c.Min > c.Max { // they have no round in common
						continue
					}
					i := slices.IndexFunc(row.goals, func(g goal) bool {
						return g.figure == f && g.base == p.base && p.subject == ours
					})
					if i >= 0 {
						c.judge(row.goals[i])
					}
					r.Comparisons = append(r.Comparisons, c)
				}
			}
		}
	}
}

func (r *report) encode() ([]byte, error) {
	text, err := json.MarshalIndent(r, "", "  ")
	return append(text, '\n'), err
}
