package repository

import (
	"context"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

const (
	exchangesAtOnce  = 8
	exchangeInterval = 5 * time.Second // between looks for what is due
)

// exchanges are the imports and mirrorings that are under way in this process. What is to be done is in rows: a row is due
// until its outcome is written, so one that a crash cut off is done again.
type exchanges struct {
	wake chan struct{}

	mu   sync.Mutex
	byID map[string]*exchange // of an import's repository, or of a mirror
}

type exchange struct {
	cancel   context.CancelFunc
	progress git.Progress
}

func newExchanges() *exchanges {
	return &exchanges{wake: make(chan struct{}, 1), byID: map[string]*exchange{}}
}

// poke has what is due looked for now.
func (x *exchanges) poke() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// progress gives how far one is; zero when it is not under way.
func (x *exchanges) progress(id string) git.Progress {
	x.mu.Lock()
	defer x.mu.Unlock()
	if one := x.byID[id]; one != nil {
		return one.progress
	}
	return git.Progress{}
}

func (x *exchanges) tell(id string, p git.Progress) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if one := x.byID[id]; one != nil {
		p.Bytes = max(p.Bytes, one.progress.Bytes)
		one.progress = p
	}
}

// stop ends one that is under way.
func (x *exchanges) stop(id string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if one := x.byID[id]; one != nil {
		one.cancel()
	}
}

// begin takes one up; nil when it is under way, or too many are.
func (x *exchanges) begin(ctx context.Context, id string) context.Context {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.byID[id] != nil || len(x.byID) >= exchangesAtOnce {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	x.byID[id] = &exchange{cancel: cancel, progress: git.Progress{Phase: "Connecting"}}
	return ctx
}

func (x *exchanges) end(id string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.byID[id].cancel()
	delete(x.byID, id)
}

// exchangeAll imports and mirrors what is due until ctx ends.
func (s *Service) exchangeAll(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	tick := time.NewTicker(exchangeInterval)
	defer tick.Stop()
	for {
		s.exchangeDue(ctx, &all)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.exchanges.wake:
		}
	}
}

// exchangeDue takes up what is due, as much as there is room for; the end of one looks again.
func (s *Service) exchangeDue(ctx context.Context, all *sync.WaitGroup) {
	var imports, mirrors []string
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		if imports, err = dueImports(ctx, tx, s.now()); err == nil {
			mirrors, err = dueMirrors(ctx, tx, s.now())
		}
		return err
	})
	if err != nil {
		if ctx.Err() == nil {
			s.log.Error("look for imports and mirrors; it is tried again", "error", err)
		}
		return
	}
	take := func(ids []string, do func(ctx context.Context, id string) error) {
		for _, id := range ids {
			one := s.exchanges.begin(ctx, id)
			if one == nil {
				continue
			}
			all.Go(func() {
				err := do(one, id)
				s.exchanges.end(id)
				if err != nil && ctx.Err() == nil {
					s.log.Error("exchange with a repository elsewhere; it is tried again", "id", id, "error", err)
					return // at the next tick
				}
				s.exchanges.poke()
			})
		}
	}
	take(imports, s.importOnce)
	take(mirrors, s.mirrorOnce)
}
