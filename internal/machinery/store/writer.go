package store

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"sync/atomic"
	"time"

	"modernc.org/libc"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	groupCount = 256                   // functions in one commit, at most
	groupTime  = 8 * time.Millisecond  // after this no further function joins a commit
	slowWrite  = 5 * time.Second       // a function that holds the writer longer is logged
	followTime = 5 * time.Millisecond  // a long one waits so long, at a time, for what follows a commit; see Followed
	followMost = 25 * time.Millisecond // and so long in all
)

// writer owns SQLite's one writing connection. It opens a transaction, gives the functions that wait their
// turn one after another, each in a savepoint and on its caller's own goroutine (so that a panic or the end of
// a test stays the caller's), and commits them together.
type writer struct {
	db    *DB
	link  *link
	queue chan *request
	ahead chan *request // before those of queue
	quit  chan struct{} // closed: take no more
	gone  chan struct{} // closed: the loop has ended
	open  func(context.Context) (*link, error)
	held  []*request    // long ones, each of which begins a group
	tls   *libc.TLS     // of the loop
	grown chan struct{} // see checkpoints
	pages int           // that the log had got when that was last told

	follows                time.Time // until then something is expected to follow the last group
	followTime, followMost time.Duration
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
	long   bool      // see Long
	since  time.Time // of a long one: when its turn could have come

	followed bool // see Followed
	ahead    bool // see Ahead
}

type outcome struct {
	keep   bool  // the function's work is part of the commit
	broken error // the transaction itself is lost, for everybody in it
}

// startWriter starts the loop, which owns the connection that open gives.
func startWriter(ctx context.Context, db *DB, open func(context.Context) (*link, error)) (*writer, error) {
	k, err := open(ctx)
	if err != nil {
		return nil, err
	}
	w := &writer{db: db, link: k, open: open, queue: make(chan *request, groupCount), ahead: make(chan *request, groupCount),
		grown: make(chan struct{}, 1), quit: make(chan struct{}), gone: make(chan struct{}), followTime: followTime, followMost: followMost}
	go w.loop() // ended by stop
	return w, nil
}

// stop ends the writer once everything that waits has been served.
func (w *writer) stop() {
	close(w.quit)
	<-w.gone
	_ = w.link.close() // nothing uses it any more
}

func (w *writer) write(ctx context.Context, fn func(*Tx) error) error {
	r := &request{turn: make(chan *Tx, 1), back: make(chan outcome, 1), result: make(chan error, 1), long: isLong(ctx), followed: isFollowed(ctx), ahead: isAhead(ctx)}
	queue := w.queue
	if r.ahead {
		queue = w.ahead
	}
	select {
	case queue <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.quit:
		return errClosed()
	}
	tx, err := w.wait(ctx, r)
	if err != nil {
		return err
	}
	if tx == nil { // no transaction could be opened
		return <-r.result
	}
	if err := w.attempt(ctx, r, tx, fn); err != nil {
		return err
	}
	return <-r.result
}

// wait gives the transaction when it is r's turn.
func (w *writer) wait(ctx context.Context, r *request) (*Tx, error) {
	select {
	case tx := <-r.turn:
		return tx, nil
	case <-ctx.Done():
		if r.state.CompareAndSwap(waiting, abandoned) {
			return nil, ctx.Err()
		}
	case <-w.gone:
		if r.state.CompareAndSwap(waiting, abandoned) {
			return nil, errClosed()
		}
	}
	return <-r.turn, nil
}

