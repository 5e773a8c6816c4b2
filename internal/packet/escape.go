package packet

import (
	"unicode/utf16"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// AppendASCII appends JSON text with every non-ASCII character written as \uXXXX.
// Revision-4 peers get their JSON so: their length prefixes count UTF-16 units in one
// payload form and bytes in the other, and 1.x clients expect doubly encoded UTF-8;
// pure ASCII means the same in all of them. Invalid UTF-8 becomes U+FFFD.
func AppendASCII(dst, json []byte) []byte {
	for i := 0; i < len(json); {
		if c := json[i]; c < utf8.RuneSelf {
			dst = append(dst, c)
			i++
			continue
		}
		r, size := utf8.DecodeRune(json[i:])
		i += size
		if r > 0xFFFF {
			high, low := utf16.EncodeRune(r)
			dst = appendEscape(appendEscape(dst, high), low)
			continue
		}
		dst = appendEscape(dst, r)
	}
	return dst
}

func appendEscape(dst []byte, r rune) []byte {
	return append(dst, '\\', 'u', hexDigits[r>>12&0xF], hexDigits[r>>8&0xF], hexDigits[r>>4&0xF], hexDigits[r&0xF])
}
