package storetest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// PostgresURL gives the address of a fresh database that is dropped at the end of the test: an empty one, or with rooms one
// that has their tables, which is a copy of one that was migrated once.
// Without PostgreSQL the test is skipped; where CI is set it fails.
func PostgresURL(t testing.TB, rooms ...store.Migrations) string {
	t.Helper()
	server := postgresServer(t)
	if len(rooms) == 0 {
		return database(t, server, "")
	}
	from, err := template(server, rooms)
	if err != nil {
		t.Fatalf("make a migrated database to copy: %v", err)
	}
	return database(t, server, from)
}

// postgresServer gives the address of a server on which databases can be made.
func postgresServer(t testing.TB) string {
	t.Helper()
	lacktest.Programs()
	if server := os.Getenv("ROADBED_TEST_POSTGRES"); server != "" {
		return server
	}
	server, err := shared(t)
	if err != nil {
		lacktest.Skip(t, "no PostgreSQL: %v", err)
	}
	return server
}

// database makes a database, as a copy of another when from is not empty, and gives its address.
func database(t testing.TB, server, from string) string {
	t.Helper()
	name := "t_" + strings.ToLower(rand.Text())
	statement := "CREATE DATABASE " + name
	if from != "" {
		statement += " TEMPLATE " + from
	}
	if err := command(server, statement); err != nil {
		t.Fatalf("make a database for the test: %v", err)
	}
	t.Cleanup(func() {
		if err := command(server, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop the database of the test: %v", err)
		}
	})
	address, err := address(server, name)
	if err != nil {
		t.Fatalf("ROADBED_TEST_POSTGRES is not an address: %v", err)
	}
	return address
}

func address(server, database string) (string, error) {
	u, err := url.Parse(server)
	if err != nil {
		return "", err
	}
	u.Path = "/" + database
	query := u.Query()
	query.Set("pool_max_conns", "8")
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// template gives the name of a database in which rooms are migrated; the first who wants it makes it.
func template(server string, rooms []store.Migrations) (string, error) {
	name, err := fingerprint(rooms)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return "", fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(ctx) // and with it the lock
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock(hashtext($1))", name); err != nil {
		return "", err
	}
	var there bool
	err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)", name).Scan(&there)
	if err != nil || there {
		return name, err
	}
	part := "part_" + strings.ToLower(rand.Text())
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+part); err != nil {
		return "", err
	}
	if err := migrated(ctx, server, part, rooms); err != nil {
		_, drop := conn.Exec(ctx, "DROP DATABASE "+part+" WITH (FORCE)")
		return "", errors.Join(err, drop)
	}
	_, err = conn.Exec(ctx, "ALTER DATABASE "+part+" RENAME TO "+name)
	return name, err
}

func migrated(ctx context.Context, server, database string, rooms []store.Migrations) error {
	url, err := address(server, database)
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, url, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return errors.Join(db.Migrate(ctx, rooms...), db.Close())
}

// fingerprint gives a name that stands for the content of all migrations.
func fingerprint(rooms []store.Migrations) (string, error) {
	sum := sha256.New()
	for _, room := range rooms {
		fmt.Fprintf(sum, "room %q\n", room.Room)
		err := fs.WalkDir(room.FS, ".", func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			data, err := fs.ReadFile(room.FS, path)
			fmt.Fprintf(sum, "file %q %q\n", path, data)
			return err
		})
		if err != nil {
			return "", err
		}
	}
	return "tpl_" + hex.EncodeToString(sum.Sum(nil)[:16]), nil
}

func command(server, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}
