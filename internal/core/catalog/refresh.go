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

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	jobRefresh = "catalog.refresh"
	jobSweep   = "catalog.sweep"
	sweepEvery = time.Hour
	chunk      = 25 // documents in one transaction, so that others get their turn
)

type refreshArgs struct {
	Location string `json:"location"`
	Force    bool   `json:"force,omitempty"` // also when the commit is the one that was read
}

func (s *Service) subscribe() {
	queue.Handle(s.queue, jobRefresh, queue.HandleOptions{Timeout: 5 * time.Minute}, func(ctx context.Context, a refreshArgs) error {
		if err := s.refresh(actor.AsSystem(ctx), a.Location, a.Force); !errors.Is(err, errSuperseded) {
			return err
		}
		return nil
	})
	queue.Handle(s.queue, jobForget, queue.HandleOptions{Concurrency: 1}, s.forgetMentions)
	queue.Handle(s.queue, jobSweep, queue.HandleOptions{Concurrency: 1}, func(ctx context.Context, _ struct{}) error { return s.sweep(ctx, false) })
	s.queue.Every(jobSweep, sweepEvery, struct{}{})
	s.ledger.Subscribe("catalog.repositories", []string{"repository."}, s.repositoryChanged)
}

// Run looks at all locations once, for what changed while no server ran, and keeps the index until ctx ends: pushes and
// the hourly sweep come through the ledger and the queue.
func (s *Service) Run(ctx context.Context) error {
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() { s.follow(ctx) })
	if err := s.sweep(ctx, false); err != nil && ctx.Err() == nil {
		s.log.Error("look at the locations of the catalog", "error", err)
	}
	<-ctx.Done()
	return nil
}

func (s *Service) sweep(ctx context.Context, force bool) error {
	return s.db.Write(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT id FROM locations ORDER BY id`)
		ids, err := store.Collect(rows, err, func(r store.Row) (id string, err error) { return id, r.Scan(&id) })
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := s.enqueue(ctx, tx, id, force); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Service) enqueue(ctx context.Context, tx *store.Tx, id string, force bool) error {
	unique := id
	if force {
		unique += " force"
	}
	return s.queue.Insert(ctx, tx, jobRefresh, refreshArgs{id, force}, queue.InsertOptions{Unique: unique})
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
	for _, id := range ids {
		// Of another name or branch the files may be the same, and yet lie elsewhere.
		if err := s.enqueue(ctx, tx, id, !pushed); err != nil {
			return err
		}
	}
	return nil
}

// errSuperseded ends a refresh when a later one, or the end of the location, has made it pointless.
var errSuperseded = errors.New("a later refresh has taken over")

// refresh makes the entities of a location what its files declare at the head. It fails only when the platform itself
// is at fault, and is then tried again; what is wrong with the files is written to the location. When another refresh
// has taken over it ends with errSuperseded.
func (s *Service) refresh(ctx context.Context, id string, force bool) error {
	var l Location
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		l, err = locationByID(ctx, tx, id)
		return err
	})
	if err == nil && !force && l.Error == "" && l.Commit != "" {
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
		return saveLocation(ctx, tx, l)
	})
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.refreshOnce(ctx, l, force)
}

// refreshHere refreshes a location for somebody who waits for it: when another refresh takes over, such as that of a
// push, it takes over in turn, so that what the caller sees then is of the head. Callers who contend are bounded: the
// last of them does the work of all.
func (s *Service) refreshHere(ctx context.Context, id string) error {
	for range 20 {
		if err := s.refresh(ctx, id, true); !errors.Is(err, errSuperseded) {
			return err
		}
	}
	return nil
}

func (s *Service) refreshOnce(ctx context.Context, l Location, force bool) error {
	head, err := s.head(ctx, l)
	if err != nil {
		return s.finish(ctx, l, unreadable(err))
	}
	if head == l.Commit && !force && l.Error == "" {
		return nil
	}
	if l.Home, err = s.repositories.Home(ctx, l.Repository); err != nil {
		return s.finish(ctx, l, unreadable(err))
	}
	read := s.newReading(l, head)
	if err := read.start(ctx); err != nil {
		return s.finish(ctx, l, unreadable(err))
	}
	if err := s.begin(ctx, l); err != nil {
		return err
	}
	if err := s.bring(ctx, l, read); err != nil {
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
		now.Commit, now.Home, now.Error, now.Details, now.Refreshed = l.Commit, l.Home, clip(f.message), f.details, s.now()
		if err := saveLocation(ctx, tx, now); err != nil {
			return err
		}
		switch {
		case news:
			return s.tellLocation(ctx, tx, "location.failed", now, map[string]any{"error": short(f.message)})
		case mended:
			return s.tellLocation(ctx, tx, "location.mended", now, nil)
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

// begin forgets the commit that was read before, since parts of another one follow: should this refresh end half way,
// the next one reads again even if the head has gone back.
func (s *Service) begin(ctx context.Context, l Location) error {
	return s.db.Write(ctx, func(tx *store.Tx) error {
		now, err := current(ctx, tx, l)
		if err != nil || now.Commit == "" {
			return err
		}
		now.Commit = ""
		return saveLocation(ctx, tx, now)
	})
}

// bring applies what was read, in chunks; where a chunk is refused, its documents are tried one by one, so that only
// the bad ones keep their last good entity.
func (s *Service) bring(ctx context.Context, l Location, read *reading) error {
	order := applyOrder(read.changes)
	for part := range slices.Chunk(order, chunk) {
		items, err := s.bringSome(ctx, l, read, part)
		if err == nil {
			read.note(items, part)
			continue
		}
		if errors.Is(err, errSuperseded) || fault.KindOf(err) == fault.Unavailable || ctx.Err() != nil {
			return err
		}
		for _, i := range part {
			items, err := s.bringSome(ctx, l, read, []int{i})
			if errors.Is(err, errSuperseded) || ctx.Err() != nil {
				return err
			}
			if err != nil {
				read.refuse(read.changes[i], err)
				continue
			}
			read.note(items, []int{i})
		}
	}
	return s.bringEnd(ctx, l, read)
}

func (s *Service) bringSome(ctx context.Context, l Location, read *reading, part []int) (items []Item, err error) {
	err = s.db.Write(ctx, func(tx *store.Tx) error {
		items = items[:0]
		if _, err := current(ctx, tx, l); err != nil {
			return err
		}
		for _, i := range part {
			item, err := s.put(ctx, tx, read.changes[i])
			if err != nil {
				return err
			}
			items = append(items, item)
		}
		return nil
	})
	return items, err
}

// bringEnd deletes what is gone, and marks what was refused.
func (s *Service) bringEnd(ctx context.Context, l Location, read *reading) error {
	return s.db.Write(ctx, func(tx *store.Tx) error {
		if _, err := current(ctx, tx, l); err != nil {
			return err
		}
		had, err := bySource(ctx, tx, l.Space, l.source())
		if err != nil {
			return err
		}
		for r, file := range had {
			why, kept := read.kept(r, file)
			if kind, ok := s.registry.ByName(r.Kind); !kept && ok && kind.Restricted && !slices.Contains(read.location.Trusted, kind.Name) {
				// What is not taken from here is not taken away from here either.
				why, kept = "its file declares it no more, and is not trusted to take it away; trust the location for it again, or remove the location", true
			}
			if !kept {
				continue
			}
			delete(had, r)
			if why == "" {
				continue
			}
			if err := setError(ctx, tx, r, why); err != nil {
				return err
			}
		}
		_, err = s.removeAll(ctx, tx, had, func(document.Kind) error { return nil })
		return err
	})
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
