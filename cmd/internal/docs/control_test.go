package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"

	"vbladefs/compat/text"
	"vbladefs/fusectl"
	"vbladefs/target"
)

const controlManual = "docs/vbladefs-ctl.5"

// TestControlFiles holds the list of files in the manual to fusectl's table.
func TestControlFiles(t *testing.T) {
	_, table, ok := strings.Cut(fusectl.Help(), "\n\nREADME\n")
	if !ok {
		t.Fatal("fusectl.Help has no list that begins with README")
	}
	holdBlock(t, "files", controlFiles("README\n"+table))
}

// TestControlErrors holds the list of errors in the manual to fusectl's table.
func TestControlErrors(t *testing.T) {
	holdBlock(t, "errors", controlErrors(t))
}

// TestControlLimits holds the numbers in the manual to the program.
func TestControlLimits(t *testing.T) {
	page := strings.Join(strings.Fields(read(t, controlManual)), " ")
	for _, want := range []string{
		fmt.Sprintf("A line may have %d bytes.", text.MaxLine),
		fmt.Sprintf(".Ar SHELF is 0 to %d,", target.MaxShelf),
		fmt.Sprintf(".Ar SLOT 0 to %d,", target.MaxSlot),
		fmt.Sprintf("by default %d; 1 is advertised as %d,", target.DefaultBuffers, target.MinBuffers),
		fmt.Sprintf("1 to %d letters, digits,", target.MaxDriveName),
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%s does not say %q", controlManual, want)
		}
	}
}

// holdBlock compares a generated part of the manual, or rewrites it with -update.
func holdBlock(t *testing.T, name, want string) {
	t.Helper()
	begin, end := `.\" begin `+name+"\n", `.\" end `+name+"\n"
	page := read(t, controlManual)
	before, rest, ok := strings.Cut(page, begin)
	have, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no lines %q and %q", controlManual, begin, end)
	}
	if *update {
		if err := os.WriteFile(root+controlManual, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if have != want {
		t.Errorf("%s has\n%s\nthe program has\n%s\nIf the program is right: go test ./cmd/internal/docs -update", controlManual, have, want)
	}
}

// controlFiles makes mdoc of the table in fusectl.Help: a path, and indented what it is, takes and gives.
func controlFiles(table string) string {
	var b strings.Builder
	b.WriteString(".Bl -tag -width Ds\n")
	for _, line := range strings.Split(table, "\n") {
		about, indented := strings.CutPrefix(line, "    ")
		verb, grammar, _ := strings.Cut(about, ":")
		switch {
		case line == "":
		case !indented:
			fmt.Fprintf(&b, ".It Pa %s\n", escape(line))
		case verb == "write" || verb == "read":
			fmt.Fprintf(&b, ".br\n%s:\n.Ic %s\n", verb, escape(strings.TrimSpace(grammar)))
		default:
			b.WriteString(sentence(about) + "\n")
		}
	}
	return b.String() + ".El\n"
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + escape(s[1:]) + "." }

// escape makes s literal for roff and for mdoc's parsed macros.
func escape(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`).Replace(s)
	words := strings.Split(s, " ")
	for i, w := range words {
		switch w {
		case "|", ".", ",", ":", ";", "(", ")", "[", "]", "?", "!":
			words[i] = `\&` + w
		}
	}
	return strings.Join(words, " ")
}

// controlErrors makes mdoc of the rows of fusectl/errno.go. Of its columns aoeserver's must be EINVAL throughout, but for
// EADDRINUSE, as the manual says.
func controlErrors(t *testing.T) string {
	reasons := errorTexts(t)
	var b strings.Builder
	b.WriteString(".Bl -column \"requests in flight did not finish in time\" \"ESHUTDOWN\" \"EPFNOSUPPORT\"\n" +
		".It Em mistake Ta Em kvblade Ta Em vblade\n")
	rows := errnoRows(t)
	for _, row := range rows {
		reason, errnos := reasons[row[0]], row[1:]
		if reason == "" || len(errnos) != 4 || errnos[2] != "EINVAL" && errnos[2] != "EADDRINUSE" {
			t.Fatalf("fusectl/errno.go, row %v: want a reason, and EINVAL for aoeserver", row)
		}
		fmt.Fprintf(&b, ".It %s Ta %s Ta %s\n", reason, errnoText(errnos[1]), errnoText(errnos[3]))
	}
	if len(rows) < 10 {
		t.Fatalf("fusectl/errno.go: found only the rows %v", rows)
	}
	return b.String() + ".El\n"
}

func errnoText(name string) string {
	if name == "0" {
		return "as below"
	}
	return "Er " + name
}

// errorTexts reads the errors of target: name to text.
func errorTexts(t *testing.T) map[string]string {
	texts := map[string]string{}
	ast.Inspect(parse(t, "target/errors.go"), func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
			if call, ok := spec.Values[0].(*ast.CallExpr); ok && len(call.Args) == 1 {
				texts[spec.Names[0].Name], _ = strconv.Unquote(word(call.Args[0]))
			}
		}
		return true
	})
	return texts
}

// errnoRows reads fusectl's table: the error's name, then an errno for each dialect.
func errnoRows(t *testing.T) (rows [][]string) {
	ast.Inspect(parse(t, "fusectl/errno.go"), func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Names[0].Name != "errnos" {
			return true
		}
		for _, e := range spec.Values[0].(*ast.CompositeLit).Elts {
			cells := e.(*ast.CompositeLit).Elts
			row := []string{word(cells[0])}
			for _, errno := range cells[1].(*ast.CompositeLit).Elts {
				row = append(row, word(errno))
			}
			rows = append(rows, row)
		}
		return false
	})
	return rows
}

func parse(t *testing.T, name string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), root+name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// word is the name or literal that e is.
func word(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.BasicLit:
		return e.Value
	}
	return ""
}
