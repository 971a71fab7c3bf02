package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	jobRefresh = "catalog.refresh"
	jobSweep   = "catalog.sweep"
	jobWrong   = "catalog.wrong" // has locations read again of which something was not taken
	sweepEvery = time.Hour
	wrongPause = 30 * time.Second // between two such, since an organization of thousands of repositories may be connected at once
	chunk      = 25               // documents of kinds that others keep in one transaction, so that others get their turn

	refreshTime = time.Hour // of one reading; a million entities take minutes
)

// pace has what is asked for again and again done at once, and then once in each pause.
type pace struct {
	mu    sync.Mutex
	pause time.Duration
	last  time.Time // when it is done last
}

// next gives the time at which what somebody asks for is to be done.
func (p *pace) next(now time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.last.After(now) { // otherwise what waits is done for this too
		if p.last = p.last.Add(p.pause); p.last.Before(now) {
			p.last = now
		}
	}
	return p.last
}

type refreshArgs struct {
	Location string `json:"location"`
	Why      why    `json:"why,omitempty"`
}

// why a location is read.
type why string

const (
	whyPushed why = ""       // its head may be another one, or it was not well
	whyInputs why = "inputs" // what its placeholders bring from elsewhere may be other files
	whyForced why = "forced" // files are read that have not changed
)

func (s *Service) subscribe() {
	queue.Handle(s.queue, jobRefresh, queue.HandleOptions{Timeout: refreshTime}, func(ctx context.Context, a refreshArgs) error {
		if err := s.refresh(actor.AsSystem(ctx), a.Location, a.Why); !errors.Is(err, errSuperseded) {
			return err
		}
		return nil
	})
	queue.Handle(s.queue, jobClear, queue.HandleOptions{Timeout: refreshTime}, func(ctx context.Context, a clearArgs) error { return s.clear(actor.AsSystem(ctx), a) })
	queue.Handle(s.queue, jobKind, queue.HandleOptions{Concurrency: 1, Timeout: refreshTime}, s.kindAgain)
	queue.Handle(s.queue, jobForget, queue.HandleOptions{Concurrency: 1}, s.forgetMentions)
	queue.Handle(s.queue, jobWrong, queue.HandleOptions{Concurrency: 1}, func(ctx context.Context, _ struct{}) error { return s.enqueueWrong(ctx) })
	queue.Handle(s.queue, jobSweep, queue.HandleOptions{Concurrency: 1}, func(ctx context.Context, _ struct{}) error { return s.sweep(ctx) })
	s.queue.Every(jobSweep, sweepEvery, struct{}{})
	s.ledger.Subscribe("catalog.repositories", []string{"repository."}, s.repositoryChanged)
}

// Run looks at all locations once, for what changed while no server ran, and keeps the index until ctx ends: pushes and
// the hourly sweep come through the ledger and the queue.
func (s *Service) Run(ctx context.Context) error {
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() { s.follow(ctx) })
	group.Go(func() { s.followKinds(ctx) })
	group.Go(func() { s.keep(ctx) })
	group.Go(func() { s.stock(ctx) })
	if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
		s.log.Error("look at the locations of the catalog", "error", err)
	}
	<-ctx.Done()
	return nil
}

