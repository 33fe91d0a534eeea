package ggaoed

import "strings"

// unescape reads the escapes of a value: \s \n \t \r \\, and in a list \, for a
// comma that separates nothing.
func unescape(s string) (string, bool) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i == len(s) {
			return "", false
		}
		c := strings.IndexByte(escapeLetters, s[i])
		if c < 0 {
			return "", false
		}
		b.WriteByte(escaped[c])
	}
	return b.String(), true
}

const (
	escapeLetters = `sntr\,`
	escaped       = " \n\t\r\\,"
)

var escaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\t", `\t`, "\r", `\r`)

// escape is the opposite of unescape, for a value that stands alone.
func escape(s string) string {
	s = escaper.Replace(s)
	inner := strings.TrimLeft(s, " ")
	body := strings.TrimRight(inner, " ")
	return strings.Repeat(`\s`, len(s)-len(inner)) + body + strings.Repeat(`\s`, len(inner)-len(body))
}

// items splits a list at its commas, without the blanks around its items; empty
// items count for nothing.
func items(s string) (list []string, ok bool) {
	for s != "" {
		end := 0
		for end < len(s) && s[end] != ',' {
			if s[end] == '\\' {
				end++
			}
			end++
		}
		item, ok := unescape(s[:min(end, len(s))])
		if !ok {
			return nil, false
		}
		if item = strings.Trim(item, " \t\n\v\f\r"); item != "" {
			list = append(list, item)
		}
		s = s[min(end+1, len(s)):]
	}
	return list, true
}

// joinItems is the opposite of items.
func joinItems(list []string) string {
	out := make([]string, len(list))
	for i, item := range list {
		out[i] = strings.ReplaceAll(escape(item), ",", `\,`)
	}
	return strings.Join(out, ", ")
}
