package store_test

import (
	"context"
	"encoding/json"
	"testing"
	"testing/fstest"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

type state string

func values() store.Migrations {
	return store.Migrations{Room: "value", FS: fstest.MapFS{"0001_value.sql": {Data: []byte(`-- +goose Up
CREATE TABLE value_rows (
	number INTEGER PRIMARY KEY,
	word TEXT NOT NULL, flag INTEGER NOT NULL, at BIGINT NOT NULL, took BIGINT NOT NULL,
	doc TEXT NOT NULL, bytes BLOB, maybe TEXT
);
CREATE TABLE value_pairs (a TEXT NOT NULL, b BIGINT NOT NULL, PRIMARY KEY (a, b)) WITHOUT ROWID;
`)}}}
}

func TestValuesGoBothWays(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		at := time.Date(2026, 5, 6, 7, 8, 9, 123456789, time.UTC)
		maybe := "there"
		err := db.Write(ctx, func(tx *store.Tx) error {
			for _, args := range [][]any{
				{state("open"), true, at, time.Second, json.RawMessage(`{"a":[1]}`), []byte{0, 255}, &maybe},
				{state(""), false, time.Time{}, time.Duration(0), json.RawMessage(nil), []byte(nil), (*string)(nil)},
			} {
				if _, err := tx.Exec(ctx, `INSERT INTO value_rows (word, flag, at, took, doc, bytes, maybe)
					VALUES ($1, $2, $3, $4, $5, $6, $7)`, args...); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		type row struct {
			number int64
			word   state
			flag   bool
			at     time.Time
			took   time.Duration
			doc    json.RawMessage
			bytes  []byte
			maybe  *string
		}
		var rows []row
		err = db.Read(ctx, func(tx *store.Tx) error {
			found, err := tx.Query(ctx, `SELECT number, word, flag, at, took, doc, bytes, maybe FROM value_rows ORDER BY number`)
			rows, err = store.Collect(found, err, func(r store.Row) (v row, err error) {
				return v, r.Scan(&v.number, &v.word, &v.flag, &v.at, &v.took, &v.doc, &v.bytes, &v.maybe)
			})
			return err
		})
		if err != nil || len(rows) != 2 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		a, b := rows[0], rows[1]
		if a.number != 1 || a.word != "open" || !a.flag || !a.at.Equal(at.Truncate(time.Microsecond)) || a.took != time.Second ||
			string(a.doc) != `{"a":[1]}` || string(a.bytes) != "\x00\xff" || a.maybe == nil || *a.maybe != "there" {
			t.Errorf("full row = %+v", a)
		}
		if b.number != 2 || b.word != "" || b.flag || !b.at.IsZero() || b.doc != nil || b.bytes != nil || b.maybe != nil {
			t.Errorf("empty row = %+v", b)
		}
	}, values())
}

func TestTextThatPostgresRefusesIsRefusedByBoth(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		for _, bad := range []any{"a\x00b", "a\xffb", state("\x00"), json.RawMessage("\"\x00\""), uint64(1 << 63)} {
			err := db.Write(ctx, func(tx *store.Tx) error {
				_, err := tx.Exec(ctx, `INSERT INTO value_pairs (a, b) VALUES ($1, 1)`, bad)
				return err
			})
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%q: error = %v, want invalid", bad, err)
			}
		}
		err := db.Read(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec(ctx, `SELECT $1`, struct{}{})
			return err
		})
		if !fault.Is(err, fault.Internal) {
			t.Errorf("a struct: error = %v, want internal", err)
		}
	}, values())
}

func TestMicros(t *testing.T) {
	t.Parallel()
	if store.Micros(time.Time{}) != 0 || !store.FromMicros(0).IsZero() {
		t.Error("the zero time is not 0")
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.FixedZone("x", 3600))
	if got := store.FromMicros(store.Micros(at)); !got.Equal(at) || got.Location() != time.UTC {
		t.Errorf("%v becomes %v", at, got)
	}
}
