package ledger

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Handler takes one entry in the transaction that advances the cursor. It only writes rows and enqueues:
// what it does is undone and done again when the transaction fails. It acts as the platform, and what it
// appends names e as its cause.
type Handler func(ctx context.Context, tx *store.Tx, e Entry) error

const (
	batchCount = 100
	batchTime  = 10 * time.Millisecond // a batch ends then, so that other writers get their turn
	gatherTime = 20 * time.Millisecond // what comes so soon after an entry is taken with it; whoever caused it goes on meanwhile
	skipCount  = 1000                  // so many entries that nobody wanted are passed over in one write
)

// Subscription is how far a subscriber is.
type Subscription struct {
	Name     string
	Position int64     // what it has taken
	Lag      int64     // sealed entries that it hasn't looked at
	Failures int       // failed attempts in a row; 0 when it is well
	Failing  int64     // position of the entry that fails
	Error    string    // of the last attempt, for administrators
	Since    time.Time // of the first failed attempt
}

type subscriber struct {
	name    string
	types   []string
	handler Handler

	mu      sync.Mutex
	state   Subscription
	scanned int64 // up to here nothing that is wanted is left behind the cursor
	limit   int
}

// Subscribe has h take every entry of the given types, once and in order, from the first entry on; a name
// keeps its place over restarts. Types are exact, or prefixes that end in '.'; nil means all. Call it before
// Run; a second subscriber of the same name is a defect and panics.
func (l *Ledger) Subscribe(name string, types []string, h Handler) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running {
		panic("ledger: Subscribe " + name + " after Run")
	}
	for _, s := range l.subscribers {
		if s.name == name {
			panic("ledger: two subscribers are named " + name)
		}
	}
	l.subscribers = append(l.subscribers, &subscriber{name: name, types: types, handler: h, limit: batchCount,
		state: Subscription{Name: name}})
}

// Run seals (on PostgreSQL) and serves the subscribers until ctx ends.
func (l *Ledger) Run(ctx context.Context) error {
	l.mu.Lock()
	if l.running {
		l.mu.Unlock()
		return fault.Errorf(fault.Internal, "the ledger runs already")
	}
	l.running = true
	subscribers := l.subscribers
	l.mu.Unlock()
	var group sync.WaitGroup
	group.Go(func() { l.sealer(ctx) })
	group.Go(func() { l.learn(ctx) })
	for _, s := range subscribers {
		group.Go(func() { l.serve(ctx, s) })
	}
	<-ctx.Done()
	group.Wait()
	l.mu.Lock()
	l.running = false
	l.mu.Unlock()
	return nil
}

// Subscriptions tells how far the subscribers of this process are.
func (l *Ledger) Subscriptions(ctx context.Context, tx *store.Tx) ([]Subscription, error) {
	position, _, err := l.Head(ctx, tx)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []Subscription
	for _, s := range l.subscribers {
		s.mu.Lock()
		state := s.state
		state.Lag = max(0, position-max(state.Position, s.scanned))
		s.mu.Unlock()
		all = append(all, state)
	}
	return all, nil
}

// serve is the loop of one subscriber.
func (l *Ledger) serve(ctx context.Context, s *subscriber) {
	pause := backoff{}
	for ctx.Err() == nil {
		more, err := l.step(ctx, s)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if s.limit == 1 || pause.count > 0 {
				l.log.Warn("a subscriber of the ledger failed; it is tried again", "subscriber", s.name, "error", err)
				pause.wait(ctx)
			}
			continue
		}
		pause = backoff{}
		if !more {
			l.await(ctx, s)
			select {
			case <-time.After(gatherTime):
			case <-ctx.Done():
			}
		}
	}
}

// await returns when there may be something for s to take or to pass over, or ctx ends.
func (l *Ledger) await(ctx context.Context, s *subscriber) {
	for {
		s.mu.Lock()
		cursor := s.state.Position
		after := max(cursor, s.scanned)
		s.mu.Unlock()
		wanted, upTo, grown := l.tail.wants(s.types, after)
		if s.passed(cursor, upTo); wanted || upTo-cursor >= skipCount {
			return
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return
		}
	}
}

