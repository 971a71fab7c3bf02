package proposal

import (
	"context"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// Query narrows a list of proposals; empty fields narrow nothing.
type Query struct {
	Repository string // NAMESPACE/NAME
	State      string
	Author     string // opaque id
	Assignee   string // opaque id
	Source     string
	Target     string
	Commits    []string // only those whose head, or what they became, is one of these
	Text       string   // in the title, in any case
	Draft      *bool
	Waiting    bool // only those that wait for the caller's review
}

// Line is a proposal in a list, with how its head stands.
type Line struct {
	Proposal
	Full      string // NAMESPACE/NAME#NUMBER
	Assignees []string
	Approvals int // of people other than its author
	Wanted    int // approvals that the rules want
	Refusals  int
	Passed    int // checks
	Failed    int
	Pending   int
}

// Counts are how many proposals there are in each state.
type Counts struct {
	Open, Merged, Closed int
	Waiting              int // of the open ones for the caller's review
}

// where narrows to what a query is about and its caller may read; none means that there is nothing.
func (s *Service) where(ctx context.Context, q Query) (w *store.Where, readable access.Set, none bool, err error) {
	w = &store.Where{}
	readable = access.Set{All: true}
	if q.Repository != "" {
		r, err := s.Repositories.Get(ctx, q.Repository)
		if err != nil {
			return nil, readable, false, err
		}
		w.Equal("repository", r.ID)
	} else {
		readable, err = s.Access.Spaces(ctx, repository.Read)
		if err != nil || readable.Empty() {
			return nil, readable, true, err
		}
		if !readable.All {
			w.Add(w.In("space", readable.List()))
		}
	}
	w.Equal("state", q.State)
	w.Equal("author", q.Author)
	w.Equal("source", q.Source)
	w.Equal("target", q.Target)
	if len(q.Commits) > 0 {
		w.Add("(" + w.In("merge_commit", q.Commits) + " OR " + w.In("head", q.Commits) + ")")
	}
	if text := strings.TrimSpace(q.Text); text != "" {
		w.Add(w.Finds("title", text))
	}
	if q.Draft != nil {
		w.Add("draft = " + w.Arg(*q.Draft))
	}
	if q.Assignee != "" {
		w.Add("EXISTS (SELECT 1 FROM proposal_assignees a WHERE a.proposal = proposals.id AND a.person = " + w.Arg(q.Assignee) + ")")
	}
	if q.Waiting {
		s.waiting(ctx, w)
	}
	return w, readable, false, nil
}

// waiting narrows to what waits for the caller's review: they look after it, or own some of it, and have given no verdict
// on its head.
func (s *Service) waiting(ctx context.Context, w *store.Where) {
	me := actor.From(ctx)
	id := w.Arg(me.ID)
	w.Add("state = 'open'")
	w.Add("draft = " + w.Arg(false))
	w.Add("author <> " + id)
	w.Add("(EXISTS (SELECT 1 FROM proposal_assignees a WHERE a.proposal = proposals.id AND a.person = " + id + ")" +
		" OR EXISTS (SELECT 1 FROM proposal_asked o WHERE o.proposal = proposals.id AND " + w.In("o.owner", wordsFor(me)) + "))")
	w.Add("NOT EXISTS (SELECT 1 FROM proposal_reviews v WHERE v.proposal = proposals.id AND v.author = " + id + " AND v.head = proposals.head AND v.verdict <> 'commented')")
}

// List gives the proposals of repositories that the caller may read, the newest first.
// Permission: repository:read; others are left out.
func (s *Service) List(ctx context.Context, q Query, part page.Request) (list page.Of[Line], err error) {
	w, readable, none, err := s.where(ctx, q)
	if err != nil || none {
		return list, err
	}
	w.Before("id", part.Cursor)
	var found page.Of[Proposal]
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, "SELECT "+columns+" FROM proposals"+w.String()+" ORDER BY id DESC LIMIT "+w.Arg(part.Window()), w.Args...)
		all, err := store.Collect(rows, err, scan)
		found = page.Cut(all, part, func(p Proposal) string { return p.ID })
		return err
	})
	if err != nil {
		return list, fault.Wrap(err, "list proposals")
	}
	list.Next = found.Next
	repositories := map[string]*repository.Repository{} // by id; nil for one that the caller may not read
	for _, p := range found.Items {
		r, known := repositories[p.Repository]
		if !known {
			at, err := s.Repositories.Platform().ByID(ctx, p.Repository)
			if err != nil && !fault.Is(err, fault.NotFound) {
				return list, err
			}
			if err == nil && readable.Has(at.Space) { // it may be elsewhere, or gone, since a moment
				r = &at
			}
			repositories[p.Repository] = r
		}
		if r != nil {
			list.Items = append(list.Items, Line{Proposal: p, Full: Full(r.FullName(), p.Number)})
		}
	}
	return list, s.stand(ctx, list.Items, repositories)
}

