package store

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	groupCount = 256                   // functions in one commit, at most
	groupTime  = 20 * time.Millisecond // after this no further function joins a commit
	slowWrite  = time.Second           // a function that holds the writer longer is logged
)

// writer owns SQLite's one writing connection. It opens a transaction, gives the functions that wait their
// turn one after another, each in a savepoint and on its caller's own goroutine (so that a panic or the end of
// a test stays the caller's), and commits them together.
type writer struct {
	db    *DB
	link  *link
	queue chan *request
	quit  chan struct{}
	done  sync.WaitGroup
}

const (
	waiting int32 = iota
	running
	abandoned
)

type request struct {
	state  atomic.Int32
	turn   chan *Tx     // the writer gives the turn
	back   chan outcome // the caller gives it back
	result chan error   // how the commit went
	hooks  []func()
}

type outcome struct {
	keep   bool  // the function's work is part of the commit
	broken error // the transaction itself is lost, for everybody in it
}

func startWriter(db *DB, k *link) *writer {
	w := &writer{db: db, link: k, queue: make(chan *request, groupCount), quit: make(chan struct{})}
	w.done.Go(w.loop)
	return w
}

// stop ends the writer once everything that waits has been served.
func (w *writer) stop() {
	close(w.quit)
	w.done.Wait()
	w.link.close()
}

func (w *writer) write(ctx context.Context, fn func(*Tx) error) error {
	r := &request{turn: make(chan *Tx, 1), back: make(chan outcome, 1), result: make(chan error, 1)}
	closed := fault.Errorf(fault.Unavailable, "the database is closed")
	select {
	case w.queue <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.quit:
		return closed
	}
	var tx *Tx
	select {
	case tx = <-r.turn:
	case <-ctx.Done():
		if r.state.CompareAndSwap(waiting, abandoned) {
			return ctx.Err()
		}
		tx = <-r.turn
	}
	if tx == nil { // no transaction could be opened
		return <-r.result
	}
	if err := w.attempt(ctx, r, tx, fn); err != nil {
		return err
	}
	return <-r.result
}

// attempt runs fn in its savepoint and gives the turn back, whatever fn does.
func (w *writer) attempt(ctx context.Context, r *request, tx *Tx, fn func(*Tx) error) error {
	background := context.Background()
	started := time.Now()
	var out outcome
	kept := false
	defer func() {
		if !kept {
			w.db.stats.failed.Add(1)
			if out.broken == nil {
				out.broken = w.undo()
			}
		}
		if took := time.Since(started); took > slowWrite {
			w.db.log.Warn("a transaction held the only writer for long", "took", took)
		}
		out.keep = kept && out.broken == nil
		r.back <- out
	}()
	if _, err := w.link.exec(background, "SAVEPOINT one", nil); err != nil {
		out.broken = translate(err)
		return out.broken
	}
	if err := w.db.run(tx, fn); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := w.link.exec(background, "RELEASE one", nil); err != nil {
		return translate(err)
	}
	r.hooks = tx.hooks
	kept = true
	return nil
}

func (w *writer) undo() error {
	background := context.Background()
	if _, err := w.link.exec(background, "ROLLBACK TO one", nil); err != nil {
		return translate(err)
	}
	_, err := w.link.exec(background, "RELEASE one", nil)
	return translate(err)
}

func (w *writer) loop() {
	for {
		select {
		case r := <-w.queue:
			w.group(r)
		case <-w.quit:
			w.drain()
			return
		}
		runtime.Gosched() // those just answered may have more to write: let them join the next group
	}
}

func (w *writer) drain() {
	for {
		select {
		case r := <-w.queue:
			w.group(r)
		default:
			return
		}
	}
}

// group runs first and whoever waits behind it in one transaction.
func (w *writer) group(first *request) {
	if !first.state.CompareAndSwap(waiting, running) {
		return
	}
	inner, err := w.link.conn.BeginTx(context.Background(), nil)
	if err != nil {
		first.turn <- nil
		first.result <- fault.Wrap(translate(err), "begin")
		return
	}
	until := time.Now().Add(groupTime)
	var kept []*request
	var lost error
	for r := first; r != nil && lost == nil; r = w.next(len(kept), until) {
		if r != first && !r.state.CompareAndSwap(waiting, running) {
			continue
		}
		r.turn <- &Tx{db: w.db, writes: true, link: w.link, sql: inner}
		out := <-r.back
		if out.keep {
			kept = append(kept, r)
		}
		lost = out.broken
	}
	w.settle(inner, kept, lost)
}

// next gives a function that waits, nil when there is none or the group is full.
func (w *writer) next(count int, until time.Time) *request {
	if count >= groupCount || !time.Now().Before(until) {
		return nil
	}
	select {
	case r := <-w.queue:
		return r
	default:
		return nil
	}
}

func (w *writer) settle(inner *sql.Tx, kept []*request, err error) {
	started := time.Now()
	if err == nil && len(kept) > 0 {
		err = translate(inner.Commit())
	} else {
		err = errors.Join(err, ignoreDone(inner.Rollback()))
	}
	if err != nil {
		inner.Rollback() // a failed COMMIT can leave the transaction open
		err = fault.Wrap(err, "commit")
	}
	w.db.stats.committed(len(kept), time.Since(started), err)
	for _, r := range kept {
		if err == nil {
			w.db.committed(r.hooks)
		}
		r.result <- err
	}
}

// ignoreDone forgives that SQLite has undone the transaction by itself.
func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return translate(err)
}
