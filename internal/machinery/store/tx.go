package store

import (
	"context"
	"database/sql"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Tx is a running transaction. It belongs to the function it was given to and is used by one goroutine.
type Tx struct {
	db      *DB
	writes  bool
	link    *link           // SQLite
	guarded context.Context // SQLite, reading: its end interrupts the statements; nil when it does not
	sql     *sql.Tx         // SQLite, writing
	pgx     pgxTx           // PostgreSQL
	one     bool            // of ReadOne
	asked   bool            // of which it was
	open    *Rows           // not closed yet
	hooks   []func()
	wakes   map[string]bool
	again   bool // PostgreSQL asked for another attempt
	done    bool
}

// pgxTx is a pgx.Tx, or a connection that has begun none.
type pgxTx interface {
	Exec(ctx context.Context, query string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
	SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, from pgx.CopyFromSource) (int64, error)
}

// Exec runs a statement and gives the number of rows that it changed.
func (tx *Tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	args, err := tx.begin(ctx, args)
	if err != nil {
		return 0, err
	}
	if tx.one {
		return 0, errOne()
	}
	if tx.pgx != nil {
		tag, err := tx.pgx.Exec(ctx, query, args...)
		return tag.RowsAffected(), tx.ended(ctx, err)
	}
	n, err := tx.link.exec(tx.context(ctx), query, args)
	return n, tx.fault(err)
}

func errOne() error { return fault.Errorf(fault.Internal, "a ReadOne changes nothing") }

// Query runs a statement that gives rows. Close them before the next statement of tx; Collect does.
func (tx *Tx) Query(ctx context.Context, query string, args ...any) (*Rows, error) {
	args, err := tx.begin(ctx, args)
	if err != nil {
		return nil, err
	}
	rows := &Rows{tx: tx, ctx: ctx}
	if tx.pgx != nil {
		rows.pgx, err = tx.pgx.Query(ctx, query, args...)
	} else {
		rows.sql, err = tx.link.query(tx.context(ctx), query, args)
	}
	if err != nil {
		return nil, tx.ended(ctx, err)
	}
	tx.open = rows
	return rows, nil
}

// Row is one row that can be read.
type Row interface {
	// Scan reads the columns; where there is no row it fails with fault.NotFound.
	Scan(dest ...any) error
}

// QueryRow runs a statement that gives at most one row; errors come from its Scan, which must be called.
func (tx *Tx) QueryRow(ctx context.Context, query string, args ...any) Row {
	rows, err := tx.Query(ctx, query, args...)
	return single{rows, err}
}

type single struct {
	rows *Rows
	err  error
}

func (s single) Scan(dest ...any) error {
	if s.err != nil {
		return s.err
	}
	defer s.rows.Close()
	if !s.rows.Next() {
		if err := s.rows.Err(); err != nil {
			return err
		}
		return fault.Errorf(fault.NotFound, "no such row")
	}
	if err := s.rows.Scan(dest...); err != nil {
		return err
	}
	s.rows.Close()
	return s.rows.Err()
}

// Rows are the result of a query.
type Rows struct {
	tx  *Tx
	ctx context.Context
	sql *sql.Rows
	pgx pgx.Rows
}

// Next moves to the next row and tells whether there is one; then see Err.
func (r *Rows) Next() bool {
	if r.pgx != nil {
		return r.pgx.Next()
	}
	return r.sql.Next()
}

// Scan reads the columns of the row.
func (r *Rows) Scan(dest ...any) error {
	holders, settle := receivers(dest)
	var err error
	if r.pgx != nil {
		err = r.pgx.Scan(holders...)
	} else {
		err = r.sql.Scan(holders...)
	}
	if err != nil {
		return fault.Wrap(r.tx.ended(r.ctx, err), "read a row")
	}
	if settle != nil {
		settle()
	}
	return nil
}

// Err gives the error that ended the rows early.
func (r *Rows) Err() error {
	if r.pgx != nil {
		return r.tx.ended(r.ctx, r.pgx.Err())
	}
	return r.tx.fault(r.sql.Err())
}

// Close ends the rows; it may be called again.
func (r *Rows) Close() {
	if r.tx.open == r {
		r.tx.open = nil
	}
	if r.pgx != nil {
		r.pgx.Close()
		return
	}
	r.sql.Close() // its error is also that of Err
}

// OnCommit has fn run after a successful commit, in order. It must be quick and not block; it is for wakes.
func (tx *Tx) OnCommit(fn func()) { tx.hooks = append(tx.hooks, fn) }

// Dialect tells which database tx is on.
func (tx *Tx) Dialect() Dialect { return tx.db.dialect }

// ForUpdate gives the words that lock the rows of a SELECT until the commit; SQLite has one writer anyway.
func (tx *Tx) ForUpdate() string {
	if tx.db.dialect == Postgres && tx.writes {
		return " FOR UPDATE"
	}
	return ""
}

// SkipLocked is ForUpdate that leaves out rows that somebody else has locked.
func (tx *Tx) SkipLocked() string {
	if tx.db.dialect == Postgres && tx.writes {
		return " FOR UPDATE SKIP LOCKED"
	}
	return ""
}

// begin is what precedes every statement.
func (tx *Tx) begin(ctx context.Context, args []any) ([]any, error) {
	switch {
	case tx.done:
		return nil, fault.Errorf(fault.Internal, "the transaction has ended; don't keep its tx")
	case tx.open != nil:
		return nil, fault.Errorf(fault.Internal, "close the rows of the last query before the next statement")
	case tx.one && tx.asked:
		return nil, fault.Errorf(fault.Internal, "a ReadOne asks once; several statements need a Read to see the same")
	}
	tx.asked = true
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return arguments(args)
}

// context keeps a cancellation away from SQLite's writer: interrupting a statement there would undo the
// whole group. Write looks at ctx itself, between statements and before the commit. From a reader it is kept away where the
// transaction is interrupted by it anyway.
func (tx *Tx) context(ctx context.Context) context.Context {
	if tx.writes || tx.guarded != nil && ctx.Done() == tx.guarded.Done() {
		return context.WithoutCancel(ctx)
	}
	return ctx
}

func (tx *Tx) fault(err error) error {
	if err == nil {
		return nil
	}
	if retryable(err) {
		tx.again = true
	}
	err = translate(err)
	if tx.guarded != nil && tx.guarded.Err() != nil && fault.Is(err, fault.Canceled) {
		return tx.guarded.Err()
	}
	return err
}

// ended is fault of a statement whose ctx may have ended: pgx cuts the connection then, and may tell of that instead.
func (tx *Tx) ended(ctx context.Context, err error) error {
	err = tx.fault(err)
	if tx.pgx != nil && fault.Is(err, fault.Unavailable) && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// finish closes what the function has left open.
func (tx *Tx) finish() {
	if tx.open != nil {
		tx.open.Close()
	}
	tx.done = true
}

// Collect reads all rows and closes them: rows, err := tx.Query(…), then store.Collect(rows, err, scan).
func Collect[T any](rows *Rows, err error, scan func(Row) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// One reads one row; when there is none the fault.NotFound says what was looked for.
func One[T any](row Row, scan func(Row) (T, error), what string, args ...any) (T, error) {
	one, err := scan(row)
	if fault.Is(err, fault.NotFound) {
		return one, fault.Errorf(fault.NotFound, what+" does not exist", args...)
	}
	return one, err
}