// stand adds how the heads of proposals stand, by a few queries for all of them.
func (s *Service) stand(ctx context.Context, lines []Line, repositories map[string]*repository.Repository) error {
	if len(lines) == 0 {
		return nil
	}
	spaces := map[string][]string{}
	for _, r := range repositories {
		if r == nil || spaces[r.Space] != nil {
			continue
		}
		all, err := s.Access.Ancestors(ctx, r.Space)
		if err != nil {
			return err
		}
		spaces[r.Space] = all
	}
	ids, repos, heads := make([]string, len(lines)), make([]string, len(lines)), make([]string, len(lines))
	for i, l := range lines {
		ids[i], repos[i], heads[i] = l.ID, l.Repository, l.Head
	}
	return fault.Wrap(s.DB.Read(ctx, func(tx *store.Tx) error {
		people, err := assignees(ctx, tx, ids...)
		if err != nil {
			return err
		}
		said, err := reviewsOf(ctx, tx, ids)
		if err != nil {
			return err
		}
		checked, err := checksOf(ctx, tx, repos, heads)
		if err != nil {
			return err
		}
		rules := map[string][]rule{}
		for space, all := range spaces {
			if rules[space], err = rulesOf(ctx, tx, all); err != nil {
				return err
			}
		}
		for i := range lines {
			l := &lines[i]
			f := Facts{Proposal: l.Proposal, Authors: []string{l.Author}, Reviews: said[l.ID]}
			if r := repositories[l.Repository]; l.State == Open {
				f.Demand = demandBy(rules[r.Space], *r, l.Target)
			}
			approving, refusing := standingVerdicts(f)
			l.Assignees, l.Approvals, l.Refusals, l.Wanted = people[l.ID], len(approving), len(refusing), f.Demand.Approvals
			at := checked[l.Repository+" "+l.Head]
			l.Passed, l.Failed, l.Pending = at[CheckPassed], at[CheckFailed], at[CheckPending]
		}
		return nil
	}), "see how proposals stand")
}

// Count gives how many proposals there are of what a query is about, its state and whom it waits for aside.
// Permission: repository:read; others are not counted.
func (s *Service) Count(ctx context.Context, q Query) (n Counts, err error) {
	q.State, q.Waiting = "", false
	w, _, none, err := s.where(ctx, q)
	if err != nil || none {
		return n, err
	}
	mine := q
	mine.Waiting = true
	waiting, _, _, err := s.where(ctx, mine)
	if err != nil {
		return n, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, "SELECT state, COUNT(*) FROM proposals"+w.String()+" GROUP BY state", w.Args...)
		_, err = store.Collect(rows, err, func(row store.Row) (state string, err error) {
			var count int
			err = row.Scan(&state, &count)
			*map[string]*int{Open: &n.Open, Merged: &n.Merged, Closed: &n.Closed}[state] = count
			return state, err
		})
		if err != nil {
			return err
		}
		return tx.QueryRow(ctx, "SELECT COUNT(*) FROM proposals"+waiting.String(), waiting.Args...).Scan(&n.Waiting)
	})
	return n, fault.Wrap(err, "count proposals")
}
