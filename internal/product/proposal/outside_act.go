package proposal

import (
	"context"
	"errors"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// A forge knows the platform by one account. So what somebody does here to a proposal that lives there is done by that
// account, with a word on whose doing it is; a verdict is kept here under its author's name and told there as a comment,
// never as an approval of the platform's own.

// openThere opens a proposal at the forge of a repository.
func (s *Service) openThere(ctx context.Context, r repository.Repository, n NewProposal) (Detail, error) {
	f, name, err := s.Outside.Forge(ctx, r)
	if err != nil {
		return Detail{}, err
	}
	if n.Title == "" {
		head, err := s.Repositories.Platform().Head(ctx, r.FullName(), n.Source)
		if err != nil {
			return Detail{}, fault.Wrap(err, "find the source")
		}
		if n.Title, err = s.subject(ctx, r, head); err != nil {
			return Detail{}, err
		}
	}
	if err := checkTexts(Proposal{Title: n.Title, Body: n.Body}); err != nil {
		return Detail{}, err
	}
	made, err := f.OpenProposal(ctx, name, forge.NewProposal{Title: n.Title, Body: inTheNameOf(ctx, n.Body), Source: n.Source, Target: n.Target, Draft: n.Draft})
	if err != nil {
		return Detail{}, err
	}
	p, err := s.follow(ctx, r, made.Number)
	if err != nil {
		return Detail{}, err
	}
	return s.detail(ctx, r, p)
}

// there does something to a proposal at its forge, and then follows it.
func (s *Service) there(ctx context.Context, r repository.Repository, p Proposal, fn func(f forge.Forge, name string) error, also ...also) (Detail, error) {
	f, name, err := s.Outside.Forge(ctx, r)
	if err != nil {
		return Detail{}, err
	}
	if err := fn(f, name); err != nil {
		return Detail{}, err
	}
	if err := s.recordAll(ctx, also); err != nil {
		return Detail{}, err
	}
	if p, err = s.follow(ctx, r, p.Number); err != nil {
		return Detail{}, err
	}
	return s.detail(ctx, r, p)
}

// recordAll writes what goes with something that was done at a forge.
func (s *Service) recordAll(ctx context.Context, all []also) error {
	if len(all) == 0 {
		return nil
	}
	return s.DB.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		for _, fn := range all {
			if err := fn(tx); err != nil {
				return err
			}
		}
		return nil
	})
}

// inThere refuses what only the forge's own pages do.
func inThere(p Proposal, what string) error {
	return fault.Errorf(fault.Invalid, "%s is done at the forge of the repository: %s", what, p.There.URL)
}

// commentThere says something at the forge.
func (s *Service) commentThere(ctx context.Context, r repository.Repository, p Proposal, n NewComment) (c Comment, err error) {
	puts, err := s.putThere(ctx, r, p, n)
	if err != nil {
		return c, err
	}
	f, name, err := s.Outside.Forge(ctx, r)
	if err != nil {
		return c, err
	}
	if puts[0].there.Path != "" {
		said, err := s.reviewThere(ctx, r, p, f, name, NewReview{Verdict: Commented}, puts)
		if err != nil || len(said) == 0 {
			return c, err
		}
		c = said[0]
	} else {
		made, err := f.Comment(ctx, name, p.Number, puts[0].there.Body)
		if err != nil {
			return c, err
		}
		if c, err = s.keepOwn(ctx, r, p, made, puts[0]); err != nil {
			return c, err
		}
	}
	_, err = s.follow(ctx, r, p.Number)
	return c, err
}

