package engineio

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// A payload is several packets in one HTTP body. Revision 4 joins them with a separator;
// revision 3 gives each its length, in one of two forms.

// separator stands between the packets of a revision-4 payload. JSON text never holds it.
const separator = 0x1e

// appendPayload joins packets given as text.
func appendPayload(dst []byte, revision Revision, packets [][]byte) []byte {
	for i, packet := range packets {
		if revision == V3 {
			dst = strconv.AppendInt(dst, int64(utf16Length(packet)), 10)
			dst = append(dst, ':')
		} else if i > 0 {
			dst = append(dst, separator)
		}
		dst = append(dst, packet...)
	}
	return dst
}

// payload reads the packets of a body one by one, so that those before a bad one count.
type payload struct {
	revision Revision
	binary   bool // revision 3: the length-prefixed binary form
	rest     []byte
	done     bool
}

func newPayload(revision Revision, binary bool, body []byte) *payload {
	return &payload{revision: revision, binary: binary, rest: body}
}

// next returns the next packet, or more=false at the end of the payload.
func (p *payload) next() (packet incoming, more bool, err error) {
	switch {
	case p.revision == V4:
		return p.nextSeparated()
	case p.binary:
		return p.nextBinary()
	}
	return p.nextCounted()
}

// nextSeparated reads a revision-4 packet. An empty body, a doubled or a trailing
// separator all mean an empty packet, which is malformed.
func (p *payload) nextSeparated() (incoming, bool, error) {
	if p.done {
		return incoming{}, false, nil
	}
	text := p.rest
	if i := bytes.IndexByte(p.rest, separator); i >= 0 {
		text, p.rest = p.rest[:i], p.rest[i+1:]
	} else {
		p.done = true
	}
	packet, err := decodeText(V4, text)
	return packet, true, err
}

// nextCounted reads "<length>:<packet>" of revision 3. The length counts UTF-16 code
// units, as JavaScript strings do.
func (p *payload) nextCounted() (incoming, bool, error) {
	for {
		if end, err := p.ended(); end {
			return incoming{}, err != nil, err
		}
		length, err := p.takeLength()
		if err != nil {
			return incoming{}, true, err
		}
		if length == 0 {
			continue // the reference skips "0:"
		}
		size, ok := bytesOfUTF16(p.rest, length)
		if !ok {
			return incoming{}, true, fmt.Errorf("%w: length beyond the payload", errMalformed)
		}
		text := p.rest[:size]
		p.rest = p.rest[size:]
		packet, err := decodeText(V3, text)
		return packet, true, err
	}
}

// ended reports the end of a revision-3 payload, which is an error in an empty one.
func (p *payload) ended() (bool, error) {
	empty := !p.done
	p.done = true // from now on it is known to have held something, or to have been refused
	switch {
	case len(p.rest) > 0:
		return false, nil
	case empty:
		return true, fmt.Errorf("%w: empty payload", errMalformed)
	}
	return true, nil
}

// maxLengthDigits bounds a length prefix: bodies are bounded far below it.
const maxLengthDigits = 9

func (p *payload) takeLength() (int, error) {
	colon := bytes.IndexByte(p.rest[:min(len(p.rest), maxLengthDigits+1)], ':')
	if colon <= 0 {
		return 0, fmt.Errorf("%w: length prefix missing", errMalformed)
	}
	digits := p.rest[:colon]
	if colon > 1 && digits[0] == '0' {
		return 0, fmt.Errorf("%w: length with leading zero", errMalformed)
	}
	length := 0
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, fmt.Errorf("%w: length is not a number", errMalformed)
		}
		length = length*10 + int(d-'0')
	}
	p.rest = p.rest[colon+1:]
	return length, nil
}

// nextBinary reads revision 3's binary form: 00 (text) or 01 (bytes), the length in bytes
// as raw digits 0 to 9, ff, then the packet.
func (p *payload) nextBinary() (incoming, bool, error) {
	if end, err := p.ended(); end {
		return incoming{}, err != nil, err
	}
	kind := p.rest[0]
	length, used := 0, 1
	for used < len(p.rest) && p.rest[used] <= 9 && used <= maxLengthDigits {
		length = length*10 + int(p.rest[used])
		used++
	}
	if kind > 1 || used == 1 || used == len(p.rest) || p.rest[used] != 0xff || length > len(p.rest)-used-1 {
		return incoming{}, true, fmt.Errorf("%w: bad binary payload header", errMalformed)
	}
	body := p.rest[used+1 : used+1+length]
	p.rest = p.rest[used+1+length:]
	if kind == 1 {
		packet, err := decodeBinary(V3, body)
		return packet, true, err
	}
	packet, err := decodeText(V3, body)
	return packet, true, err
}

// utf16Length counts the UTF-16 code units of UTF-8 text.
func utf16Length(text []byte) int {
	length := 0
	for i := 0; i < len(text); {
		if text[i] < utf8.RuneSelf {
			i++
			length++
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		i += size
		length++
		if r > 0xFFFF {
			length++
		}
	}
	return length
}

// bytesOfUTF16 returns how many bytes of text hold the given number of UTF-16 units; not
// ok when there are too few, or when the count ends inside a character.
func bytesOfUTF16(text []byte, units int) (int, bool) {
	i := 0
	for units > 0 {
		if i >= len(text) {
			return 0, false
		}
		r, size := utf8.DecodeRune(text[i:])
		i += size
		units--
		if r > 0xFFFF {
			units--
		}
	}
	return i, units == 0
}
