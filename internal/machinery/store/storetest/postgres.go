package storetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// PostgresURL gives the address of a fresh, empty database that is dropped at the end of the test.
// Without PostgreSQL the test is skipped; where CI is set it fails.
func PostgresURL(t testing.TB) string {
	t.Helper()
	server := os.Getenv("ROADBED_TEST_POSTGRES")
	if server == "" {
		var err error
		if server, err = shared(t); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("no PostgreSQL: %v", err)
			}
			t.Skipf("no PostgreSQL: %v", err)
		}
	}
	name := "t_" + strings.ToLower(rand.Text())
	if err := command(server, "CREATE DATABASE "+name); err != nil {
		t.Fatalf("make a database for the test: %v", err)
	}
	t.Cleanup(func() {
		if err := command(server, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop the database of the test: %v", err)
		}
	})
	address, err := url.Parse(server)
	if err != nil {
		t.Fatalf("ROADBED_TEST_POSTGRES is not an address: %v", err)
	}
	address.Path = "/" + name
	query := address.Query()
	query.Set("pool_max_conns", "8")
	address.RawQuery = query.Encode()
	return address.String()
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
