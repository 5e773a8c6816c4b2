package load

import (
	"bytes"
	"errors"
	"strconv"
	"time"
)

// origin is the zero of all times in publications; who publishes and who receives are one
// process.
var origin = time.Now()

// now is the time since origin in nanoseconds.
func now() int64 { return int64(time.Since(origin)) }

// appendData appends the JSON object that is published: the time when it was due, its number
// in its room, from 1, and padding up to a size. The names stand in the order of the alphabet
// because some servers put them so.
func appendData(dst []byte, number uint64, due int64, pad []byte) []byte {
	dst = strconv.AppendInt(append(dst, `{"at":`...), due, 10)
	dst = strconv.AppendUint(append(dst, `,"n":`...), number, 10)
	dst = append(append(dst, `,"pad":"`...), pad...)
	return append(dst, `"}`...)
}

// padding makes data as long as size bytes, or as short as it can be.
func padding(size int) []byte {
	return bytes.Repeat([]byte("x"), max(0, size-len(`{"at":1234567890123,"n":12345,"pad":""}`)))
}

var (
	dueIs    = []byte(`{"at":`)
	numberIs = []byte(`,"n":`)
)

var errNoData = errors.New("no data of a publisher")

// parseData finds data in what was delivered, without a parser of JSON: a load generator
// must cost less than the server that it loads.
func parseData(text []byte) (number uint64, due int64, err error) {
	at := bytes.Index(text, dueIs)
	if at < 0 {
		return 0, 0, errNoData
	}
	d, rest := digits(text[at+len(dueIs):])
	if !bytes.HasPrefix(rest, numberIs) {
		return 0, 0, errNoData
	}
	n, _ := digits(rest[len(numberIs):])
	return n, int64(d), nil //nolint:gosec // nanoseconds of one run
}

// digits reads a number and returns what is behind it.
func digits(text []byte) (value uint64, rest []byte) {
	i := 0
	for ; i < len(text) && text[i] >= '0' && text[i] <= '9'; i++ {
		value = value*10 + uint64(text[i]-'0')
	}
	return value, text[i:]
}
