package store

import (
	"context"
	"sync"
	"time"
)

// NoMoment is that of what may have changed by the time that it is read.
const NoMoment = int64(-1)

const (
	momentTime = time.Second           // that PostgreSQL may take to say which moment it is, which is there to save time
	lendTime   = 20 * time.Millisecond // after which a moment is not lent any more
)

// Moment gives a number that is another one after every commit, so that what was read at it need not be read again while
// it stays; whoever reads asks for it first. It is NoMoment where it is not known, and inside a transaction, which sees its
// own changes.
func (db *DB) Moment(ctx context.Context) int64 {
	if db.current() != nil {
		return NoMoment
	}
	return db.engine.moment(ctx)
}

func (l *lite) moment(context.Context) int64 {
	return l.db.stats.commits.Load() + l.db.stats.commitError.Load()
}

// lent is the moment that was asked for first in a request.
type lent struct {
	mu     sync.Mutex
	asked  bool
	db     *DB // none when nothing is lent
	moment int64
	began  time.Time // to be asked for
}

type lentKey struct{}

// Lend gives a context for the life of a request, in which MomentSince may give the moment that was asked for first.
func Lend(ctx context.Context) context.Context { return context.WithValue(ctx, lentKey{}, &lent{}) }

// MomentSince is Moment that need not be asked for again: once in a request, and unless that has written, it is the first that
// the request has asked for, when that was after a time and not long ago. Whoever reads beside something else in memory gives
// the time when that last changed, so as not to hold what was read before that change as what came after it.
func (db *DB) MomentSince(ctx context.Context, since time.Time) int64 {
	if l := lentIn(ctx); l != nil && db.current() == nil {
		if moment, ok := l.take(db, since); ok {
			return moment
		}
	}
	return db.Moment(ctx)
}

// take gives what is lent, once.
func (l *lent) take(db *DB, since time.Time) (int64, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ok := l.db == db && l.began.After(since) && time.Since(l.began) < lendTime
	l.db = nil
	return l.moment, ok
}

// lend keeps the first moment of a request.
func (l *lent) lend(db *DB, moment int64, began time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.asked {
		l.asked, l.db, l.moment, l.began = true, db, moment, began
	}
}

// refuse ends it: the request writes.
func (l *lent) refuse() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked, l.db = true, nil
}

func lentIn(ctx context.Context) *lent {
	l, _ := ctx.Value(lentKey{}).(*lent)
	return l
}

// moments tells which moment it is: what a transaction that began now would see. A commit in another database of the same
// server ends it, too.
type moments struct {
	Gathered[struct{}, int64] // one question after another
	snapshot                  string
	number                    int64
}

func newMoments(p *postgres) *moments {
	m := &moments{}
	m.Time = momentTime
	m.Ask = func(ctx context.Context, _ []struct{}) (map[struct{}]int64, error) {
		var snapshot string
		if err := p.readers.QueryRow(ctx, "SELECT pg_current_snapshot()::text").Scan(&snapshot); err != nil {
			return nil, err
		}
		if snapshot != m.snapshot {
			m.snapshot = snapshot
			m.number++
		}
		return map[struct{}]int64{{}: m.number}, nil
	}
	return m
}

func (p *postgres) moment(ctx context.Context) int64 {
	began := time.Now()
	values, err := p.moments.together(ctx, nil)
	if err != nil {
		return NoMoment
	}
	moment := values[struct{}{}]
	if l := lentIn(ctx); l != nil {
		l.lend(p.db, moment, began)
	}
	return moment
}
