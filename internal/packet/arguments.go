package packet

import (
	"bytes"
	"encoding/json"
)

// MaxArguments bounds an EVENT's arguments, its name included. Splitting a megabyte of
// tiny ones would cost a tenth of a second and a hundred times their size in garbage.
const MaxArguments = 64

// Arguments splits the payload of a decoded EVENT into the event's name and the raw
// JSON of what follows it. A numeric name is given as its literal text. The raw values
// are copies and outlive the text p was decoded from.
func (p *Packet) Arguments() (name string, args []json.RawMessage, err error) {
	items, err := p.items()
	if err != nil {
		return "", nil, err
	}
	if items[0][0] != '"' {
		return string(items[0]), items[1:], nil
	}
	name, _, err = firstString(items[0])
	return name, items[1:], err
}

// items splits the array that Decode has found to be valid JSON.
func (p *Packet) items() ([]json.RawMessage, error) {
	decoder := json.NewDecoder(bytes.NewReader(p.Data))
	if open, err := decoder.Token(); err != nil || open != json.Delim('[') {
		return nil, malformed("EVENT payload is not an array")
	}
	var items []json.RawMessage
	for decoder.More() {
		if len(items) == MaxArguments {
			return nil, malformed("more than %d arguments", MaxArguments)
		}
		var item json.RawMessage
		if err := decoder.Decode(&item); err != nil {
			return nil, malformed("bad argument")
		}
		items = append(items, item)
	}
	if _, err := decoder.Token(); err != nil || len(items) == 0 {
		return nil, malformed("EVENT payload is not a non-empty array")
	}
	return items, nil
}

// firstString reads the JSON string at the start of text and returns it with the rest.
func firstString(text []byte) (string, []byte, error) {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			var s string
			if err := json.Unmarshal(text[:i+1], &s); err != nil {
				return "", nil, malformed("bad string")
			}
			return s, text[i+1:], nil
		}
	}
	return "", nil, malformed("unterminated string")
}

// CheckPlaceholders verifies that every {"_placeholder":true,"num":n} of a binary
// packet points at one of its attachments. Unused attachments and repeated numbers are
// fine; a number out of range is not: it has crashed parsers that index with it. In
// other types such objects are ordinary data.
func (p *Packet) CheckPlaceholders() error {
	if p.Type != BinaryEvent && p.Type != BinaryAck {
		return nil
	}
	if !bytes.Contains(p.Data, []byte("_placeholder")) && !bytes.Contains(p.Data, []byte(`\u`)) {
		return nil
	}
	var root any
	decoder := json.NewDecoder(bytes.NewReader(p.Data))
	decoder.UseNumber()
	if err := decoder.Decode(&root); err != nil {
		return malformed("payload is not one JSON value")
	}
	return p.walkPlaceholders(root)
}

func (p *Packet) walkPlaceholders(value any) error {
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			if err := p.walkPlaceholders(item); err != nil {
				return err
			}
		}
	case map[string]any:
		if v["_placeholder"] == true {
			return p.checkPlaceholder(v["num"])
		}
		for _, item := range v {
			if err := p.walkPlaceholders(item); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *Packet) checkPlaceholder(num any) error {
	number, ok := num.(json.Number)
	if !ok {
		return malformed("placeholder without a number")
	}
	digits := []byte(number.String())
	index, ok := parseDecimal(digits, MaxAttachments)
	if leadingDigits(digits) != len(digits) || !ok || int(index) >= p.Attachments { //nolint:gosec // of few digits
		return malformed("placeholder %s of %d attachments", number, p.Attachments)
	}
	return nil
}
