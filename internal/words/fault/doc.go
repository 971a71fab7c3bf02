// Package fault is the one vocabulary of errors, from SQL to HTTP status and exit code.
//
// An error that a caller may act on carries a Kind. Anything else is Internal: it is logged in full,
// and the user sees only that something went wrong inside.
package fault
