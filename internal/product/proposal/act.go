package proposal

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// NewProposal says what to propose.
type NewProposal struct {
	Repository string // NAMESPACE/NAME
	Title      string // "" takes the subject of the newest commit
	Body       string
	Source     string // branch
	Target     string // branch; "" for the default one
	Draft      bool
	WhenGreen  bool // merge it as soon as nothing is in the way, in the first way that the rules let
}

// Open proposes to bring one branch into another. It needs repository:write. Conflict when there is an open proposal of
// the two already, or nothing to bring; NotFound when a branch is not there.
func (s *Service) Open(ctx context.Context, n NewProposal) (Detail, error) {
	r, err := s.Repositories.Authorize(ctx, repository.Write, n.Repository)
	if err != nil {
		return Detail{}, err
	}
	if n.Target == "" {
		n.Target = r.DefaultBranch
	}
	for _, branch := range []string{n.Source, n.Target} {
		if err := git.CheckBranch(branch); err != nil {
			return Detail{}, err
		}
	}
	if n.Source == n.Target {
		return Detail{}, fault.Errorf(fault.Invalid, "%s can't be brought into itself; name another source", n.Source)
	}
	if r.Outside != nil {
		return s.openThere(ctx, r, n)
	}
	platform := s.Repositories.Platform()
	now := s.Now()
	p := Proposal{
		ID: ref.NewID(idPrefix, now), Repository: r.ID, Space: r.Space, Title: strings.TrimSpace(n.Title), Body: n.Body, State: Open, Draft: n.Draft,
		Author: actor.From(ctx).ID, Source: n.Source, Target: n.Target, Created: now, Updated: now, Version: 1,
	}
	if p.Head, err = platform.Head(ctx, r.FullName(), n.Source); err != nil {
		return Detail{}, fault.Wrap(err, "find the source")
	}
	if p.Base, err = platform.Head(ctx, r.FullName(), n.Target); err != nil {
		return Detail{}, fault.Wrap(err, "find the target")
	}
	if p.Standing, err = platform.Standing(ctx, r.FullName(), p.Base, p.Head); err != nil {
		return Detail{}, err
	}
	if p.Touches, err = platform.Touched(ctx, r.FullName(), p.Standing.Base, p.Head); err != nil {
		return Detail{}, err
	}
	if p.Standing.Ahead == 0 {
		return Detail{}, fault.Errorf(fault.Conflict, "%s has nothing that %s has not; push a commit to it first", n.Source, n.Target)
	}
	if p.Title == "" {
		if p.Title, err = s.subject(ctx, r, p.Head); err != nil {
			return Detail{}, err
		}
	}
	if err := checkTexts(p); err != nil {
		return Detail{}, err
	}
	spaces, err := s.Access.Ancestors(ctx, r.Space)
	if err != nil {
		return Detail{}, err
	}
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		if n.WhenGreen {
			demand, err := demandTx(ctx, tx, spaces, r, p.Target)
			if err != nil {
				return err
			}
			p.Auto = Auto{Way: demand.ways()[0], By: p.Author}
		}
		if err := insert(ctx, tx, &p); err != nil {
			return err
		}
		if err := s.tell(ctx, tx, r, p, "proposal.opened", map[string]any{"head": p.Head, "source": p.Source, "target": p.Target, "draft": p.Draft}); err != nil {
			return err
		}
		return s.ask(ctx, tx, p.ID) // also keeps its head
	})
	if err != nil {
		return Detail{}, err
	}
	return s.detail(ctx, r, p)
}

func checkTexts(p Proposal) error {
	if err := oneLine("the title", p.Title, titleLimit); err != nil {
		return err
	}
	return checkText("the description", p.Body, bodyLimit, true)
}

// subject gives the first line of a commit's message, as far as it is a title.
func (s *Service) subject(ctx context.Context, r repository.Repository, commit string) (string, error) {
	c, err := s.Repositories.Platform().CommitAt(ctx, r.FullName(), commit)
	title := strings.TrimSpace(c.Subject())
	if len(title) > titleLimit {
		title = strings.ToValidUTF8(title[:titleLimit-3], "") + "…"
	}
	return title, err
}

// tell appends an entry about a proposal, of who acts.
func (s *Service) tell(ctx context.Context, tx *store.Tx, r repository.Repository, p Proposal, kind string, data map[string]any) error {
	return s.tellAs(ctx, tx, "", r, p, kind, data)
}