// keepOwn keeps what was said here and stands at the forge now, under the name of who said it.
func (s *Service) keepOwn(ctx context.Context, r repository.Repository, p Proposal, made forge.Comment, w put) (Comment, error) {
	now := s.Now()
	c := Comment{
		ID: ref.NewID(commentPrefix, now), Author: actor.From(ctx).ID, Body: w.Body, Path: w.Path, Start: w.Start, Line: w.Line, Old: w.Old, Commit: w.commit,
		Quote: w.quote, ReplyTo: w.ReplyTo, There: made.ID, Posted: true, Created: now, Updated: now,
	}
	if c.Path != "" && c.ReplyTo == "" {
		c.Now, c.at = Span{c.Start, c.Line}, c.Commit
	}
	err := s.DB.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		kind := "proposal.commented"
		fresh, err := insertOutsideComment(ctx, tx, p.ID, c)
		if err == nil && !fresh { // a webhook was faster, and could not know whose word it is
			var claimed bool
			if c.ID, claimed, err = claimComment(ctx, tx, p.ID, c); err == nil && !claimed {
				return nil
			}
			kind = "proposal.comment-edited"
		}
		if err != nil {
			return err
		}
		if err := s.tell(ctx, tx, r, p, kind, map[string]any{"comment": c.ID}); err != nil {
			return err
		}
		c.Commands, err = s.command(ctx, tx, r, p, c)
		return err
	})
	return c, err
}

// editThere replaces the words of one's own comment, there and here.
func (s *Service) editThere(ctx context.Context, r repository.Repository, p Proposal, id, body string) (c Comment, err error) {
	if err := checkText("the comment", body, commentLimit, false); err != nil {
		return c, err
	}
	var first Comment // that it answers
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		if c, err = commentByID(ctx, tx, p.ID, id, ""); err == nil && c.ReplyTo != "" {
			first, err = commentByID(ctx, tx, p.ID, c.ReplyTo, "")
		}
		if fault.Is(err, fault.NotFound) && c.ID != "" {
			return nil // it answers what is gone there
		}
		return err
	})
	switch {
	case err != nil:
		return c, err
	case c.Author != actor.From(ctx).ID:
		return c, fault.Errorf(fault.Denied, "a comment is changed by who wrote it")
	case !c.Posted:
		return c, inThere(p, "changing a comment that was written there")
	}
	f, name, err := s.Outside.Forge(ctx, r)
	if err != nil {
		return c, err
	}
	if _, err := f.EditComment(ctx, name, p.Number, c.There, wordsThere(ctx, c.lines(body), first.Body)); err != nil {
		return c, err
	}
	c.Body, c.Updated = body, s.Now()
	return c, s.DB.Write(ctx, func(tx *store.Tx) error {
		if err := saveComment(ctx, tx, c); err != nil {
			return err
		}
		if err := countLook(ctx, tx, p.ID, 0); err != nil { // one that began before has the old words
			return err
		}
		return s.tell(ctx, tx, r, p, "proposal.comment-edited", map[string]any{"comment": c.ID})
	})
}

// verdictThere gives a verdict: here under the caller's name, there as a comment of the platform's.
func (s *Service) verdictThere(ctx context.Context, r repository.Repository, p Proposal, n NewReview, also ...also) (Detail, error) {
	p, err := s.follow(ctx, r, p.Number)
	if err != nil {
		return Detail{}, err
	}
	me := actor.From(ctx)
	switch {
	case p.State != Open:
		return Detail{}, fault.Errorf(fault.Conflict, "it is %s", p.State)
	case n.Head != "" && n.Head != p.Head:
		return Detail{}, stale(p)
	case n.Verdict != Commented && p.Author == me.ID:
		return Detail{}, fault.Errorf(fault.Denied, "you opened it yourself; ask somebody else to look at it")
	}
	puts, err := s.putThere(ctx, r, p, n.Comments...)
	if err != nil {
		return Detail{}, err
	}
	f, name, err := s.Outside.Forge(ctx, r)
	if err != nil {
		return Detail{}, err
	}
	if _, err := s.reviewThere(ctx, r, p, f, name, n, puts); err != nil {
		return Detail{}, err
	}
	if err := s.recordAll(ctx, also); err != nil {
		return Detail{}, err
	}
	if p, err = s.follow(ctx, r, p.Number); err != nil {
		return Detail{}, err
	}
	return s.detail(ctx, r, p)
}

