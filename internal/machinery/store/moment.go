package store

import (
	"context"
	"sync"
	"time"
)

// NoMoment is that of what may have changed by the time that it is read.
const NoMoment = int64(-1)

// momentTime is how long PostgreSQL may take to say which moment it is; it is there to save time.
const momentTime = time.Second

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

// moments has PostgreSQL be asked which moment it is, once for all who want to know at the same time. It is what a transaction
// that began now would see; a commit in another database of the same server ends it, too.
type moments struct {
	turn chan struct{} // to ask

	mu       sync.Mutex
	next     *question // who comes now waits for it
	snapshot string
	number   int64
}

type question struct {
	answered chan struct{}
	moment   int64
}

func newMoments() *moments { return &moments{turn: make(chan struct{}, 1)} }

func (p *postgres) moment(ctx context.Context) int64 {
	m := p.moments
	m.mu.Lock()
	if m.next == nil {
		m.next = &question{answered: make(chan struct{}), moment: NoMoment}
	}
	mine := m.next
	m.mu.Unlock()
	select {
	case m.turn <- struct{}{}:
		m.mu.Lock()
		asked := m.next // another has asked mine, when it isn't this one
		m.next = nil
		m.mu.Unlock()
		if asked != nil {
			p.answer(ctx, asked)
		}
		<-m.turn
	case <-mine.answered:
	case <-ctx.Done():
		return NoMoment
	}
	select {
	case <-mine.answered:
		return mine.moment
	case <-ctx.Done():
		return NoMoment
	}
}

// answer asks for all who wait for q, also when ctx ends.
func (p *postgres) answer(ctx context.Context, q *question) {
	defer close(q.answered)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), momentTime)
	defer cancel()
	var snapshot string
	if err := p.readers.QueryRow(ctx, "SELECT pg_current_snapshot()::text").Scan(&snapshot); err != nil {
		return
	}
	m := p.moments
	m.mu.Lock()
	defer m.mu.Unlock()
	if snapshot != m.snapshot {
		m.snapshot = snapshot
		m.number++
	}
	q.moment = m.number
}
