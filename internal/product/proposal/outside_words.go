package proposal

import (
	"cmp"
	"context"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// wordsAtOnce is how many comments one transaction writes.
const wordsAtOnce = 100

// reviewsMost bounds the reviews of a proposal that are read from a forge.
const reviewsMost = 1_000

// words are the comments and reviews of a proposal that a forge has, by its ids.
type words struct {
	comments map[string]Comment
	reviews  map[string]Review
	looks    int64 // at the forge, that were written before
}

// wordsOf gives what is kept of what was said of a proposal at its forge.
func (s *Service) wordsOf(ctx context.Context, r repository.Repository, number int) (known words, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		p, err := byNumber(ctx, tx, r.ID, number, "")
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err == nil {
			known, err = outsideWords(ctx, tx, p.ID)
		}
		return err
	})
	return known, err
}

// keepWords writes what was said of a proposal at its forge: what is new, what was changed, and what is gone of what was
// known before the forge was asked.
func (s *Service) keepWords(ctx context.Context, r repository.Repository, p Proposal, t told, known words) error {
	var todo []func(tx *store.Tx) error
	for _, v := range t.reviews {
		if fn := s.keepReview(ctx, r, p, known.reviews, v, t); fn != nil {
			todo = append(todo, fn)
		}
		delete(known.reviews, v.ID)
	}
	for _, v := range known.reviews { // an approval that was taken back
		if v.Verdict != Commented {
			todo = append(todo, s.setVerdict(ctx, r, p, v, Commented))
		}
	}
	ids := map[string]string{} // here, by the forge's
	for id, c := range known.comments {
		ids[id] = c.ID
	}
	for _, c := range t.comments {
		fn, err := s.keepComment(ctx, r, p, known.comments, c, &t, ids)
		if err != nil {
			return err
		}
		if fn != nil {
			todo = append(todo, fn)
		}
		delete(known.comments, c.ID)
	}
	for id, c := range known.comments {
		todo = append(todo, func(tx *store.Tx) error {
			if err := dropComment(ctx, tx, c.ID); err != nil {
				return err
			}
			return s.tellAs(ctx, tx, "system", r, p, "proposal.comment-removed", map[string]any{"comment": c.ID, "there": id})
		})
	}
	for len(todo) > 0 {
		some := todo[:min(len(todo), wordsAtOnce)]
		todo = todo[len(some):]
		err := s.DB.Write(ctx, func(tx *store.Tx) error {
			if err := lastLook(ctx, tx, p.ID, t.look); err != nil {
				return err
			}
			for _, fn := range some {
				if err := fn(tx); err != nil {
					return err
				}
			}
			return s.ask(ctx, tx, p.ID)
		})
		if err != nil {
			return fault.Wrap(err, "keep what was said of %s", Full(r.FullName(), p.Number))
		}
	}
	return s.heard(ctx, p, t)
}

func clean(text string, limit int) string {
	return clip(strings.ReplaceAll(strings.ToValidUTF8(text, "�"), "\x00", ""), limit)
}

func (s *Service) keepReview(ctx context.Context, r repository.Repository, p Proposal, known map[string]Review, v forge.Review, t told) func(tx *store.Tx) error {
	verdict := verdictOf(v.Verdict)
	if old, ok := known[v.ID]; ok {
		if old.Verdict == verdict || old.Posted {
			return nil
		}
		return s.setVerdict(ctx, r, p, old, verdict)
	}
	review := Review{
		ID: ref.NewID(reviewPrefix, cmp.Or(v.Created, s.Now())), Author: t.people[v.Author.Login], Login: v.Author.Login, There: v.ID, Verdict: verdict,
		Body: clean(v.Body, bodyLimit), Head: cmp.Or(v.Commit, p.Head), Created: cmp.Or(v.Created, s.Now()),
	}
	return func(tx *store.Tx) error {
		if fresh, err := insertOutsideReview(ctx, tx, p.ID, review); err != nil || !fresh {
			return err
		}
		return s.tellAs(ctx, tx, cmp.Or(review.Author, "system"), r, p, "proposal.reviewed", map[string]any{"verdict": verdict, "head": review.Head, "review": review.ID})
	}
}

func (s *Service) setVerdict(ctx context.Context, r repository.Repository, p Proposal, v Review, verdict string) func(tx *store.Tx) error {
	return func(tx *store.Tx) error {
		if err := saveVerdict(ctx, tx, v.ID, verdict); err != nil {
			return err
		}
		return s.tellAs(ctx, tx, cmp.Or(v.Author, "system"), r, p, "proposal.reviewed", map[string]any{"verdict": verdict, "head": v.Head, "review": v.ID})
	}
}

func (s *Service) keepComment(ctx context.Context, r repository.Repository, p Proposal, known map[string]Comment, c forge.Comment, t *told, ids map[string]string) (func(tx *store.Tx) error, error) {
	body := clean(c.Body, commentLimit)
	old, ok := known[c.ID]
	resolved := old.Resolved
	if c.Resolved != (resolved != "") {
		if resolved = ""; c.Resolved {
			resolved = "system"
		}
	}
	if ok {
		if old.Posted {
			body = old.Body // it was said here, and stands there with the name of who said it
		}
		if old.Body == body && old.Resolved == resolved {
			return nil, nil
		}
		kind, data := "proposal.comment-edited", map[string]any{"comment": old.ID}
		if old.Body == body {
			kind, data = "proposal.talk-settled", map[string]any{"comment": old.ID, "open": resolved == ""}
		}
		changed := old
		changed.Body, changed.Resolved, changed.Updated = body, resolved, cmp.Or(c.Updated, s.Now())
		return func(tx *store.Tx) error {
			if err := saveComment(ctx, tx, changed); err != nil {
				return err
			}
			return s.tellAs(ctx, tx, cmp.Or(old.Author, "system"), r, p, kind, data)
		}, nil
	}
	n := Comment{
		ID: ref.NewID(commentPrefix, cmp.Or(c.Created, s.Now())), Author: t.people[c.Author.Login], Login: c.Author.Login, There: c.ID, Body: body,
		Path: clean(c.Path, 4096), Start: max(c.Line, 0), Line: max(c.Line, 0), Old: c.Old, Commit: c.Commit, ReplyTo: ids[c.ReplyTo], Resolved: resolved,
		Created: cmp.Or(c.Created, s.Now()), Updated: cmp.Or(c.Updated, c.Created, s.Now()),
	}
	ids[c.ID] = n.ID
	by, err := s.commander(ctx, r, p, c, n, t)
	return func(tx *store.Tx) error {
		if fresh, err := insertOutsideComment(ctx, tx, p.ID, n); err != nil || !fresh {
			return err
		}
		if err := s.tellAs(ctx, tx, cmp.Or(n.Author, "system"), r, p, "proposal.commented", map[string]any{"comment": n.ID}); err != nil || by.ID == "" {
			return err
		}
		return s.commandThere(actor.With(ctx, by), tx, r, p, n)
	}, err
}
