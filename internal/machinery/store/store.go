package store

import (
	"context"
	"database/sql"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Dialect names the database in use, for the few places where SQL differs.
type Dialect string

const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// DB is a handle on one database, safe for concurrent use.
type DB struct {
	dialect Dialect
	log     *slog.Logger
	engine  engine
	outer   *sql.DB       // for the library that migrates
	pool    *pgxpool.Pool // PostgreSQL only
	waker   *waker
	inside  sync.Map // goroutine id → *Tx whose function it is running
	closed  atomic.Bool
	stats   counters
}

// engine is what differs between the two databases.
type engine interface {
	write(ctx context.Context, fn func(*Tx) error) error
	read(ctx context.Context, fn func(*Tx) error) error
	readOne(ctx context.Context, fn func(*Tx) error) error
	moment(ctx context.Context) int64
	gauges(*Stats)
	close() error
}

// Open opens the database that url names: "sqlite:/path/roadbed.db" (made when absent, with its folder) or
// "postgres://…". It fails with fault.Invalid for another scheme and fault.Unavailable when the database
// does not answer. It does not migrate.
func Open(ctx context.Context, url string, log *slog.Logger) (*DB, error) {
	db := &DB{log: log, waker: newWaker()}
	scheme, rest, _ := strings.Cut(url, ":")
	var err error
	switch scheme {
	case "sqlite":
		db.dialect = SQLite
		err = db.openSQLite(ctx, rest)
	case "postgres", "postgresql":
		db.dialect = Postgres
		err = db.openPostgres(ctx, url)
	default:
		err = fault.Errorf(fault.Invalid, "write sqlite:/path/roadbed.db or postgres://…, not a %q address", scheme)
	}
	if err != nil {
		return nil, fault.Wrap(err, "open database")
	}
	return db, nil
}

// Close waits for what runs and closes the database. Later calls fail with fault.Unavailable.
func (db *DB) Close() error {
	if !db.closed.CompareAndSwap(false, true) {
		return nil
	}
	return fault.Wrap(db.engine.close(), "close database")
}

// Dialect tells which database is in use.
func (db *DB) Dialect() Dialect { return db.dialect }

// Pgx gives the pool of PostgreSQL connections, nil on SQLite.
func (db *DB) Pgx() *pgxpool.Pool { return db.pool }

// Write runs fn in a transaction and commits it; an error or panic of fn undoes its work and nobody else's.
// When ctx ends before fn starts, fn is not run; when it ends before fn returns, its work is undone.
// fn must have no outside effect: PostgreSQL runs it again after a serialization failure or deadlock.
// Errors: what fn returns; fault.Unavailable when the commit fails; fault.Internal inside another Write.
func (db *DB) Write(ctx context.Context, fn func(tx *Tx) error) error {
	if err := db.ready(ctx); err != nil {
		return err
	}
	if outer := db.current(); outer != nil && outer.writes {
		return fault.Errorf(fault.Internal, "write: already inside a Write; hand its tx down instead of calling Write again")
	}
	if also, ok := ctx.Value(alongKey{}).(func(*Tx) error); ok && also != nil {
		work := fn
		fn = func(tx *Tx) error {
			if err := work(tx); err != nil {
				return err
			}
			return also(tx)
		}
	}
	return db.engine.write(ctx, fn)
}

type alongKey struct{}

// Along gives a context whose every Write also does fn, after its own work and in the same transaction; nil ends that.
func Along(ctx context.Context, fn func(tx *Tx) error) context.Context {
	return context.WithValue(ctx, alongKey{}, fn)
}

type longKey struct{}

// Long gives a context whose Writes take long, such as those of many rows: on SQLite no other's commit waits for one that came
// after it, on PostgreSQL its statements are planned for what there is now.
func Long(ctx context.Context) context.Context { return context.WithValue(ctx, longKey{}, true) }

func isLong(ctx context.Context) bool { return ctx.Value(longKey{}) != nil }

type followedKey struct{}

// Followed gives a context whose Writes are each followed by another at once, such as of a request whose answer is kept: on
// SQLite a long one that waits lets that pass, for some milliseconds, so that the request waits for one long write and not for
// one between each two of its own.
func Followed(ctx context.Context) context.Context {
	return context.WithValue(ctx, followedKey{}, true)
}

func isFollowed(ctx context.Context) bool { return ctx.Value(followedKey{}) != nil }

type aheadKey struct{}

// Ahead gives a context whose Writes are short and go before all others that wait, and that on SQLite are committed at once
// and not with those who come after them: for what many wait for, such as the handing out of work. How many of them there are
// at a time must be bounded by something else.
func Ahead(ctx context.Context) context.Context { return context.WithValue(ctx, aheadKey{}, true) }

func isAhead(ctx context.Context) bool { return ctx.Value(aheadKey{}) != nil }

// Read runs fn on one consistent, read-only snapshot; it never waits for a writer. Called inside Write or
// Read it joins that transaction, and so sees its uncommitted changes.
func (db *DB) Read(ctx context.Context, fn func(tx *Tx) error) error {
	return db.joining(ctx, fn, db.engine.read)
}

// ReadOne is Read of one query, which costs PostgreSQL nothing beside it; another one in it fails, but in a transaction that it
// joins.
func (db *DB) ReadOne(ctx context.Context, fn func(tx *Tx) error) error {
	return db.joining(ctx, fn, db.engine.readOne)
}

// joining reads in the transaction of this goroutine, or by read where there is none.
func (db *DB) joining(ctx context.Context, fn func(tx *Tx) error, read func(context.Context, func(*Tx) error) error) error {
	if err := db.ready(ctx); err != nil {
		return err
	}
	if outer := db.current(); outer != nil {
		return fn(outer)
	}
	db.stats.reads.Add(1)
	return read(ctx, fn)
}

// ReadCommitted is Read that does not join a Write: it sees nothing but what was committed, so that it can be kept.
func (db *DB) ReadCommitted(ctx context.Context, fn func(tx *Tx) error) error {
	if outer := db.current(); outer == nil || !outer.writes {
		return db.Read(ctx, fn)
	}
	if err := db.ready(ctx); err != nil {
		return err
	}
	db.stats.reads.Add(1)
	return db.engine.read(ctx, fn)
}

func (db *DB) ready(ctx context.Context) error {
	if db.closed.Load() {
		return errClosed()
	}
	return ctx.Err()
}

func errClosed() error { return fault.Errorf(fault.Unavailable, "the database is closed") }

// run calls fn as the work of this goroutine, so that nested calls are recognised.
func (db *DB) run(tx *Tx, fn func(*Tx) error) error {
	id := goroutine()
	outer, nested := db.inside.Swap(id, tx)
	defer func() {
		if nested {
			db.inside.Store(id, outer)
		} else {
			db.inside.Delete(id)
		}
	}()
	defer tx.finish()
	return fn(tx)
}

func (db *DB) current() *Tx {
	tx, _ := db.inside.Load(goroutine())
	t, _ := tx.(*Tx)
	return t
}

// committed runs the hooks of a transaction. A panic in a hook is logged: the commit can't be undone by it.
// A hook that calls Write or Read gets an error: on SQLite it would wait for itself.
func (db *DB) committed(hooks []func()) {
	if len(hooks) == 0 {
		return
	}
	id := goroutine()
	db.inside.Store(id, &Tx{db: db, writes: true, done: true})
	defer db.inside.Delete(id)
	for _, hook := range hooks {
		func() {
			defer func() {
				if p := recover(); p != nil {
					db.log.Error("a function that waited for a commit panicked", "panic", p)
				}
			}()
			hook()
		}()
	}
}

// Micros gives t as microseconds since the epoch, 0 for the zero time.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// FromMicros gives the time of n microseconds since the epoch in UTC, the zero time for 0.
func FromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}
