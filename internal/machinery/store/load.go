package store

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Load makes the tables of the rooms as they were when a dump was written, and fills them with it, all or nothing;
// Migrate then brings them up to date. It gives the number of rows. The database must be empty, else it is a
// fault.Conflict; a dump that is damaged, or of a newer version, is fault.Invalid.
func (db *DB) Load(ctx context.Context, r io.Reader, rooms ...Migrations) (rows int64, err error) {
	in := &dumpReader{lines: bufio.NewReaderSize(r, 1<<20)}
	head, err := in.head()
	if err != nil {
		return 0, fault.Wrap(err, "load the database")
	}
	for name := range head.Rooms {
		if !slices.ContainsFunc(rooms, func(m Migrations) bool { return m.Room == name }) {
			return 0, fault.Errorf(fault.Invalid, "load the database: the dump has tables of %s, which this version does not know; use the version that wrote it, or a newer one", name)
		}
	}
	err = db.Read(ctx, func(tx *Tx) error {
		tables, err := tablesOf(ctx, tx)
		if err == nil && len(tables) > 0 {
			err = fault.Errorf(fault.Conflict, "the database is not empty (it has a table %s); name a new one", tables[0])
		}
		return err
	})
	if err != nil {
		return 0, fault.Wrap(err, "load the database")
	}
	if err := db.migrateTo(ctx, head.Rooms, rooms); err != nil {
		return 0, fault.Wrap(err, "load the database")
	}
	begun := false
	err = db.Write(ctx, func(tx *Tx) error {
		if begun {
			return fault.Errorf(fault.Unavailable, "the database asked for another attempt; load into a new one")
		}
		begun = true
		rows, err = load(ctx, tx, in)
		return err
	})
	return rows, fault.Wrap(err, "load the database")
}

// load replaces what the migrations themselves have put into the tables.
func load(ctx context.Context, tx *Tx, in *dumpReader) (rows int64, err error) {
	tables, err := tablesOf(ctx, tx)
	if err != nil {
		return 0, err
	}
	if tx.Dialect() == SQLite { // rows of one table may refer to each other in any order
		if _, err := tx.Exec(ctx, "PRAGMA defer_foreign_keys = ON"); err != nil {
			return 0, err
		}
	}
	for _, t := range slices.Backward(tables) {
		if strings.HasPrefix(t, migrated) {
			continue
		}
		if _, err := tx.Exec(ctx, "DELETE FROM "+quoted(t)); err != nil {
			return 0, err
		}
	}
	for {
		table, err := in.table()
		if err != nil {
			return rows, err
		}
		if table == nil {
			break
		}
		if !slices.Contains(tables, table.Table) || strings.HasPrefix(table.Table, migrated) {
			return rows, fault.Errorf(fault.Invalid, "the dump has a table %s, which its version did not have", table.Table)
		}
		n, err := loadRows(ctx, tx, *table, in)
		if err != nil {
			return rows, fault.Wrap(err, "table %s", table.Table)
		}
		rows += n
	}
	if in.end.Rows != rows {
		return rows, fault.Errorf(fault.Invalid, "the dump is damaged: it tells of %d rows and has %d", in.end.Rows, rows)
	}
	if tx.Dialect() == Postgres {
		return rows, advanceIdentities(ctx, tx)
	}
	return rows, nil
}

func loadRows(ctx context.Context, tx *Tx, t dumpTable, in *dumpReader) (n int64, err error) {
	if tx.Dialect() == Postgres {
		var broken error // PostgreSQL would only tell that the copy was given up
		n, err := tx.pgx.CopyFrom(ctx, pgx.Identifier{t.Table}, t.Columns, pgx.CopyFromFunc(func() (row []any, err error) {
			row, broken = in.row(len(t.Columns))
			return row, broken
		}))
		if broken != nil {
			return 0, broken
		}
		return n, tx.fault(err)
	}
	places := make([]string, len(t.Columns))
	for i := range places {
		places[i] = "$" + strconv.Itoa(i+1)
	}
	insert := "INSERT INTO " + quoted(t.Table) + " (" + named(t.Columns) + ") VALUES (" + strings.Join(places, ", ") + ")"
	for {
		row, err := in.row(len(t.Columns))
		if err != nil || row == nil {
			return n, err
		}
		if _, err := tx.Exec(ctx, insert, row...); err != nil {
			return n, err
		}
		n++
	}
}

