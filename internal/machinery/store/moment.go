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

// lent is the moment that was asked for first in a request, for who asks next.
type lent struct {
	mu     sync.Mutex
	asked  bool
	db     *DB // none when nothing is lent
	moment int64
	until  time.Time
}

type lentKey struct{}

// Lend gives a context for the life of a request that asks for two moments as a rule: the second time it is given that of the
// first, which came after the request did, unless the request has written meanwhile or some time has passed.
func Lend(ctx context.Context) context.Context { return context.WithValue(ctx, lentKey{}, &lent{}) }

// take gives what is lent, once.
func (l *lent) take(db *DB) (int64, bool) {
	if l == nil {
		return 0, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	ok := l.db == db && time.Now().Before(l.until)
	l.db = nil
	return l.moment, ok
}

// lend keeps the first moment of a request, which began to be asked for at a time.
func (l *lent) lend(db *DB, moment int64, began time.Time) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.asked {
		l.asked, l.db, l.moment, l.until = true, db, moment, began.Add(lendTime)
	}
}

// refuse ends it: the request writes.
func (l *lent) refuse() {
	if l == nil {
		return
	}
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
	l := lentIn(ctx)
	if moment, ok := l.take(p.db); ok {
		return moment
	}
	began := time.Now()
	values, err := p.moments.together(ctx, nil)
	if err != nil {
		return NoMoment
	}
	moment := values[struct{}{}]
	l.lend(p.db, moment, began)
	return moment
}
