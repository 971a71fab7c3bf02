package store

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What is committed comes into the file without a commit that moves it, and the log stays short where commits leave no rest.
func TestTheLogIsMovedBesideThoseWhoCommit(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	file := filepath.Join(t.TempDir(), "log.db")
	db, err := Open(ctx, "sqlite:"+file, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	pages := bytes.Repeat([]byte("page"), 100<<10) // 100 of them
	write := func(fn func(tx *Tx) error) {
		t.Helper()
		if err := db.Write(ctx, fn); err != nil {
			t.Fatal(err)
		}
	}
	write(func(tx *Tx) error {
		_, err := tx.Exec(ctx, "CREATE TABLE many (pages BLOB)")
		return err
	})
	add := func(n int) {
		for range n {
			write(func(tx *Tx) error {
				_, err := tx.Exec(ctx, "INSERT INTO many VALUES ($1)", pages)
				return err
			})
		}
	}
	size := func(name string) int64 {
		t.Helper()
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	add(2 * pagesInLog / 100)
	for late := time.Now().Add(time.Minute); size(file) < pagesInLog*4096; time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("the file has %d bytes, and what was committed is in the log", size(file))
		}
	}
	add(2 * mostInLog / 100)
	if got, most := size(file+"-wal"), int64(mostInLog+4*pagesInLog)*4200; got > most {
		t.Fatalf("the log has grown to %d bytes, more than %d", got, most)
	}
}
