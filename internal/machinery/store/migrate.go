package store

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"regexp"

	"github.com/pressly/goose/v3"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Migrations are the numbered *.sql files of one room, in goose's format, at the root of FS.
type Migrations struct {
	Room string // names the version table
	FS   fs.FS
}

// migrationLock is the advisory lock under which one server migrates while the others wait.
const migrationLock = 7_206_302_001

var roomName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,40}$`)

// Migrate brings the tables of each room to its newest version, in order. Each file is one transaction.
func (db *DB) Migrate(ctx context.Context, rooms ...Migrations) error {
	if db.pool != nil {
		conn, err := db.pool.Acquire(ctx)
		if err != nil {
			return fault.Wrap(translate(err), "migrate")
		}
		defer conn.Release()
		if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", int64(migrationLock)); err != nil {
			return fault.Wrap(translate(err), "migrate: wait for another server")
		}
		defer conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(migrationLock))
	}
	for _, room := range rooms {
		if err := db.migrate(ctx, room); err != nil {
			return fault.Wrap(translate(err), "migrate %s", room.Room)
		}
	}
	return nil
}

func (db *DB) migrate(ctx context.Context, room Migrations) error {
	if !roomName.MatchString(room.Room) {
		return fault.Errorf(fault.Internal, "%q can't be part of a table's name", room.Room)
	}
	dialect, files := goose.DialectSQLite3, room.FS
	if db.dialect == Postgres {
		dialect, files = goose.DialectPostgres, postgresFS{room.FS}
	}
	provider, err := goose.NewProvider(dialect, db.outer, files,
		goose.WithTableName("migrations_"+room.Room), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	results, err := provider.Up(ctx)
	for _, r := range results {
		if r.Error == nil {
			db.log.Debug("migrated", "room", room.Room, "version", r.Source.Version, "took", r.Duration)
		}
	}
	return err
}

// postgresFS gives the files with SQLite's word for bytes replaced by PostgreSQL's.
type postgresFS struct{ fs.FS }

var blobWord = regexp.MustCompile(`(?i)\bBLOB\b`)

func (p postgresFS) Open(name string) (fs.File, error) {
	file, err := p.FS.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil || info.IsDir() {
		return file, err
	}
	data, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	return &rewritten{File: file, Reader: bytes.NewReader(blobWord.ReplaceAll(data, []byte("BYTEA")))}, nil
}

type rewritten struct {
	fs.File
	*bytes.Reader
}

func (r *rewritten) Read(p []byte) (int, error) { return r.Reader.Read(p) }
