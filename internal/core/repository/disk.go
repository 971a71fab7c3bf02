package repository

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// folder gives where a repository is on disk.
func (s *Service) folder(id string) string { return filepath.Join(s.dir, id+".git") }

// writerFile is locked while references may move. The git processes of a push, a commit or a packing hold it too, so that
// the lock outlives a server that was killed until they have ended.
const writerFile = "roadbed-writer"

// objectsFile is locked, by many at the same time, while objects are received, and by one alone while some are dropped: a
// push that has been checked and waits to write may build on objects that no reference leads to any more.
const objectsFile = "roadbed-objects"

// openLock opens one of the files above; closing it gives the lock back.
func (s *Service) openLock(id, name string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(s.folder(id), name), os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fault.Errorf(fault.NotFound, "the repository's folder is missing: %w", err)
	}
	return file, fault.Wrap(err, "open the lock of repository %s", id)
}

// lock takes a lock, when nobody has one that excludes it.
func lock(file *os.File, how int) (taken bool, err error) {
	err = syscall.Flock(int(file.Fd()), how|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
		return false, nil
	}
	return err == nil, fault.Wrap(err, "lock %s", file.Name())
}

// await takes a lock as soon as it can.
func await(ctx context.Context, file *os.File, how int, busy string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if taken, err := lock(file, how); taken || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fault.Errorf(fault.Unavailable, "%s: %w", busy, ctx.Err())
		}
	}
}

// locks are the writers' locks of the repositories, within this process.
type locks struct {
	mu    sync.Mutex
	byID  map[string]*turn
	clean map[string]bool // repositories that were cleaned up after earlier lives of the server
}

// turn is held by whoever has put something into its channel.
type turn struct {
	taken   chan struct{}
	waiting int
}

// hold is the right to write one repository. It is got open and not held, since a git process must be given the file
// before it starts, and the lock is taken only when the pack is there.
type hold struct {
	s     *Service
	id    string
	file  *os.File
	git   *git.Git // whose processes hold it too
	leave func()   // while held
}

// openHold opens the lock of a repository; close it.
func (s *Service) openHold(id string) (*hold, error) {
	file, err := s.openLock(id, writerFile)
	if err != nil {
		return nil, err
	}
	return &hold{s: s, id: id, file: file, git: s.git.Holding(file)}, nil
}

// acquire waits until nobody else writes the repository. What a killed git left behind is then removed, once in a life
// of the server.
func (h *hold) acquire(ctx context.Context) error {
	l := &h.s.locks
	leave, err := l.enter(ctx, h.id)
	if err != nil {
		return err
	}
	h.leave = leave
	// A git process of an earlier life may have it, or another process that writes the same folder.
	if err := await(ctx, h.file, syscall.LOCK_EX, "an earlier push to the repository has not ended yet"); err != nil {
		h.release()
		return err
	}
	l.mu.Lock()
	clean := l.clean[h.id]
	l.clean[h.id] = true
	l.mu.Unlock()
	if !clean {
		h.s.tidy(ctx, h.git, h.id)
	}
	return nil
}

// tidy mends what a crash of an earlier life may have left of a repository whose lock is held: lock files of git, and a
// HEAD that doesn't follow its row.
func (s *Service) tidy(ctx context.Context, g *git.Git, id string) {
	err := g.Recover(s.folder(id), s.started)
	if err == nil {
		var r Repository
		var head string
		if r, err = s.rowByID(ctx, id); err == nil {
			head, err = g.Head(ctx, s.folder(id))
		}
		if err == nil && head != r.DefaultBranch {
			err = g.SetHead(ctx, s.folder(id), r.DefaultBranch)
		}
	}
	if err != nil && !fault.Is(err, fault.NotFound) {
		s.log.Error("mend a repository after a crash", "repository", id, "error", err)
	}
}

// enter waits for the turn at a repository; leave ends it.
func (l *locks) enter(ctx context.Context, id string) (leave func(), err error) {
	l.mu.Lock()
	t := l.byID[id]
	if t == nil {
		t = &turn{taken: make(chan struct{}, 1)}
		l.byID[id] = t
	}
	t.waiting++
	l.mu.Unlock()
	left := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if t.waiting--; t.waiting == 0 {
			delete(l.byID, id)
		}
	}
	select {
	case t.taken <- struct{}{}:
		return func() { <-t.taken; left() }, nil
	case <-ctx.Done():
		left()
		return nil, fault.Errorf(fault.Canceled, "wait for another push to the repository: %w", ctx.Err())
	}
}

// release lets the next one write; it does nothing when the lock isn't held.
func (h *hold) release() {
	if h.leave == nil {
		return
	}
	_ = syscall.Flock(int(h.file.Fd()), syscall.LOCK_UN)
	h.leave()
	h.leave = nil
}

// close releases the lock and the file.
func (h *hold) close() {
	h.release()
	h.file.Close()
}

// busy tells whether somebody in this process writes the repository or waits to.
func (l *locks) busy(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.byID[id] != nil
}

// locked runs fn while nobody else writes the repository. What fn starts by g holds the lock too.
func (s *Service) locked(ctx context.Context, id string, fn func(g *git.Git) error) error {
	h, err := s.openHold(id)
	if err != nil {
		return err
	}
	defer h.close()
	if err := h.acquire(ctx); err != nil {
		return err
	}
	return fn(h.git)
}

// clearEarlier removes what an earlier try to make this very repository, which a crash cut off, has left.
func (s *Service) clearEarlier(ctx context.Context, r Repository) error {
	err := s.db.Read(ctx, func(tx *store.Tx) error {
		_, err := rowByID(ctx, tx, r.ID)
		return err
	})
	if err == nil {
		return taken(r.FullName())
	}
	if !fault.Is(err, fault.NotFound) {
		return err
	}
	if err := s.sweep(ctx, r.ID); err != nil {
		return err
	}
	return s.dropFolder(r.ID)
}

// makeFolder makes the folder of a new repository, whole or not at all.
func (s *Service) makeFolder(ctx context.Context, r Repository) (err error) {
	draft := filepath.Join(s.dir, draftPrefix+r.ID+"-"+rand.Text()) // not that of another who makes it at the same time
	defer func() {
		if err != nil {
			os.RemoveAll(draft)
		}
	}()
	if err := s.git.Init(ctx, draft); err != nil {
		return err
	}
	if r.DefaultBranch != "main" {
		if err := s.git.SetHead(ctx, draft, r.DefaultBranch); err != nil {
			return err
		}
	}
	return fault.Wrap(os.Rename(draft, s.folder(r.ID)), "make the folder of repository %s", r.FullName())
}

// draftPrefix begins the name of a folder that is not a repository yet, or no more.
const draftPrefix = "draft-"

// dropFolder removes a repository's folder. It vanishes at once; what a crash leaves of it goes with the next try, or as an orphan.
func (s *Service) dropFolder(id string) error {
	draft := filepath.Join(s.dir, draftPrefix+id)
	if err := os.RemoveAll(draft); err != nil { // of an earlier try
		return fault.Wrap(err, "remove the folder of repository %s", id)
	}
	if err := os.Rename(s.folder(id), draft); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fault.Wrap(err, "remove the folder of repository %s", id)
	}
	return fault.Wrap(os.RemoveAll(draft), "remove the folder of repository %s", id)
}
