package store

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// A dump is JSON, a line each: a dumpHead; for each table a dumpTable and its rows as arrays; a dumpEnd. Values are
// text, whole numbers, floating ones, null, or bytes as {"bytes": BASE64}. Tables come after those that they refer to.

// dumpFormat is raised when an older Load could not read what Dump writes.
const dumpFormat = 1

type dumpHead struct {
	Format int              `json:"format"`
	Rooms  map[string]int64 `json:"rooms"` // versions of their tables
}

type dumpTable struct {
	Table   string   `json:"table"`
	Columns []string `json:"columns"`
}

type dumpEnd struct {
	End  bool  `json:"end"`
	Rows int64 `json:"rows"`
}

type dumpBytes struct {
	Bytes []byte `json:"bytes"`
}

// migrated begins the names of the tables that hold versions.
const migrated = "migrations_"

// Dump writes every row as it is at one moment, while the database is in use; it holds up no writer. Load reads it
// into either kind of database.
func (db *DB) Dump(ctx context.Context, w io.Writer) error {
	out := bufio.NewWriterSize(w, 1<<20)
	err := db.Read(ctx, func(tx *Tx) error { return dump(ctx, tx, json.NewEncoder(out)) })
	if err != nil {
		return fault.Wrap(err, "dump the database")
	}
	if err := out.Flush(); err != nil {
		return fault.Errorf(fault.Unavailable, "write the dump: %w", err)
	}
	return nil
}

func dump(ctx context.Context, tx *Tx, out *json.Encoder) error {
	out.SetEscapeHTML(false)
	tables, err := tablesOf(ctx, tx)
	if err != nil {
		return fault.Wrap(err, "list the tables")
	}
	head := dumpHead{Format: dumpFormat, Rooms: map[string]int64{}}
	for _, t := range tables {
		if room, ok := strings.CutPrefix(t, migrated); ok {
			var version int64
			if err := tx.QueryRow(ctx, "SELECT COALESCE(MAX(version_id), 0) FROM "+quoted(t)).Scan(&version); err != nil {
				return err
			}
			head.Rooms[room] = version
		}
	}
	if err := out.Encode(head); err != nil {
		return err
	}
	end := dumpEnd{End: true}
	for _, t := range tables {
		if strings.HasPrefix(t, migrated) {
			continue
		}
		n, err := dumpRows(ctx, tx, t, out)
		if err != nil {
			return fault.Wrap(err, "table %s", t)
		}
		end.Rows += n
	}
	return out.Encode(end)
}

func dumpRows(ctx context.Context, tx *Tx, table string, out *json.Encoder) (n int64, err error) {
	columns, err := columnsOf(ctx, tx, table)
	if err != nil {
		return 0, err
	}
	if err := out.Encode(dumpTable{table, columns}); err != nil {
		return 0, err
	}
	rows, err := tx.Query(ctx, "SELECT "+named(columns)+" FROM "+quoted(table))
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return n, err
		}
		for i, v := range values {
			if b, ok := v.([]byte); ok {
				values[i] = dumpBytes{b}
			}
		}
		if err := out.Encode(values); err != nil {
			return n, err
		}
		n++
	}
	return n, rows.Err()
}

func quoted(name string) string { return strconv.Quote(name) }

func named(names []string) string {
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = quoted(n)
	}
	return strings.Join(all, ", ")
}

func texts(ctx context.Context, tx *Tx, query string, args ...any) ([]string, error) {
	rows, err := tx.Query(ctx, query, args...)
	return Collect(rows, err, func(r Row) (s string, err error) { return s, r.Scan(&s) })
}

// tablesOf gives all tables, each after those that it refers to.
func tablesOf(ctx context.Context, tx *Tx) ([]string, error) {
	names := "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite^_%' ESCAPE '^' ORDER BY name"
	keys := `SELECT DISTINCT m.name, f."table" FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`
	if tx.Dialect() == Postgres {
		names = "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' ORDER BY 1"
		keys = `SELECT DISTINCT a.relname, b.relname FROM pg_constraint c JOIN pg_class a ON a.oid = c.conrelid JOIN pg_class b ON b.oid = c.confrelid
 JOIN pg_namespace n ON n.oid = a.relnamespace WHERE c.contype = 'f' AND n.nspname = current_schema()`
	}
	tables, err := texts(ctx, tx, names)
	if err != nil {
		return nil, err
	}
	refers := map[string][]string{}
	rows, err := tx.Query(ctx, keys)
	_, err = Collect(rows, err, func(r Row) (struct{}, error) {
		var from, to string
		err := r.Scan(&from, &to)
		refers[from] = append(refers[from], to)
		return struct{}{}, err
	})
	if err != nil {
		return nil, err
	}
	var ordered []string
	var add func(table string, depth int) error
	add = func(table string, depth int) error {
		if slices.Contains(ordered, table) {
			return nil
		}
		if depth > len(tables) {
			return fault.Errorf(fault.Internal, "table %s refers to itself by way of others", table)
		}
		for _, to := range refers[table] {
			if to == table {
				continue
			}
			if err := add(to, depth+1); err != nil {
				return err
			}
		}
		ordered = append(ordered, table)
		return nil
	}
	for _, t := range tables {
		if err := add(t, 0); err != nil {
			return nil, err
		}
	}
	return ordered, nil
}

func columnsOf(ctx context.Context, tx *Tx, table string) ([]string, error) {
	if tx.Dialect() == Postgres {
		return texts(ctx, tx, "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position", table)
	}
	return texts(ctx, tx, "SELECT name FROM pragma_table_info($1) ORDER BY cid", table)
}
