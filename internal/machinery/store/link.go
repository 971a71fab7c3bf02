package store

import (
	"container/list"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
)

// statements is how many prepared statements a connection keeps.
const statements = 512

// link is one SQLite connection with its prepared statements, used by one goroutine at a time.
type link struct {
	conn   *sql.Conn
	handle uintptr // SQLite's own; 0 where the driver does not tell
	known  map[string]*list.Element
	order  *list.List // of *prepared, the last used first
}

type prepared struct {
	query string
	stmt  *sql.Stmt
}

func newLink(conn *sql.Conn) *link {
	return &link{conn: conn, handle: handleOf(conn), known: map[string]*list.Element{}, order: list.New()}
}

func (k *link) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if e := k.known[query]; e != nil {
		k.order.MoveToFront(e)
		return e.Value.(*prepared).stmt, nil
	}
	stmt, err := k.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	k.known[query] = k.order.PushFront(&prepared{query, stmt})
	if k.order.Len() > statements {
		oldest := k.order.Remove(k.order.Back()).(*prepared)
		delete(k.known, oldest.query)
		oldest.stmt.Close()
	}
	return stmt, nil
}

func (k *link) exec(ctx context.Context, query string, args []any) (int64, error) {
	stmt, err := k.prepare(ctx, query)
	if err != nil {
		return 0, err
	}
	result, err := stmt.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (k *link) query(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	stmt, err := k.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}

// discard closes the connection for good, instead of giving it back to its pool.
func (k *link) discard() {
	_ = k.conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = k.close()
}

func (k *link) close() error {
	var errs []error
	for e := k.order.Front(); e != nil; e = e.Next() {
		errs = append(errs, e.Value.(*prepared).stmt.Close())
	}
	return errors.Join(append(errs, k.conn.Close())...)
}
