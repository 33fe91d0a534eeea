package watch

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// View is which rows are shown, in which order.
type View struct {
	Kind    Kind
	Sort    int  // of the columns; -1: by name
	Reverse bool // least first
	Filter  string
	Skip    int // rows above the first one shown
}

// rows are those of the report that v shows, in its order.
func (v *View) rows(r *Report) []Row {
	var rows []Row
	for _, row := range r.Rows[v.Kind] {
		if strings.Contains(row.Name+" "+row.Detail+" "+row.State, v.Filter) {
			rows = append(rows, row)
		}
	}
	if v.Sort >= 0 {
		slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(b.values[v.Sort], a.values[v.Sort]) })
	}
	if v.Reverse {
		slices.Reverse(rows)
	}
	return rows
}

// SetSort has v sort by the column of that title or key in JSON, in any case.
func (v *View) SetSort(name string) error {
	t := &tables[v.Kind]
	var titles []string
	for i, c := range t.columns {
		if strings.EqualFold(c.title, name) || c.key == name {
			v.Sort = i
			return nil
		}
		titles = append(titles, strings.ToLower(c.title))
	}
	if strings.EqualFold(t.name, name) || name == "name" {
		v.Sort = -1
		return nil
	}
	return fmt.Errorf("%q is no column of %s: want name, %s", name, t.title, strings.Join(titles, ", "))
}

// ParseKind finds a kind by the title of its table.
func ParseKind(name string) (Kind, error) {
	for kind, t := range tables {
		if t.title == name {
			return Kind(kind), nil
		}
	}
	return 0, fmt.Errorf("%q: want exports, initiators or interfaces", name)
}

// lines are the table of a report as v shows it: a heading, then rows.
func (v *View) lines(r *Report) []string {
	t := &tables[v.Kind]
	rows := v.rows(r)
	cells := [][]string{t.heading(v)}
	for _, row := range rows {
		line := []string{row.Name, row.Detail}
		if t.state != "" {
			line = append(line, row.State)
		}
		for i, c := range t.columns {
			line = append(line, format(row.values[i], c.unit))
		}
		cells = append(cells, line)
	}
	return align(cells, len(cells[0])-len(t.columns))
}

// heading marks the column that is sorted by.
func (t *table) heading(v *View) []string {
	line := []string{t.name, t.detail}
	if t.state != "" {
		line = append(line, t.state)
	}
	words := len(line)
	for _, c := range t.columns {
		line = append(line, c.title)
	}
	mark := words + v.Sort
	if v.Sort < 0 {
		mark = 0
	}
	line[mark] += "*"
	return line
}

// align pads the first columns, which are words, to the right, and others to the left.
func align(cells [][]string, words int) []string {
	width := make([]int, len(cells[0]))
	for _, line := range cells {
		for i, cell := range line {
			width[i] = max(width[i], len(cell))
		}
	}
	lines := make([]string, len(cells))
	for n, line := range cells {
		var b strings.Builder
		for i, cell := range line {
			if i > 0 {
				b.WriteByte(' ')
			}
			pad := strings.Repeat(" ", width[i]-len(cell))
			if i < words {
				b.WriteString(cell + pad)
			} else {
				b.WriteString(pad + cell)
			}
		}
		lines[n] = b.String()
	}
	return lines
}

// format shows a number in few characters.
func format(x float64, u unit) string {
	switch {
	case u == bytesSecond:
		return fmt.Sprintf("%.1f", x/1e6)
	case u == nanoseconds && x == 0:
		return "-"
	case u == nanoseconds && x < 1e6:
		return fmt.Sprintf("%.0fus", x/1e3)
	case u == nanoseconds && x < 1e9:
		return fmt.Sprintf("%.1fms", x/1e6)
	case u == nanoseconds:
		return fmt.Sprintf("%.2fs", x/1e9)
	case u == perSecond && x > 0 && x < 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}

// WritePlain writes the tables of the views to w.
func WritePlain(w io.Writer, r *Report, views []View) error {
	_, err := fmt.Fprintf(w, "%s, over %.1f s\n", r.At.Format("2006-01-02 15:04:05"), r.Interval.Seconds())
	for i := range views {
		for _, line := range views[i].lines(r) {
			if err == nil {
				_, err = fmt.Fprintln(w, line)
			}
		}
		if err == nil {
			_, err = fmt.Fprintln(w)
		}
	}
	return err
}
