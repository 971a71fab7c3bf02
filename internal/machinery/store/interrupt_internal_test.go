package store

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"
)

// Another release of the driver may keep the handle otherwise; reads would then still end, and cost more.
func TestTheHandleOfAConnectionIsKnown(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "x.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	k := newLink(conn)
	defer k.close()
	if k.handle == 0 {
		t.Fatal("the driver keeps the handle otherwise than it did")
	}
	ctx, cancel := context.WithCancel(t.Context())
	end := k.guard(ctx)
	cancel()
	var n int
	err = conn.QueryRowContext(context.Background(), `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n`).Scan(&n)
	if err == nil {
		t.Error("an endless statement ended by itself")
	}
	end()
	if err := conn.QueryRowContext(context.Background(), `SELECT 7`).Scan(&n); err != nil || n != 7 {
		t.Errorf("after the end of the guard: %d, %v", n, err)
	}
}
