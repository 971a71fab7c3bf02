package store

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Each setting with its reason:
// synchronous FULL: docs/adr/0001-sqlite-synchronous.md; busy_timeout: other processes (backup, migrate) may hold
// the file for a moment; journal_size_limit: the log shrinks again after a burst.
var pragmas = []string{
	"busy_timeout(10000)", "foreign_keys(1)", "journal_mode(WAL)", "synchronous(FULL)",
	"temp_store(MEMORY)", "cache_size(-16000)", "journal_size_limit(67108864)",
}

// Those who commit leave it to checkpoints to move the log into the file.
var writePragmas = append(slices.Clone(pragmas), "wal_autocheckpoint("+strconv.Itoa(mostInLog)+")")

// Migrations need not wait for the disk: what a loss of power takes of them is done again at the next start, and nothing that
// follows is on the disk before them.
var migratePragmas = append(slices.Clone(pragmas), "synchronous(NORMAL)")

var readPragmas = []string{"busy_timeout(10000)", "query_only(1)", "temp_store(MEMORY)", "cache_size(-8000)"}

// lite is SQLite: one connection that writes, several that read.
type lite struct {
	db      *DB
	writers *sql.DB
	readers *sql.DB
	idle    chan *link // readers that are free; its capacity bounds them
	writer  *writer
	closed  chan struct{}
	moved   chan struct{} // closed: checkpoints has ended
	failed  bool          // the last checkpoint did, which was said
}

func (db *DB) openSQLite(ctx context.Context, path string) error {
	path = strings.TrimPrefix(path, "//")
	if path == "" || strings.HasPrefix(path, ":") || strings.Contains(path, "?") {
		return fault.Errorf(fault.Invalid, "write sqlite:/path/roadbed.db, with a path to a file and nothing behind it")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fault.Errorf(fault.Unavailable, "make its folder: %w", err)
	}
	// Made here so that nobody else can read it; SQLite gives its log the same mode.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fault.Errorf(fault.Unavailable, "open its file: %w", err)
	}
	file.Close()

	l := &lite{db: db, closed: make(chan struct{}), moved: make(chan struct{})}
	if l.writers, err = sql.Open("sqlite", address(path, "rw", "immediate", writePragmas)); err != nil {
		return err
	}
	l.writers.SetMaxOpenConns(1)
	l.writers.SetConnMaxIdleTime(0)
	if l.readers, err = sql.Open("sqlite", address(path, "ro", "deferred", readPragmas)); err != nil {
		return errors.Join(err, l.writers.Close())
	}
	if db.outer, err = sql.Open("sqlite", address(path, "rw", "immediate", migratePragmas)); err != nil {
		return errors.Join(err, l.writers.Close(), l.readers.Close())
	}
	db.outer.SetMaxOpenConns(4)
	l.writer, err = startWriter(ctx, db, func(ctx context.Context) (*link, error) { return open(ctx, l.writers) })
	if err != nil {
		return errors.Join(translate(err), l.writers.Close(), l.readers.Close(), db.outer.Close())
	}
	l.idle = make(chan *link, max(4, 2*runtime.GOMAXPROCS(0)))
	for range cap(l.idle) {
		l.idle <- nil // opened when first wanted
	}
	db.engine = l
	go l.checkpoints()
	return nil
}

func address(path, mode, lock string, pragmas []string) string {
	query := url.Values{"mode": {mode}, "_txlock": {lock}, "_pragma": pragmas}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + query.Encode()
}

func (l *lite) write(ctx context.Context, fn func(*Tx) error) error { return l.writer.write(ctx, fn) }

func (l *lite) readOne(ctx context.Context, fn func(*Tx) error) error {
	return l.read(ctx, func(tx *Tx) error {
		tx.one = true
		return fn(tx)
	})
}

func (l *lite) read(ctx context.Context, fn func(*Tx) error) (err error) {
	var reader *link
	select {
	case reader = <-l.idle:
	case <-ctx.Done():
		return ctx.Err()
	case <-l.closed:
		return errClosed()
	}
	defer func() { l.idle <- reader }()
	if reader == nil {
		if reader, err = open(ctx, l.readers); err != nil {
			return translate(err)
		}
	}
	background := context.Background()
	if _, err := reader.exec(background, "BEGIN DEFERRED", nil); err != nil {
		return translate(err)
	}
	defer func() {
		if _, end := reader.exec(background, "ROLLBACK", nil); end != nil {
			reader.discard()
			reader = nil
		}
	}()
	tx := &Tx{db: l.db, link: reader}
	if reader.handle != 0 && ctx.Done() != nil {
		tx.guarded = ctx
		defer reader.guard(ctx)()
	}
	return l.db.run(tx, fn)
}

func open(ctx context.Context, pool *sql.DB) (*link, error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return newLink(conn), nil
}

func (l *lite) close() error {
	l.writer.stop()
	<-l.moved
	close(l.closed)
	var errs []error
	for range cap(l.idle) {
		if reader := <-l.idle; reader != nil {
			errs = append(errs, reader.close())
		}
	}
	return errors.Join(append(errs, l.readers.Close(), l.db.outer.Close(), l.writers.Close())...)
}
