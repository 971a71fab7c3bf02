package repository

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// ask is what somebody wants of the next look at an outside repository.
type ask struct {
	forced   bool     // the references are compared, whatever the forge says of changes
	mirror   bool     // it is to be there
	branches []string // that are to be in the rows, as full references
	commits  []string // that are to be there
	pushes   []sent   // that a forge told of
}

func (a ask) none() bool {
	return !a.forced && !a.mirror && len(a.branches) == 0 && len(a.commits) == 0 && len(a.pushes) == 0
}

// and adds what somebody else wants.
func (a *ask) and(b ask) {
	a.forced, a.mirror = a.forced || b.forced, a.mirror || b.mirror
	a.branches, a.commits, a.pushes = append(a.branches, b.branches...), append(a.commits, b.commits...), append(a.pushes, b.pushes...)
}

// sent is a push as a forge tells of it.
type sent struct {
	ref, old, hash string // old is "" when it is not told, or there was none
	by             mark
}

// watch is what is known of an outside repository beside its rows; it is found out again after a restart.
type watch struct {
	integration string
	interval    time.Duration // of the integration; 0 when it says none
	next        time.Time     // when it is looked at
	looked      time.Time     // when that worked last
	beside      time.Time     // when what is asked beside looks was asked for last; zero: it is to be asked for
	byAPI       bool          // it was read by API at the last look, since nobody needed more of it
	hooked      time.Time     // when a webhook told of it last
	seen        int64         // what the forge said of its last change, in microseconds, before the references were compared last
	failures    int
	failed      error // of the last look
	behind      int
	progress    git.Progress
	asks        ask        // for the next look
	rested      Repository // its row at the last look, when nothing was to be done
	restedRead  time.Time  // when that was read; zero: there is none
	running     *flight
	following   *flight              // waits for running to end
	absent      map[string]time.Time // commits that the forge has not, and until when that is believed
}

// flight is one look, which all who ask meanwhile share.
type flight struct {
	done chan struct{}
	err  error
}

// watches are the outside repositories that this server follows.
type watches struct {
	mu   sync.Mutex
	byID map[string]*watch
	held map[string]time.Time // integrations whose forge wants to be left alone, and until when
	wake chan struct{}

	line      map[string][]string // ids of those that are due, by their integration
	looking   int                 // of the loop, now
	lookingBy map[string]int      // the same, by integration
}

func newWatches() *watches {
	return &watches{
		byID: map[string]*watch{}, held: map[string]time.Time{}, wake: make(chan struct{}, 1),
		line: map[string][]string{}, lookingBy: map[string]int{},
	}
}

// get gives a watch; the caller has the lock.
func (w *watches) get(id string) *watch {
	if w.byID[id] == nil {
		w.byID[id] = &watch{absent: map[string]time.Time{}}
	}
	return w.byID[id]
}

// soon has a repository looked at by the loop.
func (w *watches) soon(id, integration string, at time.Time) {
	w.mu.Lock()
	watched := w.get(id)
	watched.integration, watched.next, watched.failures, watched.failed = integration, at, 0, nil
	watched.asks.forced = true // a look that runs now may have looked before
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// with runs fn on a watch under the lock.
func (w *watches) with(id string, fn func(*watch)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fn(w.get(id))
}

// hold leaves the forge of a repository alone until a time that it named.
func (w *watches) hold(id string, until time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held[w.get(id).integration] = until.Add(spread(5 * time.Second))
}

func (w *watches) state(id string) (f Following) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if one := w.byID[id]; one != nil {
		f = Following{Looked: one.looked, Next: one.next, Busy: one.running != nil, Progress: one.progress, Behind: one.behind}
		if held := w.held[one.integration]; held.After(f.Next) {
			f.Next = held
		}
	}
	return f
}

// fly runs fn, once for all who ask at the same time. What was asked for while one runs is done by the next, since the one
// that runs may have looked before.
func (w *watches) fly(ctx context.Context, id string, fn func(ctx context.Context) error) error {
	for {
		w.mu.Lock()
		watched := w.get(id)
		if watched.running == nil {
			mine := &flight{done: make(chan struct{})}
			watched.running = mine
			w.mu.Unlock()
			return w.lead(ctx, watched, mine, fn)
		}
		running, shared := watched.running, watched.following
		if shared == nil {
			mine := &flight{done: make(chan struct{})}
			watched.following = mine
			w.mu.Unlock()
			select {
			case <-running.done:
			case <-ctx.Done():
				w.mu.Lock()
				watched.following = nil
				w.mu.Unlock()
				mine.err = fault.Errorf(fault.Canceled, "the look was given up: %w", ctx.Err())
				close(mine.done)
				return mine.err
			}
			w.mu.Lock()
			watched.running, watched.following = mine, nil
			w.mu.Unlock()
			return w.lead(ctx, watched, mine, fn)
		}
		w.mu.Unlock()
		select {
		case <-shared.done:
		case <-ctx.Done():
			return fault.Errorf(fault.Canceled, "wait for the forge: %w", ctx.Err())
		}
		if !fault.Is(shared.err, fault.Canceled) || ctx.Err() != nil {
			return shared.err // otherwise who led has gone
		}
	}
}

