package store_test

import (
	"context"
	"testing"
	"testing/fstest"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func things() store.Migrations {
	return store.Migrations{Room: "thing", FS: fstest.MapFS{"0001_things.sql": {Data: []byte(`-- +goose Up
CREATE TABLE things (
	id TEXT PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,
	parent TEXT REFERENCES things (id),
	data BLOB,
	flag INTEGER NOT NULL DEFAULT 0,
	made BIGINT NOT NULL DEFAULT 0
);
`)}}}
}

func TestWriteAndRead(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		err := db.Write(ctx, func(tx *store.Tx) error {
			n, err := tx.Exec(ctx, "INSERT INTO things (id, name, data) VALUES ($1, $2, $3)", "a", "first", []byte{1, 2})
			if n != 1 {
				t.Errorf("changed %d rows, want 1", n)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		err = db.Write(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec(ctx, "INSERT INTO things (id, name) VALUES ($1, $2)", "b", "first")
			return err
		})
		if !fault.Is(err, fault.Conflict) {
			t.Errorf("second of that name: %v, want a conflict", err)
		}
		err = db.Read(ctx, func(tx *store.Tx) error {
			var name string
			var data []byte
			if err := tx.QueryRow(ctx, "SELECT name, data FROM things WHERE id = $1", "a").Scan(&name, &data); err != nil {
				return err
			}
			if name != "first" || len(data) != 2 {
				t.Errorf("read %q %v", name, data)
			}
			if err := tx.QueryRow(ctx, "SELECT name FROM things WHERE id = $1", "b").Scan(&name); !fault.Is(err, fault.NotFound) {
				t.Errorf("missing row: %v, want not found", err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}, things())
}
