package stack

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// This file gives policies what they see of stacks, runs, commits and people, by Spacelift's names, so that policies that
// were written for it run as they are. People are opaque ids here, as in the ledger, since inputs are kept: policies are asked
// with their logins.

// shouted writes types and states as Spacelift does.
func shouted(word string) string { return strings.ToUpper(word) }

func nanos(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixNano()
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func stackInput(s Stack, state, lockedBy string) map[string]any {
	return map[string]any{
		"id": stackID(s.Ref.String()), "name": s.Ref.Name, "ref": s.Ref.String(), "labels": texts(s.Spec.Labels), "administrative": false,
		"autodeploy": s.Spec.Autodeploy, "branch": s.Branch, "repository": s.Repository, "namespace": before(s.Repository, "/"),
		"project_root": s.Path, "additional_project_globs": texts(s.Spec.Watch), "state": state, "locked_by": orNull(lockedBy),
		"terraform_version": nil, "tracked_commit": map[string]any{"hash": s.Seen, "branch": s.Branch},
		"space":       map[string]any{"id": s.Space, "name": s.Space, "labels": []string{}},
		"worker_pool": poolInput(s.Spec.WorkerPool),
	}
}

func texts(all []string) []string {
	if all == nil {
		return []string{}
	}
	return all
}

func before(text, mark string) string {
	part, _, _ := strings.Cut(text, mark)
	return part
}

func branchOf(name string) string {
	branch, is := strings.CutPrefix(name, "refs/heads/")
	if !is {
		return ""
	}
	return branch
}

// session is what policies see of somebody: the opaque id, and the groups of today. A group of the usual namespace has its
// short name beside its reference.
func (s *Service) session(ctx context.Context, id string) map[string]any {
	var p actor.Principal
	switch {
	case actor.From(ctx).ID == id:
		p = actor.From(ctx)
	case s.People != nil && ref.IsID(id, ref.Principal):
		p, _ = s.People.Principal(ctx, id) // who is deleted is in no group
	}
	return map[string]any{"login": id, "name": "", "admin": false, "machine": p.Kind != actor.User, "teams": teams(p.Groups), "groups": texts(p.Groups)}
}

// teams gives groups by reference and, for those of the usual namespace, by name.
func teams(groups []string) []string {
	all := []string{}
	for _, g := range groups {
		all = append(all, g)
		if name, usual := strings.CutPrefix(g, "group:"+ref.DefaultNamespace+"/"); usual {
			all = append(all, name)
		}
	}
	return all
}

// commitInput is a commit as policies see it; where it can't be read now, only its hash.
func (s *Service) commitInput(ctx context.Context, repository, branch, hash, pusher string) map[string]any {
	about := map[string]any{"hash": hash, "branch": branch, "author": pusher, "message": "", "created_at": nil, "url": s.commitPage(repository, hash)}
	if repository == "" || hash == "" {
		return about
	}
	if c, err := s.Repositories.CommitAt(ctx, repository, hash); err == nil {
		about["message"], about["created_at"] = c.Message, nanos(c.Committer.When)
	}
	return about
}

// People tells who acts, unauthorised.
type People interface {
	Principal(ctx context.Context, id string) (actor.Principal, error)
}

// Commits reads commits, unauthorised.
type Commits interface {
	CommitAt(ctx context.Context, repository, commit string) (git.Commit, error)
}

// previous gives the newest run of a stack before another that did more than plan, of the last few; nil when there is none.
func (s *Service) previous(ctx context.Context, tx *store.Tx, stack, space, than string) (*run.Run, error) {
	q := run.Query{Kinds: []string{RunKind}, Spaces: []string{space}, Subject: stack, Cursor: than}
	for _, q.Limit = range []int{1, 20} { // mostly it is the first
		page, err := s.Runs.ListTx(ctx, tx, q)
		if err != nil {
			return nil, err
		}
		for i := range page.Runs {
			var in Input
			if json.Unmarshal(page.Runs[i].Input, &in) == nil && !onlyPlans(in.Type) {
				return &page.Runs[i], nil
			}
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return nil, nil
		}
	}
	return nil, nil
}

func actorID(ctx context.Context) string { return actor.From(ctx).ID }
