package event

import (
	"errors"
	"strconv"
	"strings"
)

// MaxEpoch bounds an epoch's length in characters.
const MaxEpoch = 32

// ErrBadPosition is returned for text that no Roomcast instance wrote as a position.
var ErrBadPosition = errors.New("must be a position as an earlier answer or update gave it")

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

// Offset is what a client that can continue its session keeps of the last event it got:
// where it stands in all of its rooms, and which answers it has got.
type Offset struct {
	Position
	// Joins is how many of the session's joins were answered by then. It is 0 in what a
	// room's members share: such an offset is past the position of every join answered
	// before it, and needs no count.
	Joins uint64
}

// String is the form clients see, "<epoch>:<sequence>" or "<epoch>:<sequence>.<joins>",
// opaque to them; empty for the zero offset.
func (o Offset) String() string {
	switch {
	case o.IsZero():
		return ""
	case o.Joins == 0:
		return o.Position.String()
	}
	return o.Position.String() + "." + strconv.FormatUint(o.Joins, 10)
}

// ParseOffset reads what String wrote, but for the zero offset, or fails with
// ErrBadPosition.
func ParseOffset(text string) (Offset, error) {
	// The first dot behind the colon: an epoch may hold dots.
	epoch, place, _ := strings.Cut(text, ":")
	digits, count, counted := strings.Cut(place, ".")
	position, err := ParsePosition(epoch + ":" + digits)
	if err != nil || !counted {
		return Offset{Position: position}, err
	}
	joins, err := strconv.ParseUint(count, 10, 63)
	if err != nil || joins == 0 || leadingZero(count) {
		return Offset{}, ErrBadPosition
	}
	return Offset{Position: position, Joins: joins}, nil
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
