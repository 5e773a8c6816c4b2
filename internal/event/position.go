package event

import (
	"errors"
	"strconv"
	"strings"
)

// MaxEpoch bounds an epoch's length in characters.
const MaxEpoch = 32

// ErrBadPosition is returned for text that no Roomcast instance wrote as a position.
var ErrBadPosition = errors.New("must be a position as an earlier answer gave it")

// Position is a place in the channel's one sequence. Sequences of different epochs
// cannot be compared. The zero Position stands for events outside the sequence.
type Position struct {
	Epoch    string
	Sequence uint64
}

// IsZero reports whether p lies outside any sequence.
func (p Position) IsZero() bool { return p.Epoch == "" }

// String is the form clients see, "<epoch>:<sequence>", opaque to them.
func (p Position) String() string {
	return p.Epoch + ":" + strconv.FormatUint(p.Sequence, 10)
}

func (p Position) append(dst []byte) []byte {
	dst = append(append(dst, p.Epoch...), ':')
	return strconv.AppendUint(dst, p.Sequence, 10)
}

// ParsePosition reads what String wrote, or fails with ErrBadPosition.
func ParsePosition(text string) (Position, error) {
	epoch, digits, found := strings.Cut(text, ":")
	if !found || !validEpoch(epoch) || leadingZero(digits) {
		return Position{}, ErrBadPosition
	}
	sequence, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return Position{}, ErrBadPosition
	}
	return Position{Epoch: epoch, Sequence: sequence}, nil
}

// leadingZero refuses a second text for the same place: what clients keep and compare
// is the text.
func leadingZero(digits string) bool { return len(digits) > 1 && digits[0] == '0' }

func validEpoch(epoch string) bool {
	if epoch == "" || len(epoch) > MaxEpoch {
		return false
	}
	for i := 0; i < len(epoch); i++ {
		if !unreserved(epoch[i]) {
			return false
		}
	}
	return true
}