// tellAs is tell of somebody else.
func (s *Service) tellAs(ctx context.Context, tx *store.Tx, who string, r repository.Repository, p Proposal, kind string, data map[string]any) error {
	if data == nil {
		data = map[string]any{}
	}
	data["repository"], data["number"] = r.FullName(), p.Number
	return s.append(ctx, tx, who, r, kind, Subject(r.FullName(), p.Number), append([]string{p.ID, r.Subject()}, p.Touches...), data)
}

func (s *Service) append(ctx context.Context, tx *store.Tx, who string, r repository.Repository, kind, subject string, refs []string, data map[string]any) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return fault.Wrap(err, "write entry %s", kind)
	}
	_, err = s.Ledger.Append(ctx, tx, ledger.Entry{Actor: who, Space: r.Space, Type: kind, Subject: subject, Refs: append(refs, r.ID), Data: raw})
	return err
}

// also is what goes into the transaction of a change, as the record of the command that asked for it.
type also func(tx *store.Tx) error

// change changes a proposal in one transaction with its entry; fn gives no kind when nothing is to be changed.
func (s *Service) change(ctx context.Context, action, repo string, number int, fn func(tx *store.Tx, r repository.Repository, p *Proposal) (kind string, data map[string]any, err error), also ...also) (Detail, error) {
	r, p, err := s.find(ctx, action, repo, number)
	if err != nil {
		return Detail{}, err
	}
	if r.Archived {
		return Detail{}, fault.Errorf(fault.Conflict, "%s is archived, so its proposals can't be changed", r.FullName())
	}
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		now, err := byID(ctx, tx, p.ID, tx.ForUpdate())
		if err != nil {
			return err
		}
		kind, data, err := fn(tx, r, &now)
		if err != nil {
			return err
		}
		for _, fn := range also {
			if err := fn(tx); err != nil {
				return err
			}
		}
		if kind == "" {
			return nil
		}
		now.Updated = s.Now()
		if err := save(ctx, tx, &now); err != nil {
			return err
		}
		p = now
		if err := s.tell(ctx, tx, r, p, kind, data); err != nil {
			return err
		}
		return s.ask(ctx, tx, p.ID)
	})
	if err != nil {
		return Detail{}, err
	}
	return s.detail(ctx, r, p)
}

// Edit says what to change of a proposal; nil leaves a field as it is.
type Edit struct {
	Title, Body, Target *string
	Draft               *bool
	Assignees           *[]string // references of users who look after it, or @name; all of them
	IfMatch             string    // etag that it must have now, for fault.IfMatch
}

// Edit changes a proposal's words, target, readiness or who looks after it. It needs repository:write. Stale when the
// proposal is not as e.IfMatch says.
func (s *Service) Edit(ctx context.Context, repo string, number int, e Edit) (Detail, error) {
	return s.edit(ctx, repo, number, e)
}

func (s *Service) edit(ctx context.Context, repo string, number int, e Edit, also ...also) (Detail, error) {
	if _, p, err := s.find(ctx, repository.Write, repo, number); err != nil {
		return Detail{}, err
	} else if p.There != nil && (e.Title != nil || e.Body != nil || e.Target != nil || e.Draft != nil) {
		return Detail{}, inThere(p, "changing its words")
	}
	if e.Target != nil {
		if _, err := s.Repositories.Resolve(ctx, repo, "refs/heads/"+*e.Target); err != nil {
			return Detail{}, fault.Wrap(err, "find the target")
		}
	}
	return s.change(ctx, repository.Write, repo, number, func(tx *store.Tx, r repository.Repository, p *Proposal) (string, map[string]any, error) {
		if err := unchanged(ctx, tx, r, *p, e.IfMatch); err != nil {
			return "", nil, err
		}
		var fields []string
		if e.Title != nil {
			p.Title, fields = strings.TrimSpace(*e.Title), append(fields, "title")
		}
		if e.Body != nil {
			p.Body, fields = *e.Body, append(fields, "body")
		}
		if e.Draft != nil {
			p.Draft, fields = *e.Draft, append(fields, "draft")
		}
		if e.Target != nil && *e.Target != p.Target {
			if p.State != Open {
				return "", nil, fault.Errorf(fault.Conflict, "a proposal that is %s keeps its target", p.State)
			}
			if *e.Target == p.Source {
				return "", nil, fault.Errorf(fault.Invalid, "%s can't be brought into itself", p.Source)
			}
			p.Target, p.Base, p.targetHead, fields = *e.Target, "", "", append(fields, "target") // what the base is, is looked at anew
		}
		if e.Assignees != nil {
			people, err := s.persons(ctx, tx, *e.Assignees)
			if err != nil {
				return "", nil, err
			}
			if err := assign(ctx, tx, p.ID, people); err != nil {
				return "", nil, err
			}
			fields = append(fields, "assignees")
		}
		if len(fields) == 0 {
			return "", nil, fault.Errorf(fault.Invalid, "nothing is to be changed; give a title, a body, a target, draft or assignees")
		}
		return "proposal.edited", map[string]any{"fields": fields}, checkTexts(*p)
	}, also...)
}

