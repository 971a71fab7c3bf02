package repository

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	recordInterval = 5 * time.Second // between looks for pushes that could not be recorded
	packAfter      = 100             // pushes to a repository, until it is looked at for packing
	orphanAge      = time.Hour       // of a folder without a row, until it is removed
	recordAtStart  = 2 * time.Minute // waiting for one repository when the server starts
)

// Run records pushes that a crash or an unreachable database kept from the ledger, at once and from then on; removes
// folders that belong to no repository, and deleted repositories whose time is over; and packs repositories now and then.
// It lives until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	ctx = actor.AsSystem(ctx)
	s.settleAll(ctx, true)
	s.compareAll(ctx)
	var tidying sync.WaitGroup
	tidying.Go(func() { s.tidyAll(ctx) }) // packing takes long, and what was pushed is to be recorded soon
	tidying.Go(func() { s.follow(ctx) })
	tidying.Go(func() { s.exchangeAll(ctx) })
	defer tidying.Wait()
	tick := time.NewTicker(recordInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-s.wake:
		}
		s.settleAll(ctx, false)
	}
}

// tidyAll packs repositories and removes deleted ones and orphans until ctx ends.
func (s *Service) tidyAll(ctx context.Context) {
	tick := time.NewTicker(recordInterval)
	defer tick.Stop()
	s.countAll(ctx)
	var looked time.Time
	s.purgeDue(ctx)
	for {
		if time.Since(looked) > orphanAge {
			looked = time.Now() // by the clock of the file system
			if err := s.dropLarge(ctx, looked.Add(-LargeGrace)); err != nil && ctx.Err() == nil {
				s.log.Error("remove files of Git LFS that no repository has", "error", err)
			}
			if err := s.removeOrphans(ctx, looked.Add(-orphanAge)); err != nil && ctx.Err() == nil {
				s.log.Error("remove folders that belong to no repository", "error", err)
			}
			err := s.db.Write(ctx, func(tx *store.Tx) error { return forget(ctx, tx, s.now().Add(-forgetAfter)) })
			if err != nil && ctx.Err() == nil {
				s.log.Error("forget what forges told long ago", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.maintain(ctx)
			s.purgeDue(ctx)
			if s.mirrors.grown.Swap(false) {
				if err := s.trim(ctx); err != nil && ctx.Err() == nil {
					s.log.Error("bound the cache of clones", "error", err)
				}
			}
		}
	}
}

// poke has Run look for pushes that are not recorded.
func (s *Service) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// settleAll settles the marked repositories. Those that are being pushed to in this process settle themselves, and at
// the start there are none.
func (s *Service) settleAll(ctx context.Context, starting bool) {
	var ids []string
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		ids, err = dirtyIDs(ctx, tx)
		return err
	})
	if err != nil {
		if ctx.Err() == nil {
			s.log.Error("look for pushes that are not recorded; it is tried again", "error", err)
		}
		return
	}
	for _, id := range ids {
		if !starting && s.locks.busy(id) {
			continue
		}
		one, cancel := context.WithTimeout(ctx, recordAtStart)
		err := s.Settle(one, id)
		cancel()
		if fault.Is(err, fault.NotFound) && s.fillsLater(ctx, id) {
			continue
		}
		if err != nil && ctx.Err() == nil {
			s.log.Error("record a push; it is tried again", "repository", id, "error", err)
		}
	}
}

// compareAll settles the repositories whose folders are not as the rows say though nothing marks them: the folder or
// the database came from a backup, or somebody worked on the folder by hand.
func (s *Service) compareAll(ctx context.Context) {
	var ids []string
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		ids, err = liveIDs(ctx, tx)
		return err
	})
	for _, id := range ids {
		if err != nil || ctx.Err() != nil {
			break
		}
		if !isFolder(s.folder(id)) && s.fillsLater(ctx, id) {
			continue
		}
		settled, missing := s.isSettled(ctx, id)
		if missing == nil && !settled && !s.locks.busy(id) {
			missing = s.Settle(ctx, id)
		}
		if missing != nil && ctx.Err() == nil && !fault.Is(missing, fault.Canceled) {
			s.log.Error("compare a repository with its record", "repository", id, "error", missing)
		}
	}
	if err != nil && ctx.Err() == nil {
		s.log.Error("compare repositories with their records", "error", err)
	}
}

// fillsLater tells whether a repository is at a forge: its mirror may be missing, and is filled when it is read.
func (s *Service) fillsLater(ctx context.Context, id string) bool {
	r, err := s.byID(ctx, id)
	return err == nil && r.Outside != nil
}

// removeOrphans removes the folders, older than a time, of repositories that were never or are no longer in the database.
func (s *Service) removeOrphans(ctx context.Context, before time.Time) error {
	folders, err := os.ReadDir(s.dir) // before the rows: a folder that is made meanwhile is not seen
	if err != nil {
		return fault.Wrap(err, "list the folder of repositories")
	}
	var ids []string
	err = s.db.Read(ctx, func(tx *store.Tx) (err error) {
		ids, err = allIDs(ctx, tx)
		return err
	})
	if err != nil {
		return err
	}
	known := make(map[string]bool, len(ids))
	for _, id := range ids {
		known[id+".git"] = true
	}
	for _, f := range folders {
		ours := strings.HasPrefix(f.Name(), draftPrefix) || strings.HasPrefix(f.Name(), idPrefix+"_") && strings.HasSuffix(f.Name(), ".git")
		info, err := f.Info()
		if !ours || known[f.Name()] || err != nil || !info.ModTime().Before(before) {
			continue
		}
		s.log.Warn("remove a folder that belongs to no repository", "folder", f.Name())
		if err := os.RemoveAll(filepath.Join(s.dir, f.Name())); err != nil {
			return fault.Wrap(err, "remove the folder %s", f.Name())
		}
	}
	return nil
}

// count counts pushes for maintain.
func (s *Service) count(id string, pushes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pushes[id] += pushes
}

// countAll has repositories packed that an earlier life of the server left in pieces.
func (s *Service) countAll(ctx context.Context) {
	var ids []string
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		ids, err = allIDs(ctx, tx)
		return err
	})
	if err != nil {
		return // they are packed when they have been pushed to
	}
	for _, id := range ids {
		if ctx.Err() == nil && s.git.Untidy(s.folder(id)) {
			s.count(id, packAfter)
		}
	}
}

// maintain packs one repository that was pushed to often.
func (s *Service) maintain(ctx context.Context) {
	s.mu.Lock()
	id := ""
	for candidate, n := range s.pushes {
		if n >= packAfter {
			id = candidate
			delete(s.pushes, id)
			break
		}
	}
	s.mu.Unlock()
	if id == "" {
		return
	}
	packed, err := s.pack(ctx, id)
	if err != nil && ctx.Err() == nil && !fault.Is(err, fault.NotFound) {
		s.log.Error("pack a repository", "repository", id, "error", err)
	}
	if err == nil && !packed {
		s.count(id, packAfter) // next time
	}
}

// pack packs a repository when nothing is being received for it.
func (s *Service) pack(ctx context.Context, id string) (packed bool, err error) {
	err = s.locked(ctx, id, func(g *git.Git) error {
		objects, err := s.openLock(id, objectsFile)
		if err != nil {
			return err
		}
		defer objects.Close()
		if packed, err = lock(objects, syscall.LOCK_EX); err != nil || !packed {
			return err
		}
		return g.Holding(objects).Maintain(ctx, s.folder(id))
	})
	return packed, err
}
