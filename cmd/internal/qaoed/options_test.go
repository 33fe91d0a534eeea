package qaoed

import (
	"strings"
	"testing"
)

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		words      string
		config     string
		foreground bool
		mount      string
		code       int
		done       bool
		said       string
	}{
		{"", defaultConfig, false, "", 0, false, ""},
		{"-f", defaultConfig, true, "", 0, false, ""},
		{"-fc/a/b", "/a/b", true, "", 0, false, ""},
		{"-c /a/b -f --mount=/m", "/a/b", true, "/m", 0, false, ""},
		{"word -f - word", defaultConfig, true, "", 0, false, ""},
		{"-f -- -h", defaultConfig, true, "", 0, false, ""},
		{"-c", defaultConfig, false, "", exitFailure, true, "Unknown argument ?\nusage: q"},
		{"-x", defaultConfig, false, "", exitFailure, true, "Unknown argument ?\nusage: q"},
		{"--mount", defaultConfig, false, "", exitFailure, true, "--mount needs a value\nusage: q"},
		{"-fhx", defaultConfig, true, "", 0, true, "usage: q [-f -V -h] [-c <file>]\n"},
		{"-V", defaultConfig, false, "", 0, true, "qaoed version .. 0.beta.something.something\n"},
	} {
		var stdout strings.Builder
		o, code, done := parseOptions(append([]string{"q"}, strings.Fields(c.words)...), &stdout)
		if o.config != c.config || o.foreground != c.foreground || o.Mount != c.mount || code != c.code || done != c.done ||
			!strings.HasPrefix(stdout.String(), c.said) || c.said == "" && stdout.Len() > 0 {
			t.Errorf("%q: %+v, %d, %v, %q", c.words, o, code, done, &stdout)
		}
	}
}
