package main_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// refusalLine is how vbladefs-ctl(5) says that a refusal can be read: time, file,
// line, ellipsis, column, errno, and the reason with what was expected.
var refusalLine = regexp.MustCompile(
	`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warning (\S+): refused ("(?:[^"\\]|\\.)*")(…?)(?: at column (\d+))?: ([A-Z0-9]+): (.+ (?:want|takes) .+)$`)

// checkRefusal fails the test unless event is the refusal of line, with all of
// its parts.
func checkRefusal(t *testing.T, event, file, line, errno, reason string) {
	t.Helper()
	m := refusalLine.FindStringSubmatch(event)
	if m == nil {
		t.Errorf("the log says %q: that is no refusal in the promised form", event)
		return
	}
	written, err := strconv.Unquote(m[2])
	whole := m[3] == ""
	if err != nil || whole && written != line || !whole && !strings.HasPrefix(line, written) {
		t.Errorf("the log says that %s was written, %v; want %q", m[2], err, line)
	}
	if m[1] != file || m[5] != errno || !strings.Contains(m[6], reason) {
		t.Errorf("the log says %q; want file %s, errno %s and %q", event, file, errno, reason)
	}
	if column, _ := strconv.Atoi(m[4]); column > len(line)+1 {
		t.Errorf("column %d of a line of %d bytes", column, len(line))
	}
}
