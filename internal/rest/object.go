package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// maxDepth bounds how deep a body nests. Every client decodes it again, many by
	// recursion.
	maxDepth = 128
	// maxShown bounds how much of a name chosen by the caller comes back in an error.
	maxShown = 64
)

// field is one member of a JSON object, byte for byte as it was sent but for white
// space, so that numbers keep their digits and text its spelling.
type field struct {
	name  string          // decoded
	key   json.RawMessage // the name as sent, in quotes
	value json.RawMessage
}

// parseObject reads a JSON object into its fields, in order. It is strict where readers
// of JSON differ: names must not repeat, text must be UTF-8.
func parseObject(body []byte) ([]field, error) {
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return nil, malformed("the body is empty")
	case !utf8.Valid(body):
		return nil, malformed("the body is not valid UTF-8")
	}
	text, err := compact(body)
	if err != nil {
		return nil, malformed("the body is not JSON: " + err.Error())
	}
	if text[0] != '{' {
		return nil, malformed("the body must be a JSON object")
	}
	return fieldsOf(text)
}

// compact is JSON without white space between its values.
func compact(text []byte) ([]byte, error) {
	var spare [256]byte // on the stack
	if bones, spaced := skeleton(spare[:0], text); !spaced && json.Valid(bones) {
		return text, nil
	}
	var all bytes.Buffer
	err := json.Compact(&all, text)
	return all.Bytes(), err
}

// fieldsOf splits a valid and compact JSON object.
func fieldsOf(text []byte) ([]field, error) {
	fields := make([]field, 0, 4)
	var seen map[string]bool // of many fields: few are compared one by one
	for rest := text[1:]; rest[0] != '}'; {
		if rest[0] == ',' {
			rest = rest[1:]
		}
		end, _ := extent(rest)
		next := field{key: rest[:end:end]}
		next.name, _ = stringOf(next.key)
		rest = rest[end+len(":"):]
		end, depth := extent(rest)
		if depth >= maxDepth { // with the object itself
			return nil, malformed(fmt.Sprintf("the body nests deeper than %d levels", maxDepth))
		}
		next.value = rest[:end:end]
		rest = rest[end:]
		if len(fields) == fewFields {
			seen = namesOf(fields)
		}
		if seen[next.name] || seen == nil && slices.ContainsFunc(fields, next.namesake) {
			return nil, malformed("the field " + shown(next.name) + " stands twice in the body")
		}
		if seen != nil {
			seen[next.name] = true
		}
		fields = append(fields, next)
	}
	return fields, nil
}

// fewFields is how many are compared faster than they are looked up.
const fewFields = 8

func (f field) namesake(other field) bool { return f.name == other.name }

func namesOf(fields []field) map[string]bool {
	names := make(map[string]bool, 2*len(fields))
	for _, f := range fields {
		names[f.name] = true
	}
	return names
}

// extent is the length of the JSON value at the start of valid, compact text, and how
// deep that value nests.
func extent(text []byte) (length, depth int) {
	open, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++ // whatever is escaped, it does not end the string
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			open++
			depth = max(depth, open)
		case open > 0 && (c == '}' || c == ']'):
			open--
			if open == 0 {
				return i + 1, depth
			}
		case open == 0 && (c == ',' || c == ':' || c == '}'):
			return i, depth // the end of a string or of a bare word
		}
	}
	return len(text), depth
}

// stringOf decodes a JSON string; ok is false for a value of another type.
func stringOf(value json.RawMessage) (text string, ok bool) {
	if len(value) == 0 || value[0] != '"' {
		return "", false
	}
	if inner := value[1 : len(value)-1]; bytes.IndexByte(inner, '\\') < 0 { // nothing to decode
		return string(inner), true
	}
	return text, json.Unmarshal(value, &text) == nil
}

// bodyFault is a fault of the body's field of that name.
func bodyFault(name, detail string) fault {
	escaped := strings.NewReplacer("~", "~0", "/", "~1").Replace(shorten(name))
	return fault{Pointer: "#/" + url.PathEscape(escaped), Detail: detail}
}

// shown quotes a name that the caller chose.
func shown(name string) string { return fmt.Sprintf("%q", shorten(name)) }

func shorten(name string) string {
	if runes := []rune(name); len(runes) > maxShown {
		return string(runes[:maxShown]) + "…"
	}
	return name
}