func (w *watches) lead(ctx context.Context, watched *watch, mine *flight, fn func(ctx context.Context) error) error {
	mine.err = fault.Errorf(fault.Internal, "the look ended early")
	defer func() {
		w.mu.Lock()
		if watched.running == mine {
			watched.running, watched.progress = nil, git.Progress{}
		}
		w.mu.Unlock()
		close(mine.done)
	}()
	mine.err = fn(ctx)
	return mine.err
}

const (
	looksAtOnce    = 16 // of the loop
	looksShare     = 4  // of one integration
	relist         = 24 * time.Hour
	hookedInterval = 6 // times the interval of polling, where webhooks come
	hookedFor      = 24 * time.Hour
	firstRetry     = 30 * time.Second
	lastRetry      = time.Hour
	forgetAfter    = 7 * 24 * time.Hour
	absentFor      = time.Minute
	restedFor      = 10 * time.Minute
)

// spread gives a time between 80 and 120 percent of d, so that not all are looked at together.
func spread(d time.Duration) time.Duration {
	return d*4/5 + rand.N(d*2/5+1)
}

// due lines up the repositories whose time has come, the longest due first, and gives for each integration how many looks
// at them may begin now. Each takes what is next in the line, until there is no more.
func (w *watches) due(now time.Time) (starts []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.line)
	for id, one := range w.byID {
		if one.running == nil && one.integration != "" && !one.next.After(now) && !w.held[one.integration].After(now) {
			w.line[one.integration] = append(w.line[one.integration], id)
		}
	}
	for integration, ids := range w.line {
		slices.SortFunc(ids, func(a, b string) int { return w.byID[a].next.Compare(w.byID[b].next) })
		for range ids {
			if w.looking >= looksAtOnce || w.lookingBy[integration] >= looksShare {
				break
			}
			w.looking++
			w.lookingBy[integration]++
			starts = append(starts, integration)
		}
	}
	return starts
}

// take gives the next in the line of an integration; without one, the looks that began with due are one fewer.
func (w *watches) take(ctx context.Context, integration string, now time.Time) (id string, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.line[integration]) > 0 && ctx.Err() == nil && !w.held[integration].After(now) {
		id, w.line[integration] = w.line[integration][0], w.line[integration][1:]
		if one := w.byID[id]; one != nil && one.running == nil && !one.next.After(now) {
			return id, true
		}
	}
	w.looking--
	if w.lookingBy[integration]--; w.lookingBy[integration] == 0 {
		delete(w.lookingBy, integration)
	}
	return "", false
}

// follow looks at the outside repositories again and again, until ctx ends.
func (s *Service) follow(ctx context.Context) {
	if s.outside.Forges == nil {
		return
	}
	var looking sync.WaitGroup
	defer looking.Wait()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var read time.Time
	for {
		if time.Since(read) > 30*time.Second {
			read = time.Now()
			s.enlist(ctx)
		}
		for _, integration := range s.watches.due(s.now()) {
			looking.Go(func() {
				for {
					id, ok := s.watches.take(ctx, integration, s.now())
					if !ok {
						return
					}
					if s.look(ctx, id, ask{}) == nil { // what is wrong is in the row
						s.askBeside(ctx, id)
					}
				}
			})
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.watches.wake:
		}
	}
}

// Beside has fn ask the forge of a repository for what another room follows there: after looks of the loop that went well, and no
// more often than every; of one of which only files are read, once, and when somebody has it fetched. What it costs is asked
// for at the same pace as looks are, and where nothing has changed fn writes nothing. Call it before Run.
func (s *Service) Beside(every time.Duration, fn func(ctx context.Context, id string) error) {
	s.beside, s.besideEvery = fn, every
}

func (s *Service) askBeside(ctx context.Context, id string) {
	now, due := s.now(), false
	s.watches.with(id, func(w *watch) {
		if due = s.beside != nil && now.Sub(w.beside) >= s.besideEvery && (!w.byAPI || w.beside.IsZero()); due {
			w.beside = now
		}
	})
	if !due {
		return
	}
	err := s.beside(ctx, id)
	if err == nil || ctx.Err() != nil {
		return
	}
	if until, ok := forge.Until(err); ok {
		s.watches.hold(id, until)
	}
	s.log.Warn("ask for what else a repository has at its forge; it is asked for again", "repository", id, "error", err)
}

// enlist brings the watches to what the rows say.
func (s *Service) enlist(ctx context.Context) {
	err := s.db.Read(ctx, func(tx *store.Tx) error {
		all, err := outsiders(ctx, tx)
		if err != nil {
			return err
		}
		known := map[string]bool{}
		w := s.watches
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, o := range all {
			known[o.id] = true
			if one := w.get(o.id); one.integration == "" {
				one.integration = o.integration
				if one.next.IsZero() {
					one.next = s.now().Add(rand.N(s.outside.Poll))
				}
			}
		}
		for id, one := range w.byID {
			if !known[id] && one.running == nil && one.following == nil {
				delete(w.byID, id)
			}
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		s.log.Error("look for the repositories at forges; it is tried again", "error", err)
	}
}
