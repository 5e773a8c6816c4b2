package hub

import "errors"

var (
	// ErrUnavailable is wrapped by errors that say the store cannot be reached or this
	// instance is deaf: a publication accepted now might not be heard, a seat taken now
	// might miss events. Trying again later may succeed.
	ErrUnavailable = errors.New("the channel is unavailable")

	// ErrTooManyRooms refuses a member that holds as many seats as it may.
	ErrTooManyRooms = errors.New("too many rooms for one session")

	// ErrBusy refuses a member that asks faster than it is answered.
	ErrBusy = errors.New("too many requests under way")
)