// attempt runs fn in its savepoint and gives the turn back, whatever fn does.
func (w *writer) attempt(ctx context.Context, r *request, tx *Tx, fn func(*Tx) error) (err error) {
	background := context.Background()
	watch := time.AfterFunc(slowWrite, func() {
		w.db.log.Warn("a transaction holds the only writer; it may wait for something outside", "for", slowWrite)
	})
	kept := false
	defer func() { // also after a panic of fn, and after the end of a test in it
		watch.Stop()
		var out outcome
		if !kept {
			w.db.stats.failed.Add(1)
			out.broken = w.undo(err)
		}
		out.keep = kept
		r.back <- out
	}()
	if _, err := w.link.exec(background, "SAVEPOINT one", nil); err != nil {
		return translate(err)
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

// undo takes back what one function did. An error means that the transaction is lost for everybody in it:
// after a full disk or a failed one SQLite undoes it by itself, and then cause says more than the savepoint
// that is gone.
func (w *writer) undo(cause error) error {
	background := context.Background()
	_, err := w.link.exec(background, "ROLLBACK TO one", nil)
	if err == nil {
		_, err = w.link.exec(background, "RELEASE one", nil)
	}
	if err != nil && fault.Is(cause, fault.Unavailable) {
		return cause
	}
	return translate(err)
}

func (w *writer) loop() {
	defer close(w.gone)
	w.tls = libc.NewTLS()
	defer w.tls.Close()
	w.grown <- struct{}{} // a life before may have left a log
	for {
		r := w.first()
		if r == nil {
			w.drain()
			return
		}
		w.group(r)
		runtime.Gosched() // those just answered may have more to write: let them join the next group
	}
}

// first gives what begins the next group, nil when the writer is stopped. A long one lets pass what follows upon the last
// group.
func (w *writer) first() *request {
	select {
	case r := <-w.ahead:
		return r
	default:
	}
	if len(w.held) == 0 {
		select {
		case r := <-w.ahead:
			return r
		case r := <-w.queue:
			if !r.long {
				return r
			}
			w.hold(r)
		case <-w.quit:
			return nil
		}
	}
	long := w.held[0]
	until := long.since.Add(w.followMost)
	if w.follows.Before(until) {
		until = w.follows
	}
	if wait := time.Until(until); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		for waits := true; waits; {
			select {
			case r := <-w.ahead:
				return r
			case r := <-w.queue:
				if !r.long {
					return r
				}
				w.hold(r)
			case <-timer.C:
				waits = false
			case <-w.quit:
				waits = false
			}
		}
	}
	w.held = w.held[1:]
	return long
}

// come gives a request that waits, one that goes ahead before all others; nil for none.
func (w *writer) come() *request {
	select {
	case r := <-w.ahead:
		return r
	default:
	}
	select {
	case r := <-w.queue:
		return r
	default:
		return nil
	}
}

func (w *writer) hold(r *request) {
	r.since = time.Now()
	w.held = append(w.held, r)
}

func (w *writer) drain() {
	for {
		for len(w.held) > 0 { // a group may hold more of them
			r := w.held[0]
			w.held = w.held[1:]
			w.group(r)
		}
		r := w.come()
		if r == nil {
			return
		}
		w.group(r)
	}
}

// group runs first and whoever waits behind it in one transaction.
func (w *writer) group(first *request) {
	if !first.state.CompareAndSwap(waiting, running) {
		return
	}
	inner, err := w.begin()
	if err != nil {
		first.turn <- nil
		first.result <- fault.Wrap(translate(err), "begin")
		return
	}
	until := time.Now().Add(groupTime)
	var kept []*request
	var lost error
	for r := first; r != nil; {
		r.turn <- &Tx{db: w.db, writes: true, link: w.link, sql: inner}
		out := <-r.back
		if out.keep {
			kept = append(kept, r)
		}
		if lost = out.broken; lost != nil {
			break // whoever still waits gets a transaction that works
		}
		if r.long {
			until = time.Now().Add(groupTime) // those who waited for it share its commit
		}
		if r.ahead {
			until = time.Now() // it waits for none but its like
		}
		r = w.next(len(kept), until)
	}
	w.settle(inner, kept, lost)
}

// begin opens a transaction, on a new connection when the old one has come to harm.
func (w *writer) begin() (*sql.Tx, error) {
	background := context.Background()
	inner, err := w.link.conn.BeginTx(background, nil)
	if err == nil || fault.Is(translate(err), fault.Unavailable) {
		return inner, err
	}
	w.db.log.Warn("the writing connection is made again", "error", err)
	fresh, openErr := w.reopen(background)
	if openErr != nil {
		return nil, errors.Join(err, openErr)
	}
	w.link = fresh
	return w.link.conn.BeginTx(background, nil)
}

func (w *writer) reopen(ctx context.Context) (*link, error) {
	w.link.discard()
	return w.open(ctx)
}

// next gives a function that waits, nil when there is none or the group is full.
func (w *writer) next(count int, until time.Time) *request {
	for count < groupCount && (time.Now().Before(until) || len(w.ahead) > 0) {
		r := w.come()
		if r == nil {
			return nil
		}
		if r.long && count > 0 { // those before it need not wait for it
			w.hold(r)
			return nil
		}
		if r.state.CompareAndSwap(waiting, running) {
			return r
		}
	}
	return nil
}

func (w *writer) settle(inner *sql.Tx, kept []*request, err error) {
	started := time.Now()
	if err == nil && len(kept) > 0 {
		err = translate(inner.Commit())
	} else {
		err = errors.Join(err, ignoreDone(inner.Rollback()))
	}
	if err != nil {
		_, _ = w.link.exec(context.Background(), "ROLLBACK", nil) // a failed COMMIT can leave it open; else this fails
		err = fault.Wrap(err, "commit")
	}
	w.db.stats.committed(len(kept), time.Since(started), err)
	w.follows = time.Time{}
	for _, r := range kept {
		if r.followed {
			w.follows = time.Now().Add(w.followTime)
		}
		if err == nil {
			w.db.committed(r.hooks)
		}
		r.result <- err
	}
	w.grow(w.tls)
}

// ignoreDone forgives that SQLite has undone the transaction by itself.
func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return translate(err)
}
