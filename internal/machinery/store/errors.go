package store

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	conflict = "something with that name or id exists already, or something else still refers to it"
	fullDisk = "the disk of the database is full; free some space and try again"
	busy     = "the database is busy; try again"
	silent   = "the database does not answer; try again"
	broken   = "the disk of the database fails; look at the server's log"
)

// translate gives err the kind that tells a caller what to do; a defect stays fault.Internal.
func translate(err error) error {
	var known *fault.Error
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, sql.ErrNoRows), errors.Is(err, pgx.ErrNoRows):
		return &fault.Error{Kind: fault.NotFound, Message: "no such row", Err: err}
	}
	kind, message := classify(err)
	if kind == fault.Internal {
		return err
	}
	return &fault.Error{Kind: kind, Message: message, Err: err}
}

func classify(err error) (fault.Kind, string) {
	if lite := (*sqlite.Error)(nil); errors.As(err, &lite) {
		return classifySQLite(lite.Code())
	}
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) {
		return classifyPostgres(pg.Code)
	}
	var connect *pgconn.ConnectError
	var network net.Error
	if errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err) ||
		errors.Is(err, net.ErrClosed) || strings.Contains(err.Error(), "unexpected EOF") ||
		strings.Contains(err.Error(), "conn closed") || strings.Contains(err.Error(), "closed pool") {
		return fault.Unavailable, silent
	}
	return fault.Internal, ""
}

func classifySQLite(code int) (fault.Kind, string) {
	switch code {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID,
		sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return fault.Conflict, conflict
	}
	switch code & 0xff {
	case sqlite3.SQLITE_FULL:
		return fault.Unavailable, fullDisk
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fault.Unavailable, busy
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return fault.Unavailable, broken
	case sqlite3.SQLITE_TOOBIG:
		return fault.TooLarge, "the value is too large for the database"
	case sqlite3.SQLITE_INTERRUPT:
		return fault.Canceled, "the request was canceled"
	}
	return fault.Internal, ""
}

// Codes: PostgreSQL documentation, appendix A.
func classifyPostgres(code string) (fault.Kind, string) {
	switch code {
	case "23505", "23503":
		return fault.Conflict, conflict
	case "40001", "40P01", "55P03":
		return fault.Unavailable, busy
	case "53100":
		return fault.Unavailable, fullDisk
	case "58030":
		return fault.Unavailable, broken
	case "57014":
		return fault.Canceled, "the request was canceled"
	case "54000":
		return fault.TooLarge, "the value is too large for the database"
	}
	switch {
	case strings.HasPrefix(code, "08"), strings.HasPrefix(code, "53"), strings.HasPrefix(code, "57P"),
		strings.HasPrefix(code, "28"), code == "25006":
		return fault.Unavailable, silent
	}
	return fault.Internal, ""
}

// retryable tells whether PostgreSQL asks to run the whole transaction again.
func retryable(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}
