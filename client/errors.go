package client

import "github.com/roadbed-dev/roadbed/internal/words/fault"

// Error is what the server refused, or that it does not answer: its kind, a message for people, and in Details the places
// of the input that are wrong. Get it by errors.As; for its kind alone KindOf is enough.
type Error = fault.Error

// Detail is one place in the input with what is wrong there and what to do.
type Detail = fault.Detail

// Kind says what a caller can do about an error.
type Kind = fault.Kind

// The kinds of errors, each with the status of HTTP that brings it.
const (
	Internal        = fault.Internal        // 500 and what has no kind: a defect, or a broken machine
	Invalid         = fault.Invalid         // 400, 422: the input is wrong; Details say where
	Unauthenticated = fault.Unauthenticated // 401: no token, or one that is not valid or has ended
	Denied          = fault.Denied          // 403: signed in, but without the right
	NotFound        = fault.NotFound        // 404: it does not exist, or the caller may not know that it does
	Conflict        = fault.Conflict        // 409: it is in a state in which this can't be done; 424: a forge does not take the server's credentials
	Stale           = fault.Stale           // 412: it is no longer as it was seen; see Client.When
	TooLarge        = fault.TooLarge        // 413: over a limit of size
	Exhausted       = fault.Exhausted       // 429: over a limit of rate or count; later may work
	Unavailable     = fault.Unavailable     // 502, 503, 504, or no answer at all: later may work
	Canceled        = fault.Canceled        // 499, and a context that has ended
)

// KindOf gives the kind of an error of this package; Internal for any other.
func KindOf(err error) Kind { return fault.KindOf(err) }
