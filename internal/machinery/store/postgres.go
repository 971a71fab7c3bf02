package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	attempts     = 10                   // of one transaction
	firstPause   = 2 * time.Millisecond // between them, then doubled
	longestPause = 250 * time.Millisecond
	poolSize     = 16 // connections a pool, unless the address says pool_max_conns
	smallestPool = 4  // Migrate holds one and needs others
)

// postgres has a pool for each direction: a Read that writes then can't use up the connections
// that writers need to finish.
type postgres struct {
	db      *DB
	writers *pgxpool.Pool
	readers *pgxpool.Pool
	cancel  context.CancelFunc
	loops   sync.WaitGroup
	mu      sync.Mutex
	pending map[string]bool // channels to announce to other servers
	poke    chan struct{}
	moments *moments
}

func (db *DB) openPostgres(ctx context.Context, url string) error {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return fault.Errorf(fault.Invalid, "the address of PostgreSQL is not valid; write postgres://user@host/database")
	}
	if !hasPoolSize(url) {
		config.MaxConns = poolSize
	}
	config.MaxConns = max(config.MaxConns, smallestPool)
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "roadbed"
	}
	p := &postgres{db: db, pending: map[string]bool{}, poke: make(chan struct{}, 1)}
	p.moments = newMoments(p)
	if p.writers, err = pgxpool.NewWithConfig(ctx, config.Copy()); err != nil {
		return translate(err)
	}
	if err := p.writers.Ping(ctx); err != nil {
		p.writers.Close()
		return unanswered(ctx, err)
	}
	readers := config.Copy()
	readers.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error { // also outside of a transaction; see readOne
		_, err := conn.Exec(ctx, "SET default_transaction_read_only = on")
		return err
	}
	if p.readers, err = pgxpool.NewWithConfig(ctx, readers); err != nil {
		p.writers.Close()
		return translate(err)
	}
	db.pool, db.outer, db.engine = p.writers, stdlib.OpenDBFromPool(p.writers), p
	life, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	p.loops.Go(func() { p.hear(life, config.ConnConfig.Copy()) })
	p.loops.Go(func() { p.tell(life) })
	return nil
}

func (p *postgres) pools() []*pgxpool.Pool { return []*pgxpool.Pool{p.writers, p.readers} }

func (p *postgres) write(ctx context.Context, fn func(*Tx) error) error {
	if l := lentIn(ctx); l != nil {
		l.refuse()
	}
	pause := firstPause
	for attempt := 1; ; attempt++ {
		again, err := p.attempt(ctx, fn)
		if err == nil {
			return nil
		}
		p.db.stats.failed.Add(1)
		if !again || attempt == attempts {
			return err
		}
		p.db.stats.retries.Add(1)
		select {
		case <-time.After(pause/2 + rand.N(pause)):
		case <-ctx.Done():
			return ctx.Err()
		}
		pause = min(2*pause, longestPause)
	}
}

// attempt runs fn once; again tells that another attempt may succeed.
func (p *postgres) attempt(ctx context.Context, fn func(*Tx) error) (again bool, err error) {
	options := pgx.TxOptions{IsoLevel: pgx.ReadCommitted}
	if isLong(ctx) { // a plan that was kept from when its tables were small reads all of them
		options = pgx.TxOptions{BeginQuery: "begin isolation level read committed; set local plan_cache_mode = force_custom_plan"}
	}
	inner, err := p.writers.BeginTx(ctx, options)
	if err != nil {
		return false, unanswered(ctx, err)
	}
	// Also after a panic; ctx may have ended, and the connection must still come back clean.
	defer inner.Rollback(context.WithoutCancel(ctx))
	tx := &Tx{db: p.db, writes: true, pgx: inner}
	if err := p.db.run(tx, fn); err != nil {
		return tx.again, err
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	started := time.Now()
	err = inner.Commit(ctx)
	p.db.stats.committed(1, time.Since(started), err)
	switch {
	case errors.Is(err, pgx.ErrTxCommitRollback):
		return tx.again, fault.Errorf(fault.Internal, "commit: a statement failed and its error was not returned: %w", err)
	case err != nil:
		return retryable(err), fault.Wrap(unanswered(ctx, err), "commit")
	}
	p.db.committed(tx.hooks)
	return false, nil
}

func (p *postgres) read(ctx context.Context, fn func(*Tx) error) error {
	inner, err := p.readers.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return unanswered(ctx, err)
	}
	defer inner.Rollback(context.WithoutCancel(ctx))
	return p.db.run(&Tx{db: p.db, pgx: inner}, fn)
}

// readOne needs no transaction: a statement alone has its own snapshot.
func (p *postgres) readOne(ctx context.Context, fn func(*Tx) error) error {
	conn, err := p.readers.Acquire(ctx)
	if err != nil {
		return unanswered(ctx, err)
	}
	defer conn.Release()
	return p.db.run(&Tx{db: p.db, pgx: conn, one: true}, fn)
}

// unanswered is translate for what can wait for the network: a time limit of pgx, or the end of its pool,
// is not a cancellation by the caller.
func unanswered(ctx context.Context, err error) error {
	if fault.Is(err, fault.Canceled) && ctx.Err() == nil {
		return &fault.Error{Kind: fault.Unavailable, Message: silent, Err: err}
	}
	return translate(err)
}

func (p *postgres) close() error {
	p.cancel()
	p.loops.Wait()
	err := p.db.outer.Close()
	p.readers.Close()
	p.writers.Close()
	return err
}

// Analyze has PostgreSQL look at what is in tables now, so that plans that were kept from when they were small are made anew. It
// would do so by itself within a minute or so. SQLite has no such plans.
func (db *DB) Analyze(ctx context.Context, tables ...string) error {
	if db.pool == nil {
		return nil
	}
	names := make([]string, len(tables))
	for i, table := range tables {
		names[i] = pgx.Identifier{table}.Sanitize()
	}
	_, err := db.pool.Exec(ctx, "ANALYZE (SKIP_LOCKED) "+strings.Join(names, ", "))
	return unanswered(ctx, err)
}

// Batch sends statements together and gives the first error; PostgreSQL only.
func (tx *Tx) Batch(ctx context.Context, batch *pgx.Batch) error {
	if tx.one {
		return errOne()
	}
	if _, err := tx.begin(ctx, nil); err != nil {
		return err
	}
	return tx.fault(tx.pgx.SendBatch(ctx, batch).Close())
}
