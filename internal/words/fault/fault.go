package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// Kind says what a caller can do about an error.
type Kind uint8

const (
	Internal        Kind = iota // a defect or a broken machine; nothing the caller can mend
	Invalid                     // the input is wrong; Details say where and what to change
	Unauthenticated             // nobody is signed in, or the token is not valid
	Denied                      // signed in, but without the right
	NotFound                    // it does not exist, or the caller may not know that it does
	Conflict                    // it is in a state in which this can't be done
	Stale                       // If-Match names an older version
	TooLarge                    // over a limit of size
	Exhausted                   // over a limit of rate or count; later may work
	Unavailable                 // something that is needed does not answer; later may work
	Canceled                    // the caller went away or asked to stop
)

var names = [...]string{
	"internal", "invalid", "unauthenticated", "denied", "not found", "conflict",
	"stale", "too large", "exhausted", "unavailable", "canceled",
}

func (k Kind) String() string {
	if int(k) < len(names) {
		return names[k]
	}
	return "internal"
}

// Detail points at one place in the input and says what to change there.
type Detail struct {
	File    string // path within its repository or archive; empty for a request body
	Line    int    // from 1; 0 when unknown
	Column  int    // from 1; 0 when unknown
	Field   string // path within the document, such as spec.owner
	Message string // what is wrong
	Hint    string // what to do
}

func (d Detail) String() string {
	var b strings.Builder
	if d.File != "" {
		b.WriteString(d.File)
		b.WriteByte(':')
	}
	if d.Line > 0 {
		fmt.Fprintf(&b, "%d:", d.Line)
		if d.Column > 0 {
			fmt.Fprintf(&b, "%d:", d.Column)
		}
	}
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	if d.Field != "" {
		b.WriteString(d.Field)
		b.WriteString(": ")
	}
	b.WriteString(d.Message)
	if d.Hint != "" {
		b.WriteString(" (")
		b.WriteString(d.Hint)
		b.WriteByte(')')
	}
	return b.String()
}

// Error is an error of a known kind, with a message that may be shown to the user.
type Error struct {
	Kind    Kind
	Message string
	Details []Detail
	Err     error // the cause, for the log; may be nil
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Message)
	for _, d := range e.Details {
		b.WriteString("\n  ")
		b.WriteString(d.String())
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// Errorf gives an error of a kind. As with fmt.Errorf, %w keeps the cause.
func Errorf(kind Kind, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: kind, Message: err.Error(), Err: errors.Unwrap(err)}
}

// At gives an Invalid error that points at places in the input.
func At(message string, details ...Detail) error {
	return &Error{Kind: Invalid, Message: message, Details: details}
}

// Wrap says what was attempted and keeps the kind, the details and the cause of err; nil stays nil.
func Wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	message := fmt.Sprintf(format, args...)
	var known *Error
	if errors.As(err, &known) {
		return &Error{Kind: known.Kind, Message: message + ": " + known.Message, Details: known.Details, Err: err}
	}
	return fmt.Errorf("%s: %w", message, err)
}

// Foreign marks an error as what another server said to this one. When that is Unauthenticated, the caller's own sign-in
// is fine. The mark is below the known error, where those who look for that leave it.
func Foreign(err error) error {
	var known *Error
	if !errors.As(err, &known) {
		return foreign{err}
	}
	return &Error{Kind: known.Kind, Message: known.Message, Details: known.Details, Err: foreign{err}}
}

// IsForeign tells whether another server said err.
func IsForeign(err error) bool { return errors.As(err, new(foreign)) }

type foreign struct{ error }

func (f foreign) Unwrap() error { return f.error }

// KindOf gives the kind of err. A cancelled or timed-out context counts as Canceled, a full disk as Unavailable.
func KindOf(err error) Kind {
	var known *Error
	switch {
	case errors.As(err, &known):
		return known.Kind
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Canceled
	case full(err):
		return Unavailable
	}
	return Internal
}

func full(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// Is tells whether err is of a kind.
func Is(err error, kind Kind) bool { return err != nil && KindOf(err) == kind }

// Message gives what may be shown to the user: the message of a known error, and for anything else
// only that it is internal.
func Message(err error) string {
	var known *Error
	if errors.As(err, &known) && known.Kind != Internal {
		return known.Message
	}
	switch KindOf(err) {
	case Canceled:
		return "the request was canceled or took too long"
	case Unavailable:
		return "a disk of the server is full; free some space and try again"
	}
	return "internal error; the server's log has the details"
}

// Details gives the places that err points at.
func Details(err error) []Detail {
	var known *Error
	if errors.As(err, &known) {
		return known.Details
	}
	return nil
}
