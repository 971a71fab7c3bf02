package repository

import (
	"context"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

const (
	fileLockPrefix = "lck"
	fileLocksMost  = 10_000 // of one repository
)

// FileLock says that somebody changes a file that can't be merged, so that others leave it alone. It is a word among
// people: git-lfs keeps to it, a push is not refused for it.
type FileLock struct {
	ID      string
	Path    string
	Ref     string // for which it was asked; it holds for all
	Owner   string // opaque id
	Created time.Time
}

// FileLockQuery narrows a list of locks; empty fields narrow nothing.
type FileLockQuery struct{ ID, Path string }

// LockFile locks a file. It needs repository:write. Conflict when it is locked; the lock is then given too.
func (s *Service) LockFile(ctx context.Context, fullName, path, refName string) (FileLock, error) {
	r, err := s.forLarge(ctx, Write, fullName)
	if err != nil {
		return FileLock{}, err
	}
	if path, err = git.CheckPath(path); err == nil && path == "" {
		err = fault.Errorf(fault.Invalid, "name a file to lock")
	}
	if err == nil && refName != "" {
		err = git.CheckRef(refName)
	}
	if err != nil {
		return FileLock{}, err
	}
	now := s.now()
	l := FileLock{ID: ref.NewID(fileLockPrefix, now), Path: path, Ref: refName, Owner: actor.From(ctx).ID, Created: now}
	err = s.db.Write(ctx, func(tx *store.Tx) error {
		if _, err := held(ctx, tx, r.ID); err != nil {
			return fault.Errorf(fault.NotFound, "the repository was deleted meanwhile")
		}
		n := 0
		if err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM repository_file_locks WHERE repository = $1", r.ID).Scan(&n); err != nil {
			return err
		}
		if n >= fileLocksMost {
			return fault.Errorf(fault.TooLarge, "%s has %d locks; take some away that are not needed", r.FullName(), n)
		}
		made, err := tx.Exec(ctx, `INSERT INTO repository_file_locks (repository, id, path, ref, owner, created) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT DO NOTHING`, r.ID, l.ID, l.Path, l.Ref, l.Owner, l.Created)
		if err != nil {
			return err
		}
		if made == 0 {
			l, err = store.One(tx.QueryRow(ctx, selectFileLock+" WHERE repository = $1 AND path = $2", r.ID, path), scanFileLock, "lock of %s", path)
			if err != nil {
				return err
			}
			return fault.Errorf(fault.Conflict, "%s is locked already, since %s", path, l.Created.UTC().Format(time.RFC3339))
		}
		return s.tell(ctx, tx, "repository.locked", r, map[string]any{"repository": r.FullName(), "path": l.Path, "lock": l.ID})
	})
	return l, err
}

// UnlockFile takes a lock away. It needs repository:write, and with force repository:admin: only so another's lock goes.
func (s *Service) UnlockFile(ctx context.Context, fullName, id string, force bool) (l FileLock, err error) {
	r, err := s.forLarge(ctx, Write, fullName)
	if err != nil {
		return l, err
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		l, err = fileLock(ctx, tx, r.ID, id)
		return err
	})
	if err != nil {
		return l, err
	}
	if l.Owner != actor.From(ctx).ID {
		if !force {
			return l, fault.Errorf(fault.Denied, "%s is locked by somebody else; an administrator takes the lock away by git lfs unlock --force", l.Path)
		}
		if err := s.access.AuthorizeObject(ctx, Manage, r.Space, r.FullName()); err != nil {
			return l, err
		}
	}
	err = s.db.Write(ctx, func(tx *store.Tx) error {
		n, err := tx.Exec(ctx, "DELETE FROM repository_file_locks WHERE repository = $1 AND id = $2", r.ID, id)
		if err == nil && n == 0 {
			return fault.Errorf(fault.NotFound, "lock %s", id)
		}
		if err != nil {
			return err
		}
		return s.tell(ctx, tx, "repository.unlocked", r, map[string]any{"repository": r.FullName(), "path": l.Path, "lock": l.ID, "owner": l.Owner})
	})
	return l, err
}

// FileLocks gives the locks of a repository, the oldest first. It needs repository:read.
func (s *Service) FileLocks(ctx context.Context, fullName string, q FileLockQuery, part page.Request) (page.Of[FileLock], error) {
	r, err := s.forLarge(ctx, Read, fullName)
	if err != nil {
		return page.Of[FileLock]{}, err
	}
	w := &store.Where{}
	w.Equal("repository", r.ID)
	w.Equal("id", strings.ToValidUTF8(q.ID, ""))
	w.Equal("path", strings.ToValidUTF8(q.Path, ""))
	w.After("id", part.Cursor)
	var locks []FileLock
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, selectFileLock+w.String()+" ORDER BY id LIMIT "+w.Arg(part.Window()), w.Args...)
		locks, err = store.Collect(rows, err, scanFileLock)
		return err
	})
	return page.Cut(locks, part, func(l FileLock) string { return l.ID }), fault.Wrap(err, "list the locks of %s", r.FullName())
}

const selectFileLock = "SELECT id, path, ref, owner, created FROM repository_file_locks"

func fileLock(ctx context.Context, tx *store.Tx, repository, id string) (FileLock, error) {
	return store.One(tx.QueryRow(ctx, selectFileLock+" WHERE repository = $1 AND id = $2", repository, strings.ToValidUTF8(id, "")), scanFileLock, "lock %.100s", id)
}

func scanFileLock(row store.Row) (l FileLock, err error) {
	var created int64
	err = row.Scan(&l.ID, &l.Path, &l.Ref, &l.Owner, &created)
	l.Created = store.FromMicros(created)
	return l, err
}
