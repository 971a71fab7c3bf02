package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// seenRows is where handlers of these tests write what they got, in their transaction.
func seenRows() store.Migrations {
	return store.Migrations{Room: "seen", FS: fstest.MapFS{"0001_seen.sql": {Data: []byte(`-- +goose Up
CREATE TABLE seen_rows (number INTEGER PRIMARY KEY, subscriber TEXT NOT NULL, position BIGINT NOT NULL, subject TEXT NOT NULL);
`)}}}
}

type seen struct {
	position int64
	subject  string
}

func note(ctx context.Context, tx *store.Tx, name string, e ledger.Entry) error {
	_, err := tx.Exec(ctx, `INSERT INTO seen_rows (subscriber, position, subject) VALUES ($1, $2, $3)`, name, e.Position, e.Subject)
	return err
}

func seenBy(t rapid.TB, db *store.DB, name string) (all []seen) {
	t.Helper()
	ctx := context.Background()
	err := db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT position, subject FROM seen_rows WHERE subscriber = $1 ORDER BY number`, name)
		all, err = store.Collect(rows, err, func(r store.Row) (s seen, err error) { return s, r.Scan(&s.position, &s.subject) })
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Entries are appended by several callers at once while the ledger is stopped and started, on PostgreSQL as
// two servers, and handlers fail, panic, or fail at the commit, by chance. Every subscriber sees every entry
// that it wants exactly once and in order, and those of one caller in the order of their making.
func TestEveryEntryOnceInOrder(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(testing.TB) string{
		"sqlite":   func(t testing.TB) string { return "sqlite:" + t.TempDir() + "/roadbed.db" },
		"postgres": func(t testing.TB) string { return storetest.PostgresURL(t) },
	} {
		most := map[string]int{"sqlite": 50, "postgres": 20}[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := open(t)
			dbs := []*store.DB{storetest.Open(t, url, ledger.Migrations(), seenRows())}
			if name == "postgres" {
				dbs = append(dbs, storetest.Open(t, url))
			}
			number := 0
			rapid.Check(t, func(r *rapid.T) {
				if number++; number > most {
					return // a case is hundreds of transactions and pauses
				}
				c := &onceCase{t: t, number: number, dbs: dbs[:rapid.IntRange(1, len(dbs)).Draw(r, "servers")]}
				c.appenders = rapid.IntRange(1, 6).Draw(r, "appenders")
				c.each = rapid.IntRange(1, 12).Draw(r, "entries of each")
				c.lives = rapid.IntRange(1, 3).Draw(r, "lives of the servers")
				c.mischief = rapid.Uint32().Draw(r, "mischief")
				c.check(r)
			})
			if report, err := ledger.Verify(context.Background(), dbs[0]); err != nil || report.Broken != nil {
				t.Fatalf("verify: %+v %v", report.Broken, err)
			}
		})
	}
}

// onceCase is one case of TestEveryEntryOnceInOrder; its subscribers start where the case before has ended.
type onceCase struct {
	t                      *testing.T
	number                 int
	dbs                    []*store.DB
	appenders, each, lives int
	mischief               uint32
	tries                  atomic.Uint32
}

var onceTypes = map[string][]string{"all": nil, "some": {"thing.changed"}, "prefix": {"other."}}

func (c *onceCase) name(subscriber string) string { return fmt.Sprintf("%s-%d", subscriber, c.number) }

func (c *onceCase) check(r *rapid.T) {
	db, before := c.dbs[0], c.begin(r)
	total := int64(c.appenders * c.each)
	var group sync.WaitGroup
	for a := range c.appenders {
		group.Go(func() { c.append(a) })
	}
	for range c.lives - 1 {
		stop := c.serve()
		waitFor(c.t, db, before+1)
		stop()
	}
	defer c.serve()()
	group.Wait()
	waitFor(c.t, db, before+total)
	entries := list(c.t, db, newLedger(c.t, db), ledger.Query{After: before, Limit: 1000})
	if int64(len(entries)) != total {
		r.Fatalf("%d entries, want %d", len(entries), total)
	}
	checkOrderOfEach(r, before, entries)
	for subscriber, types := range onceTypes {
		var want []seen
		for _, e := range entries {
			if types == nil || types[0] == e.Type || (subscriber == "prefix" && e.Type == "other.made") {
				want = append(want, seen{e.Position, e.Subject})
			}
		}
		waitSeen(c.t, db, c.name(subscriber), len(want))
		if got := seenBy(r, db, c.name(subscriber)); fmt.Sprint(got) != fmt.Sprint(want) {
			r.Fatalf("%s saw\n%v, want\n%v", subscriber, got, want)
		}
	}
}

// begin puts the cursors of this case at the head, which it gives.
func (c *onceCase) begin(r *rapid.T) (head int64) {
	ctx := context.Background()
	err := c.dbs[0].Write(ctx, func(tx *store.Tx) (err error) {
		if head, _, err = newLedger(c.t, c.dbs[0]).Head(ctx, tx); err != nil {
			return err
		}
		for subscriber := range onceTypes {
			if _, err := tx.Exec(ctx, `INSERT INTO ledger_cursors (name, position, updated) VALUES ($1, $2, 0)`, c.name(subscriber), head); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
	return head
}

func (c *onceCase) append(appender int) {
	db := c.dbs[appender%len(c.dbs)]
	l := newLedger(c.t, db)
	for i := range c.each {
		kind := []string{"thing.changed", "other.made"}[(appender+i)%2]
		appendAll(c.t, db, l, ledger.Entry{Type: kind, Subject: fmt.Sprintf("%d/%04d", appender, i)})
	}
}

// serve starts a ledger on each server, with handlers that fail by chance after they have written.
func (c *onceCase) serve() (stop func()) {
	var stops []func()
	for _, db := range c.dbs {
		l := ledger.New(db, time.Now, slog.New(slog.DiscardHandler))
		for subscriber, types := range onceTypes {
			l.Subscribe(c.name(subscriber), types, func(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
				err := note(ctx, tx, c.name(subscriber), e)
				switch luck(c.mischief, c.tries.Add(1)) {
				case 0:
					return errors.New("by chance")
				case 1:
					panic("by chance")
				}
				return err
			})
		}
		stops = append(stops, start(c.t, l))
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
	}
}

func checkOrderOfEach(t rapid.TB, before int64, entries []ledger.Entry) {
	last := map[byte]string{}
	for i, e := range entries {
		if e.Position != before+int64(i+1) {
			t.Fatalf("entry %d has position %d", before+int64(i+1), e.Position)
		}
		if e.Subject <= last[e.Subject[0]] {
			t.Fatalf("%s comes after %s", e.Subject, last[e.Subject[0]])
		}
		last[e.Subject[0]] = e.Subject
	}
}

// luck gives 0 to 9, mostly something else than 0 and 1.
func luck(seed, try uint32) uint32 {
	h := fnv.New32a()
	fmt.Fprint(h, seed, try)
	return h.Sum32() % 10
}

// waitFor returns when position is sealed.
func waitFor(t *testing.T, db *store.DB, position int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := newLedger(t, db).Wait(ctx, position-1); err != nil {
		t.Fatalf("wait for %d: %v", position, err)
	}
}

// waitSeen returns when a subscriber has noted count entries.
func waitSeen(t *testing.T, db *store.DB, name string, count int) {
	t.Helper()
	deadline := time.After(time.Minute)
	for len(seenBy(t, db, name)) < count {
		select {
		case <-deadline:
			t.Fatalf("%s saw %d of %d entries", name, len(seenBy(t, db, name)), count)
		case <-time.After(time.Millisecond):
		}
	}
}

// A handler that fails keeps its place, tells of it, and keeps nobody else from theirs.
func TestFailingHandlerBlocksNobodyElse(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		l := newLedger(t, db)
		var mended atomic.Bool
		attempts := make(chan int64, 1000)
		l.Subscribe("bad", nil, func(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
			if e.Position == 3 && !mended.Load() {
				attempts <- e.Position
				return errors.New("can't digest it")
			}
			return note(ctx, tx, "bad", e)
		})
		l.Subscribe("good", nil, func(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
			return note(ctx, tx, "good", e)
		})
		appendAll(t, db, l, numbered(0, 6)...)
		start(t, l)
		waitSeen(t, db, "good", 6)
		waitSeen(t, db, "bad", 2)
		var bad ledger.Subscription
		told := func() bool { return bad.Failures > 0 && bad.Failing == 3 && bad.Lag == 4 && bad.Error != "" }
		for n := 0; n < 20 && !told(); n++ { // what an attempt tells is known after it, and one may be made twice
			<-attempts
			err := db.Read(ctx, func(tx *store.Tx) error {
				all, err := l.Subscriptions(ctx, tx)
				for _, s := range all {
					if s.Name == "bad" {
						bad = s
					}
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if !told() {
			t.Errorf("bad = %+v", bad)
		}
		mended.Store(true)
		waitSeen(t, db, "bad", 6)
	}, ledger.Migrations(), seenRows())
}

// What a handler appends names the entry as its cause and the platform as its actor.
func TestHandlersEntriesNameTheirCause(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		l := newLedger(t, db)
		l.Subscribe("follow", []string{"thing.changed"}, func(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
			_, err := l.Append(ctx, tx, ledger.Entry{Type: "follow.made", Subject: e.Subject})
			return err
		})
		start(t, l)
		appendAll(t, db, l, numbered(0, 1)...)
		waitFor(t, db, 2)
		entries := list(t, db, l, ledger.Query{})
		if got := entries[1]; got.Cause != entries[0].ID || got.Actor != "system" {
			t.Errorf("cause %q, actor %q; want %q, system", got.Cause, got.Actor, entries[0].ID)
		}
	}, ledger.Migrations())
}

func TestSubscribingIsDoneBeforeRunAndOnce(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t, ledger.Migrations())
	nothing := func(context.Context, *store.Tx, ledger.Entry) error { return nil }
	l := newLedger(t, db)
	l.Subscribe("a", nil, nothing)
	panics := func() (p any) {
		defer func() { p = recover() }()
		l.Subscribe("a", nil, nothing)
		return nil
	}
	if panics() == nil {
		t.Error("two subscribers of one name")
	}
}
