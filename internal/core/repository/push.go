package repository

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"syscall"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// refsLimit bounds the branches, tags and notes of a repository.
const refsLimit = 50_000

// ServeGit answers a request of git's smart HTTP protocol for a repository; path is what follows its address (see
// git.Wants). A clone or fetch needs repository:read, a push repository:write; a push is in the ledger when the client
// learns that it succeeded. An error means that nothing has been written to w.
func (s *Service) ServeGit(w http.ResponseWriter, r *http.Request, fullName, path string) error {
	write, ok := git.Wants(r, path)
	if !ok {
		return fault.Errorf(fault.Invalid, "this is not a request of git's smart HTTP protocol; use git 2.0 or newer")
	}
	action := Read
	if write {
		action = Write
	}
	repository, err := s.open(r.Context(), action, fullName)
	if err != nil {
		return err
	}
	if write && repository.Outside != nil {
		return fault.Errorf(fault.Conflict, "%s lives at its forge: push to %s, and it is seen here in a moment", repository.FullName(), repository.Outside.URL)
	}
	release, err := s.use(r.Context(), repository)
	if err != nil {
		return err
	}
	defer release()
	ctx, ended := s.serving(r.Context(), repository.ID)
	defer ended()
	r = r.WithContext(ctx)
	options := git.ServeOptions{Path: path, Client: actor.From(ctx).ID, Write: write, MaxInput: s.limitsOf(repository).Push}
	if path == git.PathReceivePack {
		err = s.receive(w, r, repository, options)
	} else {
		err = s.git.Serve(w, r, s.folder(repository.ID), options)
	}
	if gone := context.Cause(ctx); err != nil && fault.Is(gone, fault.NotFound) {
		return gone
	}
	return err
}

// receive serves a push; see the package's comment for its order.
func (s *Service) receive(w http.ResponseWriter, r *http.Request, repository Repository, options git.ServeOptions) error {
	ctx := r.Context()
	h, err := s.openHold(repository.ID)
	if err != nil {
		return err
	}
	defer h.close()
	objects, err := s.openLock(repository.ID, objectsFile)
	if err != nil {
		return err
	}
	defer objects.Close()
	if err := await(ctx, objects, syscall.LOCK_SH, "the repository is being packed; push again"); err != nil {
		return err
	}
	begun := false
	options.PreReceive = func(ctx context.Context, in git.Incoming) error {
		m := markOf(ctx, false)
		var err error
		if m.options, err = readOptions(in); err != nil {
			return err
		}
		if m.leaks, err = s.inspect(ctx, repository, in, m.options); err != nil { // before the lock, since it may take long
			return err
		}
		if err := h.acquire(ctx); err != nil {
			return err
		}
		now, err := s.byID(ctx, repository.ID) // its space, the default branch and its protection may have changed meanwhile
		if err != nil {
			return err
		}
		if err := s.access.AuthorizeObject(ctx, Write, now.Space, now.FullName()); err != nil { // and so may rights
			return err
		}
		if err := now.judge(ctx, in); err != nil {
			return err
		}
		if err := s.room(ctx, now, in); err != nil {
			return err
		}
		for _, u := range in.Updates {
			if s.gate == nil || !strings.HasPrefix(u.Ref, "refs/heads/") {
				continue
			}
			if err := s.gate(ctx, now, u); err != nil {
				return err
			}
		}
		s.invite(now, in, m.options)
		begun = true // also when begin's answer is lost
		return s.begin(ctx, repository.ID, m)
	}
	options.Ended = func() {
		if begun { // an error leaves the mark, so the push is recorded later
			_ = s.finish(ctx, repository.ID)
		}
		h.release()
		objects.Close()
	}
	return h.git.Holding(objects).Serve(w, r, s.folder(repository.ID), options)
}

// room refuses a push that would give a repository too many references: each push looks at them all.
func (s *Service) room(ctx context.Context, r Repository, in git.Incoming) error {
	more := 0
	for _, u := range in.Updates {
		if u.Creates() {
			more++
		} else if u.Deletes() {
			more--
		}
	}
	if more <= 0 {
		return nil
	}
	refs, err := s.git.Refs(ctx, s.folder(r.ID))
	if err == nil && len(refs)+more > refsLimit {
		return fault.Errorf(fault.TooLarge, "%s has %d branches, tags and notes of at most %d; delete some that are not needed", r.FullName(), len(refs), refsLimit)
	}
	return err
}

// markOf says who acts in ctx.
func markOf(ctx context.Context, platform bool) mark {
	p := actor.From(ctx)
	return mark{actor: p.ID, cause: ledger.Cause(ctx), run: p.Run, platform: platform}
}

// CommitFiles commits to a branch as the principal of ctx, and gives the commit. It needs repository:write. Without an
// author it is the principal; without a time it is now. It fails with fault.Conflict when the branch is not at r.Parent.
func (s *Service) CommitFiles(ctx context.Context, fullName string, r git.CommitRequest) (commit string, err error) {
	repository, err := s.open(ctx, Write, fullName)
	if err != nil {
		return "", err
	}
	return s.commit(ctx, repository, r, markOf(ctx, false))
}

func (s *Service) commit(ctx context.Context, repository Repository, r git.CommitRequest, m mark) (commit string, err error) {
	if r.Branch == "" {
		r.Branch = repository.DefaultBranch
	}
	if r.Author.Name == "" {
		r.Author.Name, r.Author.Email = "Roadbed", "roadbed@localhost"
		if p := actor.From(ctx); p.Kind != actor.System && p.Name != "" {
			r.Author.Name, r.Author.Email = p.Name, p.ID+"@users.localhost"
		}
	}
	if r.Author.When.IsZero() {
		r.Author.When = s.now()
	}
	if !m.platform {
		if err := s.refuseIn(repository, r.Changes); err != nil {
			return "", fault.Wrap(err, "commit to %s", repository.FullName())
		}
	}
	err = s.movingAs(ctx, repository, m, func(g *git.Git) error {
		if u := (git.Update{Ref: "refs/heads/" + r.Branch, Old: cmp.Or(r.Old(), Zero)}); s.gate != nil && !m.platform {
			if err := s.gate(ctx, repository, u); err != nil {
				return err
			}
		}
		commit, err = g.Commit(ctx, s.folder(repository.ID), r)
		return err
	})
	return commit, fault.Wrap(err, "commit to %s", repository.FullName())
}