// reviewThere posts a review at the forge and keeps it here with its comments.
func (s *Service) reviewThere(ctx context.Context, r repository.Repository, p Proposal, f forge.Forge, name string, n NewReview, puts []put) ([]Comment, error) {
	body := n.Body
	switch n.Verdict {
	case Approved:
		body = strings.TrimSpace("approves this at " + clip(p.Head, 12) + ".\n\n" + body)
	case Refused:
		body = strings.TrimSpace("asks for changes.\n\n" + body)
	}
	post := forge.NewReview{Verdict: forge.Commented, Commit: p.Head}
	if body != "" {
		post.Body = inTheNameOf(ctx, body)
	}
	for _, w := range puts {
		post.Comments = append(post.Comments, w.there)
	}
	made, err := f.Review(ctx, name, p.Number, post)
	if err != nil {
		return nil, err
	}
	now := s.Now()
	review := Review{ID: ref.NewID(reviewPrefix, now), Author: actor.From(ctx).ID, Verdict: n.Verdict, Body: n.Body, Head: p.Head, There: made.ID, Posted: true, Created: now}
	err = s.DB.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		if fresh, err := insertOutsideReview(ctx, tx, p.ID, review); err != nil || !fresh {
			return err
		}
		return s.tell(ctx, tx, r, p, "proposal.reviewed", map[string]any{"verdict": review.Verdict, "head": review.Head, "review": review.ID})
	})
	if err != nil || len(puts) == 0 {
		return nil, err
	}
	return s.keepLines(ctx, r, p, f, name, puts)
}

// keepLines keeps the comments on lines that were just posted, each under the id that the forge gave it.
func (s *Service) keepLines(ctx context.Context, r repository.Repository, p Proposal, f forge.Forge, name string, posted []put) (kept []Comment, err error) {
	all, err := forge.All(commentsMost, func(part page.Request) (page.Of[forge.Comment], error) {
		return f.ListComments(ctx, name, p.Number, part)
	})
	if err != nil {
		return nil, err
	}
	var known words
	if err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		known, err = outsideWords(ctx, tx, p.ID)
		return err
	}); err != nil {
		return nil, err
	}
	taken := map[string]bool{}
	for _, w := range posted {
		for i := len(all) - 1; i >= 0; i-- { // the newest are last
			c := all[i]
			if _, old := known.comments[c.ID]; old || taken[c.ID] || c.Path != w.there.Path || c.Line != w.there.Line || c.Old != w.there.Old || strings.TrimSpace(c.Body) != strings.TrimSpace(w.there.Body) {
				continue
			}
			taken[c.ID] = true
			own, err := s.keepOwn(ctx, r, p, c, w)
			if err != nil {
				return kept, err
			}
			kept = append(kept, own)
			break
		}
	}
	return kept, nil
}

// mergeThere merges at the forge.
func (s *Service) mergeThere(ctx context.Context, r repository.Repository, p Proposal, m MergeRequest) (Proposal, error) {
	f, name, err := s.Outside.Forge(ctx, r)
	if err != nil {
		return p, err
	}
	me := actor.From(ctx)
	if err := s.announce(ctx, p, m.Way, "", me.ID); err != nil {
		return p, err
	}
	done, err := f.MergeProposal(ctx, name, p.Number, forge.Merge{Way: m.Way, Title: m.Title, Body: m.Body, Head: p.Head, DeleteSource: m.DeleteSource})
	switch {
	case fault.Is(err, fault.Conflict), fault.Is(err, fault.Stale), fault.Is(err, fault.Denied), fault.Is(err, fault.Invalid): // somebody else may merge it
		return p, errors.Join(err, s.announce(ctx, p, "", "", ""))
	case err != nil:
		return p, err
	}
	if p, err = s.merged(ctx, r, p, done.Commit, m.Way, me.ID); err != nil {
		return p, err
	}
	if err := s.fetch(ctx, r); err != nil { // the webhook or the next look tells of it, too
		s.Log.WarnContext(ctx, "fetch what was merged", "proposal", Full(r.FullName(), p.Number), "error", err)
	}
	return p, nil
}

// fetch has the repository be as its forge has it now.
func (s *Service) fetch(ctx context.Context, r repository.Repository) error {
	_, err := s.Repositories.Fetch(actor.AsSystem(ctx), r.FullName())
	return err
}
