package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	defaultLimit = 100
	maxLimit     = 1000
)

// Query says which entries; its zero value means the first 100.
type Query struct {
	After      int64     // only positions greater than this
	Before     int64     // only positions smaller than this; 0 for no bound
	Since      time.Time // only entries of that time or later
	Types      []string  // exact, or a prefix that ends in '.'; nil for all
	Ref        string    // subject or among the refs
	Actor, Run string
	Spaces     []string // nil for all; empty for none
	Limit      int      // 100 when 0, at most 1000
	Descending bool     // the newest first
}

const columns = `e.position, e.id, e.time, e.actor, e.space, e.type, e.subject, e.refs, e.run, e.cause, e.data, e.previous, e.hash`

// List gives sealed entries by position.
func (l *Ledger) List(ctx context.Context, tx *store.Tx, q Query) ([]Entry, error) {
	if q.Spaces != nil && len(q.Spaces) == 0 {
		return nil, nil
	}
	query, args := q.sql()
	rows, err := tx.Query(ctx, query, args...)
	entries, err := store.Collect(rows, err, scan)
	return entries, fault.Wrap(err, "list the ledger")
}

// Get gives one sealed entry by its id.
func (l *Ledger) Get(ctx context.Context, tx *store.Tx, id string) (Entry, error) {
	row := tx.QueryRow(ctx, `SELECT `+columns+` FROM ledger_entries e WHERE e.id = $1`, id)
	return store.One(row, scan, "ledger entry %s", id)
}

// condition collects the parts of a WHERE and their arguments.
type condition struct {
	parts []string
	args  []any
}

func (c *condition) bind(v any) string {
	c.args = append(c.args, v)
	return fmt.Sprintf("$%d", len(c.args))
}

func (c *condition) add(format string, v any) {
	c.parts = append(c.parts, fmt.Sprintf(format, c.bind(v)))
}

func (q Query) sql() (string, []any) {
	c := &condition{}
	from, position := "ledger_entries e", "e.position"
	if q.Ref != "" {
		from, position = "ledger_refs r JOIN ledger_entries e ON e.position = r.position", "r.position"
		c.add("r.ref = %s", q.Ref)
	}
	c.add(position+" > %s", q.After)
	if q.Before > 0 {
		c.add(position+" < %s", q.Before)
	}
	if !q.Since.IsZero() {
		c.add("e.time >= %s", store.Micros(q.Since))
	}
	if q.Actor != "" {
		c.add("e.actor = %s", q.Actor)
		if q.Actor != "system" {
			c.parts = append(c.parts, "e.actor <> 'system'") // the index has this condition
		}
	}
	if q.Run != "" {
		c.add("e.run = %s", q.Run)
		c.parts = append(c.parts, "e.run <> ''")
	}
	if q.Spaces != nil {
		var marks []string
		for _, s := range q.Spaces {
			marks = append(marks, c.bind(s))
		}
		c.parts = append(c.parts, "e.space IN ("+strings.Join(marks, ", ")+")")
	}
	c.types(q.Types)
	order, limit := "ASC", q.Limit
	if q.Descending {
		order = "DESC"
	}
	if limit <= 0 {
		limit = defaultLimit
	}
	return fmt.Sprintf("SELECT %s FROM %s WHERE %s ORDER BY %s %s LIMIT %s", columns, from,
		strings.Join(c.parts, " AND "), position, order, c.bind(min(limit, maxLimit))), c.args
}

func (c *condition) types(types []string) {
	var any []string
	for _, t := range types {
		if strings.HasSuffix(t, ".") {
			any = append(any, fmt.Sprintf("substr(e.type, 1, %d) = %s", len(t), c.bind(t)))
		} else {
			any = append(any, "e.type = "+c.bind(t))
		}
	}
	if any != nil {
		c.parts = append(c.parts, "("+strings.Join(any, " OR ")+")")
	}
}

func scan(row store.Row) (Entry, error) {
	var e Entry
	var refs string
	err := row.Scan(&e.Position, &e.ID, &e.Time, &e.Actor, &e.Space, &e.Type, &e.Subject, &refs, &e.Run, &e.Cause, &e.Data,
		&e.Previous, &e.Hash)
	if err == nil && refs != "[]" {
		err = json.Unmarshal([]byte(refs), &e.Refs)
	}
	return e, err
}