// advanceIdentities lets PostgreSQL number new rows after those that were loaded.
func advanceIdentities(ctx context.Context, tx *Tx) error {
	type column struct{ table, name string }
	rows, err := tx.Query(ctx, "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema() AND is_identity = 'YES'")
	all, err := Collect(rows, err, func(r Row) (c column, err error) { return c, r.Scan(&c.table, &c.name) })
	if err != nil {
		return err
	}
	for _, c := range all {
		if strings.HasPrefix(c.table, migrated) {
			continue
		}
		var at int64
		err := tx.QueryRow(ctx, "SELECT setval(pg_get_serial_sequence($1, $2), (SELECT COALESCE(MAX("+quoted(c.name)+"), 0) + 1 FROM "+quoted(c.table)+"), false)",
			quoted(c.table), c.name).Scan(&at)
		if err != nil {
			return err
		}
	}
	return nil
}

// dumpReader reads a dump line by line.
type dumpReader struct {
	lines *bufio.Reader
	next  json.RawMessage // a line that was read too early
	end   *dumpEnd
}

func damaged(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("it ends too early")
	}
	return fault.Errorf(fault.Invalid, "the dump is damaged: %w", err)
}

func (d *dumpReader) line() (json.RawMessage, error) {
	if line := d.next; line != nil {
		d.next = nil
		return line, nil
	}
	line, err := d.lines.ReadBytes('\n')
	if err != nil {
		return nil, damaged(err)
	}
	return line, nil
}

func (d *dumpReader) head() (h dumpHead, err error) {
	line, err := d.line()
	if err != nil {
		return h, err
	}
	if err := json.Unmarshal(line, &h); err != nil {
		return h, damaged(err)
	}
	if h.Format != dumpFormat {
		return h, fault.Errorf(fault.Invalid, "the dump has format %d, and this version reads %d", h.Format, dumpFormat)
	}
	return h, nil
}

// table gives the next table, nil at the end.
func (d *dumpReader) table() (*dumpTable, error) {
	line, err := d.line()
	if err != nil {
		return nil, err
	}
	var t struct {
		dumpTable
		dumpEnd
	}
	if err := json.Unmarshal(line, &t); err != nil {
		return nil, damaged(err)
	}
	if t.End {
		d.end = &t.dumpEnd
		return nil, nil
	}
	if t.Table == "" || len(t.Columns) == 0 {
		return nil, damaged(errors.New("a table without a name or columns"))
	}
	return &t.dumpTable, nil
}

// row gives the next row of a table with so many columns, nil after the last.
func (d *dumpReader) row(columns int) ([]any, error) {
	line, err := d.line()
	if err != nil {
		return nil, err
	}
	if line[0] != '[' {
		d.next = line
		return nil, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	var row []any
	if err := decoder.Decode(&row); err != nil {
		return nil, damaged(err)
	}
	if len(row) != columns {
		return nil, damaged(errors.New("a row has too few or too many values"))
	}
	for i, v := range row {
		if row[i], err = undump(v); err != nil {
			return nil, damaged(err)
		}
	}
	return row, nil
}

func undump(v any) (any, error) {
	switch v := v.(type) {
	case nil, string:
		return v, nil
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n, nil
		}
		return v.Float64()
	case map[string]any:
		text, ok := v["bytes"].(string)
		if !ok {
			break
		}
		var b []byte
		return b, json.Unmarshal([]byte(strconv.Quote(text)), &b)
	}
	return nil, errors.New("a value is of no known type")
}