// step takes one batch; more tells that there may be another.
func (l *Ledger) step(ctx context.Context, s *subscriber) (more bool, err error) {
	var cursor, sealed int64
	var entries []Entry
	err = l.db.Read(ctx, func(tx *store.Tx) error {
		if cursor, err = readCursor(ctx, tx, s.name, ""); err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		if sealed, _, err = l.Head(ctx, tx); err != nil {
			return err
		}
		entries, err = l.List(ctx, tx, Query{After: max(cursor, s.scanned), Types: s.types, Limit: s.limit})
		return err
	})
	if err != nil {
		return false, s.failed(l.now(), 0, err)
	}
	l.know(sealed)
	if len(entries) == 0 {
		s.passed(cursor, sealed)
		if sealed-cursor < skipCount {
			return false, nil
		}
		return false, s.failed(l.now(), 0, l.skip(ctx, s, sealed))
	}
	full := len(entries) == s.limit
	taken, failing, err := l.take(ctx, s, entries)
	if err != nil {
		// First commit what succeeded before it, then try it alone.
		s.limit = max(1, taken)
		return false, s.failed(l.now(), failing, err)
	}
	s.limit = batchCount
	last := entries[len(entries)-1].Position
	if taken == len(entries) && !full {
		s.passed(last, sealed)
		return false, nil
	}
	s.passed(entries[max(taken, 1)-1].Position, 0)
	return true, nil
}

// take runs the handler on entries and advances the cursor, in one transaction. It may stop early when that
// takes long. When it fails, taken tells how many succeeded before.
func (l *Ledger) take(ctx context.Context, s *subscriber, entries []Entry) (taken int, failing int64, err error) {
	err = l.db.Write(ctx, func(tx *store.Tx) error {
		taken, failing = 0, 0
		if _, err := tx.Exec(ctx, `INSERT INTO ledger_cursors (name, position, updated) VALUES ($1, 0, $2) ON CONFLICT (name) DO NOTHING`,
			s.name, l.now()); err != nil {
			return err
		}
		cursor, err := readCursor(ctx, tx, s.name, tx.ForUpdate())
		if err != nil {
			return err
		}
		started := time.Now()
		for _, e := range entries {
			if e.Position > cursor { // else another server was quicker
				failing = e.Position
				if err := s.handle(ctx, tx, e); err != nil {
					return err
				}
				cursor, failing = e.Position, 0
			}
			taken++
			if time.Since(started) > batchTime {
				break
			}
		}
		return l.advance(ctx, tx, s.name, cursor)
	})
	return taken, failing, err
}

func (s *subscriber) handle(ctx context.Context, tx *store.Tx, e Entry) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the handler panicked: %v\n%s", p, debug.Stack())
		}
	}()
	err = s.handler(actor.AsSystem(WithCause(ctx, e.ID)), tx, e)
	return fault.Wrap(err, "handle %s at %d", e.Type, e.Position)
}

// skip passes over entries that s doesn't want, so that a restart need not look at them again.
func (l *Ledger) skip(ctx context.Context, s *subscriber, position int64) error {
	return l.db.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO ledger_cursors (name, position, updated) VALUES ($1, $2, $3)
			ON CONFLICT (name) DO UPDATE SET position = excluded.position, updated = excluded.updated
			WHERE ledger_cursors.position < excluded.position`, s.name, position, l.now())
		return err
	})
}

func (l *Ledger) advance(ctx context.Context, tx *store.Tx, name string, position int64) error {
	_, err := tx.Exec(ctx, `UPDATE ledger_cursors SET position = $1, updated = $2 WHERE name = $3`, position, l.now(), name)
	return err
}

func readCursor(ctx context.Context, tx *store.Tx, name, lock string) (position int64, err error) {
	err = tx.QueryRow(ctx, `SELECT position FROM ledger_cursors WHERE name = $1`+lock, name).Scan(&position)
	return position, err
}

// passed notes that all is well and how far s is.
func (s *subscriber) passed(cursor, scanned int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scanned = max(s.scanned, scanned)
	s.state = Subscription{Name: s.name, Position: max(s.state.Position, cursor)}
}

// failed notes an error, nil too, and gives it back.
func (s *subscriber) failed(now time.Time, position int64, err error) error {
	if err == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Failures == 0 {
		s.state.Since = now
	}
	s.state.Failures++
	s.state.Failing, s.state.Error = position, err.Error()
	return err
}

const (
	shortest = 10 * time.Millisecond
	longest  = 30 * time.Second
)

// backoff is a pause that doubles.
type backoff struct{ count int }

func (b *backoff) wait(ctx context.Context) {
	pause := longest
	if b.count < 12 {
		pause = min(longest, shortest<<b.count)
	}
	b.count++
	timer := time.NewTimer(pause/2 + rand.N(pause/2))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
