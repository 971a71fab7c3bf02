package repository

import (
	"context"
	"syscall"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// The states of an import.
//
//	waiting ─► running ─► ready ──(every)──► ready
//	   ▲          │
//	   ├─ backoff ┤        failed, canceled: until somebody tries again
//	   │          ▼
//	   └─────── failed
const (
	ImportWaiting  = "waiting"
	ImportRunning  = "running"
	ImportReady    = "ready"
	ImportFailed   = "failed"
	ImportCanceled = "canceled" // the repository is one like any other
)

// importAttempts is how often an import is tried that may succeed the next time.
const importAttempts = 5

// NewImport says where the branches and tags of a new repository come from.
type NewImport struct {
	URL string
	Credentials
	Every time.Duration // looked for what moved there again and again, and nothing else changes here; 0 for once
}

func (n NewImport) check() error {
	if n.Every != 0 {
		if err := checkEvery(n.Every); err != nil {
			return err
		}
	}
	return checkURL(n.URL)
}

// Import is where a repository comes from, and how far that is.
type Import struct {
	URL      string
	Username string
	Secret   string        // that holds the password; "" when none does
	Every    time.Duration // 0 for once
	State    string
	Attempts int       // that failed one after the other
	Due      time.Time // when it is tried next; zero for never
	Error    string    // of the last attempt; "" when that succeeded
	Fetched  time.Time // when it succeeded last
	Refs     int64     // branches and tags that were there then
	Bytes    int64     // received the first time
}

// arriving refuses to change what is being imported or follows a repository elsewhere.
func (r Repository) arriving() error {
	i := r.Import
	switch {
	case i == nil || i.State == ImportCanceled || i.State == ImportReady && i.Every == 0:
		return nil
	case i.State == ImportFailed && i.Every == 0:
		return fault.Errorf(fault.Conflict, "%s could not be imported, so it can't be changed: try that again, or give it up with `roadbed repo import %[1]s --cancel`", r.FullName())
	case i.Every > 0:
		return fault.Errorf(fault.Conflict, "%s follows %s, so it is changed there; `roadbed repo import %[1]s --cancel` ends that", r.FullName(), i.URL)
	}
	return fault.Errorf(fault.Conflict, "%s is being imported; wait for its end", r.FullName())
}

// Progress tells how far the import of a repository is; zero when none is under way in this process.
func (s *Service) Progress(r Repository) git.Progress { return s.exchanges.progress(r.ID) }

// CancelImport ends an import, or that a repository follows another one: from then on it is one like any other, with what
// has come. The credentials are forgotten. It needs the rights that Delete needs.
func (s *Service) CancelImport(ctx context.Context, fullName string) (Repository, error) {
	return s.changeImport(ctx, fullName, "repository.import-canceled", func(_ context.Context, tx *store.Tx, r Repository) error {
		if i := r.Import; i.State == ImportCanceled || i.State == ImportReady && i.Every == 0 {
			return fault.Errorf(fault.Conflict, "nothing is being imported into %s", r.FullName())
		}
		return setImport(ctx, tx, r.ID, ImportCanceled, time.Time{}, true)
	})
}

// RetryImport tries an import again that failed or was canceled, or has a repository that follows another one look now.
// New credentials take the place of those that were given before. It needs the rights that Delete needs. Conflict when
// something was pushed since it was canceled.
func (s *Service) RetryImport(ctx context.Context, fullName string, c Credentials) (Repository, error) {
	sealed := ""
	if c != (Credentials{}) {
		r, err := s.deletable(ctx, fullName)
		if err == nil && r.Import != nil {
			sealed, err = s.sealed(ctx, r.Space, r.Import.URL, c)
		}
		if err != nil {
			return Repository{}, err
		}
	}
	return s.changeImport(ctx, fullName, "", func(ctx context.Context, tx *store.Tx, r Repository) error {
		i := r.Import
		switch {
		case i.State == ImportWaiting || i.State == ImportRunning:
			return fault.Errorf(fault.Conflict, "%s is being imported", r.FullName())
		case i.State == ImportReady && i.Every == 0:
			return fault.Errorf(fault.Conflict, "%s was imported; import it into another repository, or follow it from the start", r.FullName())
		case i.State == ImportCanceled && !r.Pushed.IsZero():
			return fault.Errorf(fault.Conflict, "%s has what was pushed since its import was canceled; import into another repository", r.FullName())
		}
		if c != (Credentials{}) {
			if err := setImportCredentials(ctx, tx, r.ID, c, sealed); err != nil {
				return err
			}
		}
		state := ImportWaiting
		if i.State == ImportReady {
			state = ImportReady
		}
		return setImport(ctx, tx, r.ID, state, s.now(), false)
	})
}

// changeImport changes the import of a repository, under its lock.
func (s *Service) changeImport(ctx context.Context, fullName, kind string, change func(ctx context.Context, tx *store.Tx, r Repository) error) (Repository, error) {
	r, err := s.deletable(ctx, fullName)
	if err != nil {
		return Repository{}, err
	}
	err = s.locked(ctx, r.ID, func(*git.Git) error {
		if r, err = s.deletable(ctx, fullName); err != nil {
			return err
		}
		if r.Import == nil {
			return fault.Errorf(fault.Conflict, "%s was not imported", r.FullName())
		}
		return s.db.Write(ctx, func(tx *store.Tx) error {
			if err := change(ctx, tx, r); err != nil || kind == "" {
				return err
			}
			return s.tell(ctx, tx, kind, r, map[string]string{"repository": r.FullName(), "url": r.Import.URL})
		})
	})
	if err != nil {
		return Repository{}, err
	}
	if kind != "" {
		s.exchanges.stop(r.ID)
	}
	s.exchanges.poke()
	return s.byID(ctx, r.ID)
}

// importOnce makes a repository what the one elsewhere is, once. Its error is of the platform; what goes wrong with the
// other side is written to the row.
func (s *Service) importOnce(ctx context.Context, id string) error {
	var task importTask
	err := s.db.Write(ctx, func(tx *store.Tx) (err error) {
		if task, err = takeImport(ctx, tx, id, s.now()); err != nil || !task.Fetched.IsZero() {
			return err
		}
		return setRunning(ctx, tx, id)
	})
	if fault.Is(err, fault.NotFound) {
		return nil // canceled, deleted, or done
	}
	if err != nil {
		return err
	}
	work, ended := s.serving(ctx, id) // its deletion ends it
	remote, got, failed := s.fetchImport(work, id, &task)
	done := outcome{Fetched: got, fetched: failed == nil, large: task.large}
	if failed == nil {
		failed = s.bringLarge(work, id, task, remote, &done)
	}
	stopped := work.Err() != nil
	ended()
	if stopped {
		return nil // canceled, deleted, or the server ends: the row says what is to be done
	}
	return s.db.Write(ctx, func(tx *store.Tx) error { return s.noteImport(ctx, tx, id, task.Due, done, failed) })
}

// outcome is what an attempt brought.
type outcome struct {
	git.Fetched
	fetched bool   // the references are here
	files   int    // of Git LFS that came
	large   string // see importTask
}

// fetchImport fetches.
func (s *Service) fetchImport(ctx context.Context, id string, task *importTask) (remote git.Remote, got git.Fetched, err error) {
	r, err := s.byID(ctx, id)
	if err != nil {
		return remote, got, err
	}
	remote, err = s.remote(ctx, r.Space, task.URL, task.Username, task.sealed, task.Secret)
	if err != nil {
		return remote, got, err
	}
	limits := git.Limits{Pack: s.limits.Push, Refs: refsLimit, Time: importTime, Progress: func(p git.Progress) { s.exchanges.tell(id, p) }}
	head, err := s.git.RemoteHead(ctx, remote, limits)
	if err != nil {
		return remote, got, err
	}
	h, err := s.openHold(id)
	if err != nil {
		return remote, got, err
	}
	defer h.close()
	objects, err := s.openLock(id, objectsFile)
	if err != nil {
		return remote, got, err
	}
	defer objects.Close()
	if err := await(ctx, objects, syscall.LOCK_SH, "the repository is being packed"); err != nil {
		return remote, got, err
	}
	begun := false
	defer func() {
		if begun {
			if late := s.finish(ctx, id); err == nil {
				err = late
			}
		}
		h.release()
	}()
	ready := func(ctx context.Context) error {
		if err := h.acquire(ctx); err != nil {
			return err
		}
		if err := s.stillImports(ctx, id); err != nil {
			return err
		}
		return s.adopt(ctx, h.git, id, head)
	}
	got, err = h.git.Holding(objects).Fetch(ctx, s.folder(id), remote, git.FetchRequest{
		Prefixes: branchesAndTags, Prune: true, Limits: limits,
		Before: func(ctx context.Context, _ []git.Update) error {
			if err := ready(ctx); err != nil {
				return err
			}
			begun = true
			return s.begin(ctx, id, task.mark())
		},
	})
	if err == nil && !begun { // nothing moved, or there is nothing
		err = ready(ctx)
	}
	return remote, got, err
}

// mark says who moves what an import brings: who asked for it, and no workflow starts for the history that comes first;
// later whoever pushed there.
func (t importTask) mark() mark {
	if t.Fetched.IsZero() {
		return mark{actor: t.actor, cause: t.cause, options: map[string]string{OptionSkip: ""}}
	}
	return mark{actor: "system"}
}

// stillImports fails when an import was canceled or its repository deleted meanwhile.
func (s *Service) stillImports(ctx context.Context, id string) error {
	r, err := s.byID(ctx, id)
	if err == nil && (r.Import == nil || r.Import.State == ImportCanceled) {
		err = fault.Errorf(fault.Canceled, "the import was canceled")
	}
	return err
}

// adopt makes the default branch that of the other side; "" leaves it.
func (s *Service) adopt(ctx context.Context, g *git.Git, id, head string) error {
	r, err := s.byID(ctx, id)
	if err != nil || head == "" || head == r.DefaultBranch {
		return err
	}
	err = s.db.Write(actor.AsSystem(ctx), func(tx *store.Tx) error {
		now, err := byID(ctx, tx, id)
		if err != nil {
			return err
		}
		now.DefaultBranch, now.Updated = head, s.now()
		if err := update(ctx, tx, now); err != nil {
			return err
		}
		return s.tell(actor.AsSystem(ctx), tx, "repository.changed", now, map[string]any{"repository": now.FullName(), "default_branch": head})
	})
	if err != nil {
		return fault.Wrap(err, "take over the default branch")
	}
	return g.SetHead(context.WithoutCancel(ctx), s.folder(id), head)
}

// noteImport writes the outcome of an attempt.
func (s *Service) noteImport(ctx context.Context, tx *store.Tx, id string, due time.Time, got outcome, failed error) error {
	task, err := importOf(ctx, tx, id) // who cancels it meanwhile, or asks for another look, is not overlooked
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	r, err := byID(ctx, tx, id)
	if fault.Is(err, fault.NotFound) || err == nil && (r.Import == nil || r.Import.State == ImportCanceled) {
		return nil
	}
	if err != nil {
		return err
	}
	before, now := *r.Import, s.now()
	i := before
	kind := ""
	data := map[string]any{"repository": r.FullName(), "url": i.URL}
	first := before.Fetched.IsZero()
	if failed == nil {
		i.State, i.Attempts, i.Error, i.Fetched, i.Refs = ImportReady, 0, "", now, int64(len(got.Refs))
		if first {
			i.Bytes += got.Bytes
			kind = "repository.imported"
			data["refs"], data["bytes"] = i.Refs, i.Bytes
		} else if before.Error != "" {
			kind = "mirror.recovered"
		}
		i.Due = time.Time{}
		if i.Every > 0 {
			i.Due = now.Add(i.Every)
		}
	} else {
		if got.files > 0 {
			i.Attempts = 0 // it goes on
		}
		if first {
			i.Bytes += got.Bytes // the next attempt finds them here
		}
		i.Attempts++
		i.Error = fault.Message(failed)
		data["error"] = i.Error
		switch {
		case !first || i.Every > 0 && got.fetched && !again(failed): // files of Git LFS are missing there, which is looked for again
			if first {
				i.State, i.Fetched, i.Refs = ImportReady, now, int64(len(got.Refs))
			}
			i.Due = now.Add(max(backoff(i.Attempts), min(i.Every, time.Hour)))
			if before.Error == "" {
				kind = "mirror.failed"
			}
		case again(failed) && i.Attempts < importAttempts:
			i.State, i.Due = ImportWaiting, now.Add(backoff(i.Attempts))
		default:
			i.State, i.Due, kind = ImportFailed, time.Time{}, "repository.import-failed"
		}
		if fault.Is(failed, fault.Internal) {
			s.log.Error("import a repository", "repository", r.FullName(), "error", failed)
		}
	}
	if before.Due.After(due) && failed == nil && i.Every > 0 {
		i.Due = before.Due // somebody asked for another look meanwhile
	}
	if err := saveImport(ctx, tx, id, i, got.large); err != nil || kind == "" {
		return err
	}
	return s.tell(ledger.WithCause(actor.AsSystem(ctx), task.cause), tx, kind, r, data)
}
