package qaoed

import (
	"vbladefs/compat/text"
)

// places is where the statements of a section stand, by name; those of an acl
// have "acl " before theirs.
type places map[string]statement

// read has the statements of a section set what they name in into.
func read[T any](f *findings, s section, into *T, keys, acl []key[T]) places {
	at := places{}
	for _, st := range s.body {
		known, prefix := keys, ""
		if st.inACL {
			known, prefix = acl, "acl "
		}
		k := find(known, st.key.text)
		if k == nil {
			f.mistake(st.key, "%s: unknown statement: want %s", st, oneOf(words(known, acl, st.inACL)))
			continue
		}
		name := prefix + k.name
		if k.as != "" {
			name = prefix + k.as
		}
		if before, again := at[name]; again && !k.many {
			f.mistake(st.key, "%s: %s: there is one on line %d of %s already, want one only",
				st, text.Quote(st.value.text), before.key.line, text.Printable(before.key.file))
			continue
		}
		at[name] = st
		if !k.set(into, st.value.text) {
			f.refuse(st, k.want)
		}
	}
	return at
}

func find[T any](keys []key[T], name string) *key[T] {
	for i := range keys {
		if keys[i].name == name {
			return &keys[i]
		}
	}
	return nil
}

// words are what may stand in place of an unknown statement.
func words[T any](known, acl []key[T], inACL bool) []string {
	list := names(known)
	if !inACL && len(acl) > 0 {
		list = append(list, "acl { }")
	}
	return list
}