// sweep looks at all locations, and has those read whose repository is elsewhere than they are, or that are not well. It
// starts no git and, where nothing has changed, writes nothing.
func (s *Service) sweep(ctx context.Context) error {
	if s.repositories == nil {
		return nil
	}
	heads, err := s.repositories.Heads(ctx)
	if err != nil {
		return err
	}
	for after := ""; ; {
		var some []Location
		err := s.db.Read(ctx, func(tx *store.Tx) error {
			rows, err := tx.Query(ctx, `SELECT id, repository, path, branch, git_commit, error, home, generated FROM locations WHERE id > $1 ORDER BY id LIMIT 1000`, after)
			some, err = store.Collect(rows, err, func(r store.Row) (l Location, err error) {
				var home string
				if err := r.Scan(&l.ID, &l.Repository, &l.Path, &l.Branch, &l.Commit, &l.Error, &home, &l.generated); err != nil {
					return l, err
				}
				l.Home, err = readHome(home)
				return l, err
			})
			return err
		})
		if err != nil || len(some) == 0 {
			return fault.Wrap(err, "list locations")
		}
		after = some[len(some)-1].ID
		branches, err := s.branchesOf(ctx, some)
		if err != nil {
			return err
		}
		var stale []string
		var renamed []Location
		for _, l := range some {
			if l.generated != l.File().Generated(s.base()) {
				renamed = append(renamed, l)
			}
			head := heads[l.Repository]
			if l.Branch != "" {
				head = branches[[2]string{l.Repository, l.Branch}]
			}
			if l.Error != "" || l.Commit == "" || l.Commit != head {
				stale = append(stale, l.ID)
			}
		}
		if err := s.rename(ctx, renamed); err != nil {
			return err
		}
		for part := range slices.Chunk(stale, chunk) {
			err := s.db.Write(ctx, func(tx *store.Tx) error {
				for _, id := range part {
					if err := s.enqueue(ctx, tx, id, whyPushed); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return fault.Wrap(err, "have locations read")
			}
		}
	}
}

// branchesOf gives the heads of the branches that locations name, each with its repository. What is no branch may be a tag.
func (s *Service) branchesOf(ctx context.Context, locations []Location) (map[[2]string]string, error) {
	var of [][2]string
	for _, l := range locations {
		if l.Branch != "" {
			of = append(of, [2]string{l.Repository, l.Branch})
		}
	}
	heads, err := s.repositories.HeadsOf(ctx, of)
	if err != nil {
		return nil, err
	}
	for _, b := range of {
		if heads[b] == "" {
			if head, err := s.repositories.Head(ctx, b[0], b[1]); err == nil {
				heads[b] = head
			}
		}
	}
	return heads, nil
}

// rename writes the names of generated entities anew, since the server has another address.
func (s *Service) rename(ctx context.Context, locations []Location) error {
	for part := range slices.Chunk(locations, chunk) {
		err := s.db.Write(ctx, func(tx *store.Tx) error {
			for _, l := range part {
				_, err := tx.Exec(ctx, `UPDATE locations SET generated = $2 WHERE id = $1 AND repository = $3 AND path = $4 AND branch = $5`,
					l.ID, l.File().Generated(s.base()), l.Repository, l.Path, l.Branch)
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fault.Wrap(err, "write the addresses of locations")
		}
	}
	return nil
}

func (s *Service) enqueue(ctx context.Context, tx *store.Tx, id string, w why) error {
	return s.queue.Insert(ctx, tx, jobRefresh, refreshArgs{id, w}, queue.InsertOptions{Unique: id + " " + string(w)})
}

// repositoryChanged enqueues the locations of a repository that was pushed, made, renamed or moved.
func (s *Service) repositoryChanged(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
	repository, ok := strings.CutPrefix(e.Subject, "repository:")
	if !ok {
		return nil
	}
	var branch string
	pushed := e.Type == "repository.pushed"
	if pushed {
		var push struct {
			Ref string `json:"ref"`
		}
		if err := json.Unmarshal(e.Data, &push); err != nil {
			return fault.Wrap(err, "read push %s", e.ID)
		}
		if branch, ok = strings.CutPrefix(push.Ref, "refs/heads/"); !ok {
			return nil
		}
	}
	ids, err := locationsOf(ctx, tx, strings.ToLower(repository), branch)
	if err != nil {
		return err
	}
	found, err := hasNewPage(e)
	if err != nil {
		return err
	}
	if found { // files that named it before can be followed now
		if err := s.queue.Insert(ctx, tx, jobWrong, struct{}{}, queue.InsertOptions{Unique: jobWrong, RunAt: s.wrong.next(s.now())}); err != nil {
			return err
		}
	}
	w := whyPushed
	if !pushed {
		w = whyForced // of another name or branch the files may be the same, and yet lie elsewhere
	}
	for _, id := range ids {
		if err := s.enqueue(ctx, tx, id, w); err != nil {
			return err
		}
	}
	if ids, err = bringers(ctx, tx, strings.ToLower(repository)); err != nil {
		return err
	}
	for _, id := range ids {
		if err := s.enqueue(ctx, tx, id, whyInputs); err != nil {
			return err
		}
	}
	return nil
}

// hasNewPage tells whether addresses at a forge may lead to a repository from now on that did not: it was connected, or has
// another name there, or is back, or in a space that others read.
func hasNewPage(e ledger.Entry) (bool, error) {
	if e.Type != "repository.changed" {
		return slices.Contains([]string{"repository.connected", "repository.restored", "repository.transferred"}, e.Type), nil
	}
	var change struct {
		Remote string `json:"remote"`
	}
	err := json.Unmarshal(e.Data, &change)
	return change.Remote != "", fault.Wrap(err, "read change %s", e.ID)
}

// errSuperseded ends a refresh when a later one, or the end of the location, has made it pointless.
var errSuperseded = errors.New("a later refresh has taken over")

// refresh makes the entities of a location what its files declare at the head. It fails only when the platform itself
// is at fault, and is then tried again; what is wrong with the files is written to the location. When another refresh
// has taken over it ends with errSuperseded.
func (s *Service) refresh(ctx context.Context, id string, w why) error {
	var l Location
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		l, err = locationByID(ctx, tx, id)
		return err
	})
	if err == nil && w == whyPushed && l.Error == "" && l.Commit != "" {
		// Most locations have not changed: they are seen without a write.
		if head, err := s.head(ctx, l); err == nil && head == l.Commit {
			return nil
		}
	}
	err = s.db.Write(ctx, func(tx *store.Tx) (err error) {
		if l, err = locationByID(ctx, tx, id); err != nil {
			return err
		}
		l.generation++
		return s.saveLocation(ctx, tx, l)
	})
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.refreshOnce(ctx, l, w)
}

// refreshHere refreshes a location for somebody who waits for it: when another refresh takes over, such as that of a
// push, it takes over in turn, so that what the caller sees then is of the head. Callers who contend are bounded: the
// last of them does the work of all.
func (s *Service) refreshHere(ctx context.Context, id string) error {
	for range 20 {
		if err := s.refresh(ctx, id, whyForced); !errors.Is(err, errSuperseded) {
			return err
		}
	}
	return nil
}

func (s *Service) refreshOnce(ctx context.Context, l Location, w why) error {
	head, err := s.head(ctx, l)
	if err != nil {
		return s.finish(ctx, l, unreadable(err))
	}
	if head == l.Commit && w == whyPushed && l.Error == "" {
		return nil
	}
	if l.Home, err = s.repositories.Home(ctx, l.Repository); err != nil {
		return s.finish(ctx, l, unreadable(err))
	}
	read, err := s.newReading(ctx, l, head, w == whyForced)
	if err != nil {
		return err
	}
	defer read.close()
	if err := read.start(ctx); err != nil {
		return s.finish(ctx, l, unreadable(err))
	}
	if err := read.all(ctx); err != nil {
		if errors.Is(err, errSuperseded) || ctx.Err() != nil || read.failed {
			return err
		}
		if read.begun {
			l.Commit = ""
		}
		return s.finish(ctx, l, unreadable(err))
	}
	if err := read.end(ctx); err != nil {
		return err
	}
	l.Commit = head
	return s.finish(ctx, l, read.failure())
}

// failure is what is wrong with a location.
type failure struct {
	message string
	details []fault.Detail
	err     error // the platform's own: tried again
}

func unreadable(err error) failure {
	switch fault.KindOf(err) {
	case fault.Internal, fault.Unavailable, fault.Canceled:
		return failure{message: "it could not be read just now: " + fault.Message(err), err: err}
	}
	return failure{message: fault.Message(err), details: fault.Details(err)}
}

// head asks whether the location may read its repository, in the same words for one that is not there.
func (s *Service) head(ctx context.Context, l Location) (string, error) {
	gone := fault.Errorf(fault.NotFound, "there is no repository %s that space %s may read; it is looked at again when it is pushed", l.Repository, l.Space)
	if s.repositories == nil {
		return "", gone
	}
	space, err := s.repositories.SpaceOf(ctx, l.Repository)
	if fault.Is(err, fault.NotFound) {
		return "", gone
	}
	if err != nil {
		return "", err
	}
	if !l.readable {
		// Nobody who may read it has asked. Rights flow down the tree, so a space reads what is in it and below.
		within, err := s.access.Within(ctx, space, l.Space)
		if err != nil {
			return "", err
		}
		if !within {
			return "", gone
		}
	}
	head, err := s.repositories.Head(ctx, l.Repository, l.Branch)
	if fault.Is(err, fault.NotFound) {
		return "", fault.Errorf(fault.NotFound, "repository %s has no commits on that branch yet; it is looked at again when it is pushed", l.Repository)
	}
	return head, err
}

// finish writes how the refresh went. A new error, and that there is none any more, is told in the ledger.
func (s *Service) finish(ctx context.Context, l Location, f failure) error {
	f.details = bounded(f.details)
	err := s.db.Write(ctx, func(tx *store.Tx) error {
		now, err := current(ctx, tx, l)
		if err != nil {
			return err
		}
		news := f.message != "" && (now.Error != clip(f.message) || !slices.Equal(now.Details, f.details))
		mended := f.message == "" && now.Error != ""
		moved := now.Home != l.Home
		now.Commit, now.Home, now.Error, now.Details, now.Refreshed = l.Commit, l.Home, clip(f.message), f.details, s.now()
		if err := s.saveLocation(ctx, tx, now); err != nil {
			return err
		}
		if moved {
			tx.OnCommit(func() { s.follower.index.TouchWhere(index.KeySource, l.source()) })
		}
		switch {
		case news:
			return s.tellLocation(ctx, tx, "location.failed", now, map[string]any{"error": short(f.message)})
		case mended:
			return s.tellLocation(ctx, tx, "location.mended", now, nil)
		case moved && l.Home.Forge != "": // its files are seen at another address from now on
			return s.tellLocation(ctx, tx, "location.moved", now, nil)
		}
		return nil
	})
	return errors.Join(err, f.err)
}

// bounded keeps what files say of themselves, such as the names of their fields, from filling the database.
func bounded(details []fault.Detail) []fault.Detail {
	list := make([]fault.Detail, min(len(details), maxLocDetail))
	for i := range list {
		d := details[i]
		d.File, d.Field, d.Message, d.Hint = short(d.File), short(d.Field), short(d.Message), short(d.Hint)
		list[i] = d
	}
	return list
}

func short(text string) string {
	if len(text) > 500 {
		return strings.ToValidUTF8(text[:500], "") + "…"
	}
	return text
}

// current gives the location's row, if it is still this refresh's turn.
func current(ctx context.Context, tx *store.Tx, l Location) (Location, error) {
	now, err := locationByID(ctx, tx, l.ID)
	if fault.Is(err, fault.NotFound) || err == nil && now.generation != l.generation {
		return now, errSuperseded
	}
	return now, err
}

func isAddress(target string) bool {
	return strings.Contains(target, "://") || strings.HasPrefix(target, "url:") || strings.HasPrefix(target, "/git/")
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
