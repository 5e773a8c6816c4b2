package rest

import "bytes"

// skeleton is text without the plain characters of its strings, which is valid JSON if and
// only if text is: whatever is wrong with text is still there, and comes first. Most of a
// body is such characters, and encoding/json looks at them one by one. It is appended to bones;
// spaced reports white space between the values.
func skeleton(bones, text []byte) (appended []byte, spaced bool) {
	for i := 0; i < len(text); {
		c := text[i]
		spaced = spaced || isSpace(c)
		bones = append(bones, c)
		i++
		if c != '"' {
			continue
		}
		var inner []byte
		inner, bones = innerOf(text[i:], bones)
		i += len(inner)
	}
	return bones, spaced
}

// innerOf is what stands in a string up to its closing quotation mark, that included, or up
// to the end of text. It appends to bones what of it may make a string invalid.
func innerOf(text, bones []byte) (inner, with []byte) {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return text[:i+1], append(bones, c)
		case c == '\\':
			escape := text[i:min(i+escapeLength(text[i:]), len(text))]
			bones = append(bones, escape...)
			i += len(escape) - 1
		case c < ' ':
			bones = append(bones, c)
		}
	}
	return text, bones
}

// escapeLength is how long the escape at the start of text is to be: \n or \u005c.
func escapeLength(text []byte) int {
	if bytes.HasPrefix(text, []byte(`\u`)) {
		return len(`\u005c`)
	}
	return len(`\n`)
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
