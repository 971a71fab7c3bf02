package store_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func dumped(t *testing.T, db *store.DB) string {
	t.Helper()
	var out bytes.Buffer
	if err := db.Dump(context.Background(), &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// empty gives a new database without tables.
func empty(t *testing.T, kind store.Dialect) *store.DB {
	t.Helper()
	if kind == store.Postgres {
		return storetest.Postgres(t)
	}
	return storetest.SQLite(t)
}

func TestADumpIsLoadedIntoEitherDatabase(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		err := db.Write(ctx, func(tx *store.Tx) error {
			for _, row := range [][]any{
				{"b", "second", "a", []byte{0, 1, 255}, 1, int64(math.MaxInt64)},
				{"a", "first \" \\ \n <é> \u2028", nil, nil, 0, int64(math.MinInt64)},
			} {
				if row[0] == "b" {
					if _, err := tx.Exec(ctx, "INSERT INTO things (id, name) VALUES ('a', 'x')"); err != nil {
						return err
					}
				}
				_, err := tx.Exec(ctx, `INSERT INTO things (id, name, parent, data, flag, made) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, made = excluded.made`, row...)
				if err != nil {
					return err
				}
			}
			_, err := tx.Exec(ctx, "INSERT INTO value_rows (number, word, flag, at, took, doc) VALUES (41, '', 0, 0, 0, '{\"a\": 1}')")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		text := dumped(t, db)
		for _, kind := range []store.Dialect{store.SQLite, store.Postgres} {
			other := empty(t, kind)
			n, err := other.Load(ctx, strings.NewReader(text), things(), values())
			if err != nil || n != 3 {
				t.Fatalf("to %s: %d rows, %v", kind, n, err)
			}
			if got, want := strings.Split(dumped(t, other), "\n"), strings.Split(text, "\n"); !sameLines(got, want) {
				t.Errorf("to %s:\n%s\nfrom\n%s", kind, got, want)
			}
			var number int64
			err = other.Write(ctx, func(tx *store.Tx) error {
				return tx.QueryRow(ctx, "INSERT INTO value_rows (word, flag, at, took, doc) VALUES ('', 0, 0, 0, '') RETURNING number").Scan(&number)
			})
			if err != nil || number != 42 {
				t.Errorf("to %s: the next row is %d, %v", kind, number, err)
			}
			if _, err := other.Load(ctx, strings.NewReader(text), things(), values()); !fault.Is(err, fault.Conflict) {
				t.Errorf("to %s, which is not empty: %v", kind, err)
			}
		}
	}, things(), values())
}

func sameLines(a, b []string) bool {
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

func TestADumpThatCannotBeLoadedLeavesNothing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		err := db.Write(ctx, func(tx *store.Tx) error {
			for _, id := range []string{"a", "b"} {
				if err := insert(ctx, tx, id); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		text := dumped(t, db)
		lines := strings.SplitAfter(text, "\n")
		for what, broken := range map[string]string{
			"nothing":             "",
			"no dump":             "<html>\n",
			"a newer format":      strings.Replace(text, `"format":1`, `"format":2`, 1),
			"a newer version":     strings.Replace(text, `"thing":1`, `"thing":9`, 1),
			"an unknown room":     strings.Replace(text, `"thing":1`, `"thing":1,"other":1`, 1),
			"an unknown table":    strings.Replace(text, `"table":"things"`, `"table":"others"`, 1),
			"a table of versions": strings.Replace(text, `"table":"things"`, `"table":"migrations_thing"`, 1),
			"no end":              strings.Join(lines[:len(lines)-2], ""),
			"a missing row":       strings.Join(slices.Delete(slices.Clone(lines), 2, 3), ""),
			"a short row":         strings.Replace(text, `["a",`, `[`, 1),
		} {
			if db.Dialect() == store.Postgres && what != "no end" && what != "a short row" {
				continue // found before the database matters
			}
			other := empty(t, db.Dialect())
			if _, err := other.Load(ctx, strings.NewReader(broken), things()); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", what, err)
				continue
			}
			if err := other.Migrate(ctx, things()); err != nil {
				t.Error(err)
			}
			if n := count(t, other); n != 0 {
				t.Errorf("%s leaves %d rows", what, n)
			}
		}
	}, things())
}

func TestADumpWhileWritingIsOfOneMoment(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx, cancel := context.WithCancel(context.Background())
		var group sync.WaitGroup
		var written atomic.Int64
		started := make(chan struct{})
		group.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				// Two rows in one transaction: a dump has both or none.
				err := db.Write(context.Background(), func(tx *store.Tx) error {
					if err := insert(context.Background(), tx, fmt.Sprintf("a%d", i)); err != nil {
						return err
					}
					return insert(context.Background(), tx, fmt.Sprintf("b%d", i))
				})
				if err != nil {
					t.Error(err)
					return
				}
				if written.Add(1) == 50 {
					close(started)
				}
			}
		})
		<-started
		before := written.Load()
		text := dumped(t, db)
		cancel()
		group.Wait()
		other := storetest.SQLite(t)
		if _, err := other.Load(context.Background(), strings.NewReader(text), things()); err != nil {
			t.Fatal(err)
		}
		if got := count(t, other); got%2 != 0 || int64(got) < 2*before {
			t.Errorf("the dump has %d rows; want an even number of at least %d", got, 2*before)
		}
	}, things())
}
