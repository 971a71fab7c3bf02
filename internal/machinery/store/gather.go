package store

import (
	"context"
	"runtime/debug"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Gathered asks PostgreSQL once for what several want to know at the same time: while one question is under way, those who
// come gather for the next. Nobody is answered with what was read before they asked. SQLite, and a transaction, which sees
// its own changes, are asked by each for itself.
type Gathered[K comparable, V any] struct {
	// Ask gives the values of keys, those that there are. Whoever gathered shares them.
	Ask func(ctx context.Context, keys []K) (map[K]V, error)
	// Time is how long one question may take.
	Time time.Duration
	// AtOnce is how many questions are asked at the same time, one when it is 0.
	AtOnce int

	mu   sync.Mutex
	asks int          // questions under way
	next *round[K, V] // who comes now waits for it
}

// round is a question of several.
type round[K comparable, V any] struct {
	keys     []K
	answered chan struct{}
	values   map[K]V
	err      error
}

// mostGathered bounds the keys of one question.
const mostGathered = 500

// Of gives the values of keys, and maybe those of other keys, which others asked for. Where they together are told an error
// that may be due to the keys of one, each asks for itself; a database that does not answer is not asked the more.
func (g *Gathered[K, V]) Of(ctx context.Context, db *DB, keys []K) (map[K]V, error) {
	if db.dialect == Postgres && db.current() == nil {
		values, err := g.together(ctx, keys)
		if err == nil || ctx.Err() != nil || fault.Is(err, fault.Unavailable) || fault.Is(err, fault.Canceled) {
			return values, err
		}
	}
	return g.Ask(ctx, keys)
}

func (g *Gathered[K, V]) together(ctx context.Context, keys []K) (map[K]V, error) {
	g.mu.Lock()
	if g.next == nil {
		g.next = &round[K, V]{answered: make(chan struct{})}
	}
	mine := g.next
	if len(mine.keys) > mostGathered {
		g.mu.Unlock()
		return nil, fault.Errorf(fault.Exhausted, "too much is asked for at once")
	}
	mine.keys = append(mine.keys, keys...)
	if g.asks < max(1, g.AtOnce) {
		g.asks++
		go g.answer()
	}
	g.mu.Unlock()
	select {
	case <-mine.answered:
		return mine.values, mine.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// answer asks for all who gather, until nobody does. Nobody waits for its end, but DB.Close for its question.
func (g *Gathered[K, V]) answer() {
	for {
		g.mu.Lock()
		r := g.next
		if g.next = nil; r == nil {
			g.asks--
		}
		g.mu.Unlock()
		if r == nil {
			return
		}
		r.values, r.err = g.ask(r.keys)
		close(r.answered)
	}
}

// ask is on behalf of nobody: whoever was first may go while the others wait.
func (g *Gathered[K, V]) ask(keys []K) (values map[K]V, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.Errorf(fault.Internal, "a question to the database panicked: %v\n%s", p, debug.Stack())
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), g.Time)
	defer cancel()
	values, err = g.Ask(ctx, keys)
	if err != nil && ctx.Err() != nil {
		err = fault.Errorf(fault.Unavailable, "the database has not answered within %s; try again later: %w", g.Time, err)
	}
	return values, err
}