// unchanged refuses with Stale to change a proposal that is not as it was seen.
func unchanged(ctx context.Context, tx *store.Tx, r repository.Repository, p Proposal, ifMatch string) error {
	if ifMatch == "" {
		return nil
	}
	people, err := assignees(ctx, tx, p.ID)
	if err != nil {
		return err
	}
	return fault.IfMatch(ifMatch, p.etag(people[p.ID]), "proposal "+Full(r.FullName(), p.Number))
}

// assigneesMost bounds who looks after one proposal.
const assigneesMost = 20

// persons gives the ids of users, each once, who are named by reference or as @name.
func (s *Service) persons(ctx context.Context, tx *store.Tx, names []string) ([]string, error) {
	if len(names) > assigneesMost {
		return nil, fault.Errorf(fault.TooLarge, "a proposal is assigned to at most %d people", assigneesMost)
	}
	var out []string
	for _, name := range names {
		who, err := ref.Parse(strings.TrimPrefix(name, "@"), "user", ref.DefaultNamespace)
		if err != nil {
			return nil, err
		}
		id, err := s.People.PersonID(ctx, tx, who, false)
		if err != nil {
			return nil, err
		}
		if id == "" {
			return nil, fault.Errorf(fault.Invalid, "there is no user %.200s", name)
		}
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out, nil
}

// Close ends a proposal without merging it, or with open opens it again. It needs repository:write.
func (s *Service) Close(ctx context.Context, repo string, number int, open bool) (Detail, error) {
	return s.setOpen(ctx, repo, number, open)
}

func (s *Service) setOpen(ctx context.Context, repo string, number int, open bool, also ...also) (Detail, error) {
	if r, p, err := s.find(ctx, repository.Write, repo, number); err != nil {
		return Detail{}, err
	} else if p.There != nil {
		return s.there(ctx, r, p, func(f forge.Forge, name string) error { return f.CloseProposal(ctx, name, number, !open) }, also...)
	}
	return s.change(ctx, repository.Write, repo, number, func(tx *store.Tx, _ repository.Repository, p *Proposal) (string, map[string]any, error) {
		if p.State == Merged {
			return "", nil, fault.Errorf(fault.Conflict, "it is merged")
		}
		if (p.State == Open) == open {
			return "", nil, nil
		}
		p.Auto = Auto{}
		if !open {
			p.State, p.Ended = Closed, s.Now()
			return "proposal.closed", nil, nil
		}
		others, err := openOf(ctx, tx, p.Repository, p.Source)
		if err != nil {
			return "", nil, err
		}
		if slices.ContainsFunc(others, func(o Proposal) bool { return o.Source == p.Source && o.Target == p.Target }) {
			return "", nil, fault.Errorf(fault.Conflict, "there is an open proposal of %s into %s already", p.Source, p.Target)
		}
		p.State, p.Ended = Open, time.Time{}
		return "proposal.reopened", nil, nil // whether its source is still there is looked at next
	}, also...)
}

// Comment says something of a proposal. It needs repository:read: whoever may look may ask.
func (s *Service) Comment(ctx context.Context, repo string, number int, n NewComment) (c Comment, err error) {
	r, p, err := s.find(ctx, repository.Read, repo, number)
	if err != nil {
		return c, err
	}
	if p.There != nil {
		return s.commentThere(ctx, r, p, n)
	}
	what, err := s.quote(ctx, r, p, n)
	if err != nil {
		return c, err
	}
	_, err = s.change(ctx, repository.Read, repo, number, func(tx *store.Tx, _ repository.Repository, p *Proposal) (string, map[string]any, error) {
		if c, err = s.comment(ctx, tx, r, *p, what[0], ""); err != nil {
			return "", nil, err
		}
		return "proposal.commented", map[string]any{"comment": c.ID}, nil
	})
	return c, err
}

// EditComment replaces the words of one's own comment.
func (s *Service) EditComment(ctx context.Context, repo string, number int, id, body string) (c Comment, err error) {
	if r, p, err := s.find(ctx, repository.Read, repo, number); err != nil {
		return c, err
	} else if p.There != nil {
		return s.editThere(ctx, r, p, id, body)
	}
	_, err = s.change(ctx, repository.Read, repo, number, func(tx *store.Tx, _ repository.Repository, p *Proposal) (string, map[string]any, error) {
		if err := checkText("the comment", body, commentLimit, false); err != nil {
			return "", nil, err
		}
		if c, err = commentByID(ctx, tx, p.ID, id, tx.ForUpdate()); err != nil {
			return "", nil, err
		}
		if c.Author != actor.From(ctx).ID {
			return "", nil, fault.Errorf(fault.Denied, "a comment is changed by who wrote it")
		}
		c.Body, c.Updated = body, s.Now()
		return "proposal.comment-edited", map[string]any{"comment": c.ID}, saveComment(ctx, tx, c)
	})
	return c, err
}

// Settle marks the talk that a comment on a line began as settled, or with open takes that back. It needs
// repository:write.
func (s *Service) Settle(ctx context.Context, repo string, number int, id string, open bool) (c Comment, err error) {
	if _, p, err := s.find(ctx, repository.Write, repo, number); err != nil {
		return c, err
	} else if p.There != nil {
		return c, inThere(p, "settling a talk")
	}
	_, err = s.change(ctx, repository.Write, repo, number, func(tx *store.Tx, _ repository.Repository, p *Proposal) (string, map[string]any, error) {
		if c, err = commentByID(ctx, tx, p.ID, id, tx.ForUpdate()); err != nil {
			return "", nil, err
		}
		if c.Path == "" || c.ReplyTo != "" {
			return "", nil, fault.Errorf(fault.Invalid, "only a comment on a line begins a talk that can be settled")
		}
		if (c.Resolved == "") == open {
			return "", nil, nil
		}
		c.Resolved, c.Updated = actor.From(ctx).ID, s.Now()
		if open {
			c.Resolved = ""
		}
		return "proposal.talk-settled", map[string]any{"comment": c.ID, "open": open}, saveComment(ctx, tx, c)
	})
	return c, err
}

// NewReview says what to say of a head.
type NewReview struct {
	Verdict  string
	Body     string
	Head     string // that was looked at; "" for the head now
	Comments []NewComment
}

func (n NewReview) check() error {
	switch {
	case n.Verdict != Approved && n.Verdict != Refused && n.Verdict != Commented:
		return fault.Errorf(fault.Invalid, "%.100q is no verdict; choose approved, refused or commented", n.Verdict)
	case len(n.Comments) > lineComments:
		return fault.Errorf(fault.TooLarge, "a review has at most %d comments", lineComments)
	}
	if err := checkText("the review", n.Body, bodyLimit, n.Verdict == Approved || n.Verdict == Commented && len(n.Comments) > 0); err != nil {
		return err
	}
	return nil
}

// Review gives a verdict on a head, with comments on lines. It needs repository:write; Stale when the head has moved
// since it was looked at. Nobody approves what they wrote themselves.
func (s *Service) Review(ctx context.Context, repo string, number int, n NewReview) (Detail, error) {
	return s.review(ctx, repo, number, n)
}

func (s *Service) review(ctx context.Context, repo string, number int, n NewReview, also ...also) (Detail, error) {
	r, p, err := s.find(ctx, repository.Write, repo, number)
	if err != nil {
		return Detail{}, err
	}
	if err := n.check(); err != nil {
		return Detail{}, err
	}
	if p.There != nil {
		return s.verdictThere(ctx, r, p, n, also...)
	}
	what, err := s.quote(ctx, r, p, n.Comments...)
	if err != nil {
		return Detail{}, err
	}
	return s.change(ctx, repository.Write, repo, number, func(tx *store.Tx, r repository.Repository, p *Proposal) (string, map[string]any, error) {
		me := actor.From(ctx)
		switch {
		case p.State != Open:
			return "", nil, fault.Errorf(fault.Conflict, "it is %s", p.State)
		case n.Head != "" && n.Head != p.Head:
			return "", nil, stale(*p)
		case n.Verdict != Commented && p.Author == me.ID:
			return "", nil, fault.Errorf(fault.Denied, "you opened it yourself; ask somebody else to look at it")
		}
		v := Review{ID: ref.NewID(reviewPrefix, s.Now()), Author: me.ID, Verdict: n.Verdict, Body: n.Body, Head: p.Head, Created: s.Now()}
		for _, c := range what {
			if _, err := s.comment(ctx, tx, r, *p, c, v.ID); err != nil {
				return "", nil, err
			}
		}
		return "proposal.reviewed", map[string]any{"verdict": v.Verdict, "head": v.Head, "review": v.ID}, insertReview(ctx, tx, p.ID, v)
	}, also...)
}
