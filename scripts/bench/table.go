package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// print writes the table.
func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "%s\n%s; vbladefs %s", r.Date.Format("2006-01-02 15:04 UTC"), r.Machine, r.Versions.Vbladefs)
	for name, version := range map[string]string{"vblade": r.Versions.Vblade} {
		if version != "" {
			fmt.Fprintf(w, ", %s %s", name, version)
		}
	}
	fmt.Fprintf(w, "\nveth, MTU %d; target on the first processor, aoebench on the last; medians of %d rounds of %g s;\n", r.MTU, r.Rounds, r.Seconds)
	fmt.Fprint(w, "ratio: ours over the other's, of the medians; spread: of single rounds\n\n")
	writeTable(w, r.rows())
	if n := r.disturbed(); n > 0 {
		fmt.Fprintf(w, "\nDISTURBED: in %d of %d measurements other work kept aoebench from its processor for more than %.0f %% of the time;\n"+
			"do not trust figures of this run other than CPU\n", n, len(r.Measurements), 100*tooMuch)
	}
	if f := r.Memory; f != nil {
		fmt.Fprintf(w, "\nidle, one interface: %s resident (reach: at most %s, %s), of it %s Go heap (reach: at most %s, %s);\n",
			mib(f.RSS), mib(maxRSS), verdict(f.RSS <= maxRSS), mib(f.Heap), mib(maxHeap), verdict(f.Heap <= maxHeap))
		fmt.Fprintf(w, "%s mapped rings, %s locked; %d µs of processor time a second\n", mib(f.Rings), mib(f.Locked), f.CPU)
	}
}

// disturbed counts the measurements that others have spoilt.
func (r *report) disturbed() int {
	n := 0
	for _, m := range r.Measurements {
		if m.Disturbed > tooMuch {
			n++
		}
	}
	return n
}

// rows is the table: its head, then a line for each comparison.
func (r *report) rows() [][]string {
	table := [][]string{{"", "figure", "against", "theirs", "ours", "ratio", "spread", "reach", "aim"}}
	last := ""
	for _, c := range r.Comparisons {
		name, base := c.Row, c.Base
		if name == last {
			name = ""
		}
		last = c.Row
		if c.Subject != ours {
			base = c.Subject + " / " + base
		}
		table = append(table, []string{name, string(c.Figure), base, number(c.Theirs), number(c.Ours), fmt.Sprintf("%.2f", c.Ratio),
			fmt.Sprintf("%.2f-%.2f", c.Min, c.Max), c.word(c.Reach), c.word(c.Aim)})
	}
	return table
}

// word is a limit and whether it is met.
func (c *comparison) word(l *limit) string {
	if l == nil {
		return ""
	}
	sign := "≤"
	if c.Figure.more() {
		sign = "≥"
	}
	return fmt.Sprintf("%s %.2f %s", sign, l.Ratio, verdict(l.Met))
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "not met"
}

// number has three digits that matter, or all of a large whole number.
func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// writeTable aligns columns: text to the left, numbers to the right.
func writeTable(w io.Writer, table [][]string) {
	width := make([]int, len(table[0]))
	for _, line := range table {
		for i, cell := range line {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for _, line := range table {
		var b strings.Builder
		for i, cell := range line {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if i >= 3 && i <= 5 {
				b.WriteString(pad + cell + "  ")
			} else {
				b.WriteString(cell + pad + "  ")
			}
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}
