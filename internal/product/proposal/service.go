package proposal

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// People is what this room asks of core/identity.
type People interface {
	// Principal gives who an id stands for now, with groups. NotFound when it is gone.
	Principal(ctx context.Context, id string) (actor.Principal, error)
	// PersonID gives the id of a user who can act; "" when there is none.
	PersonID(ctx context.Context, tx *store.Tx, user ref.Entity, declare bool) (string, error)
}

// Deps are the rooms this one stands on.
type Deps struct {
	DB           *store.DB
	Ledger       *ledger.Ledger
	Queue        *queue.Queue
	Access       *access.Service
	Repositories *repository.Service
	Runs         *run.Service
	People       People
	Words        []Word // commands by comment that other products carry out
	Now          func() time.Time
	Log          *slog.Logger
}

// Service keeps proposals. It is safe for concurrent use.
type Service struct{ Deps }

// New builds the room and registers its jobs and subscriptions, and the gate of pushes.
func New(d Deps) *Service {
	s := &Service{d}
	s.subscribe()
	d.Repositories.Guard(s.mayPush)
	return s
}

// Detail is a proposal with all that its page shows, save comments and diff.
type Detail struct {
	Proposal
	Full     string // NAMESPACE/NAME#NUMBER
	Reviews  []Review
	Checks   []Check
	Demand   Demand
	Blockers []Blocker
	Ways     []string
	Owners   []Owned
	Talks    int // that are not settled

	Assignees []string // ids of who looks after it
}

// Query narrows a list of proposals; empty fields narrow nothing.
type Query struct {
	Repository string // NAMESPACE/NAME
	State      string
	Author     string // opaque id
	Source     string
	Target     string
	Commits    []string // only those whose head, or what they became, is one of these
}

// List gives the proposals of repositories that the caller may read, the newest first.
// Permission: repository:read; others are left out.
func (s *Service) List(ctx context.Context, q Query, part page.Request) (list page.Of[Detail], err error) {
	w := &store.Where{}
	names := map[string]string{} // by id; "" for one that the caller may not read
	readable := access.Set{All: true}
	if q.Repository != "" {
		r, err := s.Repositories.Get(ctx, q.Repository)
		if err != nil {
			return list, err
		}
		w.Equal("repository", r.ID)
		names[r.ID] = r.FullName()
	} else {
		readable, err = s.Access.Spaces(ctx, repository.Read)
		if err != nil || readable.Empty() {
			return list, err
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
	for _, p := range found.Items {
		name, known := names[p.Repository]
		if !known {
			r, err := s.Repositories.Platform().ByID(ctx, p.Repository)
			if err != nil && !fault.Is(err, fault.NotFound) {
				return list, err
			}
			if err == nil && readable.Has(r.Space) { // it may be elsewhere, or gone, since a moment
				name = r.FullName()
			}
			names[p.Repository] = name
		}
		if name != "" {
			list.Items = append(list.Items, Detail{Proposal: p, Full: Full(name, p.Number)})
		}
	}
	return list, nil
}

// find gives a proposal and its repository, for whoever has a right there; whoever may not read it gets NotFound.
func (s *Service) find(ctx context.Context, action, repo string, number int) (r repository.Repository, p Proposal, err error) {
	if r, err = s.Repositories.Authorize(ctx, action, repo); err != nil {
		return r, p, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		p, err = byNumber(ctx, tx, r.ID, number, "")
		return err
	})
	if fault.Is(err, fault.NotFound) {
		err = fault.Errorf(fault.NotFound, "%s has no proposal %d", r.FullName(), number)
	}
	return r, p, err
}

// Get gives one proposal. Permission: repository:read; otherwise NotFound.
func (s *Service) Get(ctx context.Context, repo string, number int) (Detail, error) {
	r, p, err := s.find(ctx, repository.Read, repo, number)
	if err != nil {
		return Detail{}, err
	}
	return s.detail(ctx, r, p)
}

func (s *Service) detail(ctx context.Context, r repository.Repository, p Proposal) (Detail, error) {
	f, err := s.facts(ctx, r, p)
	if err != nil {
		return Detail{}, err
	}
	d := Detail{
		Proposal: f.Proposal, Full: Full(r.FullName(), p.Number), Reviews: f.Reviews, Checks: f.Checks, Demand: f.Demand,
		Blockers: blockers(f), Ways: f.Demand.ways(), Owners: f.Owners, Talks: f.Open,
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		people, err := assignees(ctx, tx, p.ID)
		d.Assignees = people[p.ID]
		return err
	})
	return d, err
}

// facts gathers what is decided by. It reads the repository only where the rules ask for owners or approvals.
func (s *Service) facts(ctx context.Context, r repository.Repository, p Proposal) (Facts, error) {
	f := Facts{Proposal: p}
	spaces, err := s.Access.Ancestors(ctx, r.Space)
	if err != nil {
		return f, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if f.Proposal, err = byID(ctx, tx, p.ID, ""); err != nil {
			return err
		}
		if f.Demand, err = demandTx(ctx, tx, spaces, r, p.Target); err != nil {
			return err
		}
		if f.Reviews, err = reviews(ctx, tx, p.ID); err != nil {
			return err
		}
		if f.Checks, err = checks(ctx, tx, r.ID, f.Proposal.Head); err != nil {
			return err
		}
		f.Open, err = openTalks(ctx, tx, p.ID)
		return err
	})
	if err != nil || f.Proposal.State != Open {
		return f, err
	}
	f.Authors = []string{p.Author}
	if f.Demand.Approvals == 0 && !f.Demand.Owners {
		return f, nil
	}
	pushers, _, err := s.Repositories.Platform().Pushers(ctx, r.FullName(), "refs/heads/"+p.Source, f.Proposal.Standing.Base, f.Proposal.Head)
	if err != nil {
		return f, err
	}
	f.Authors = append(f.Authors, pushers...)
	if f.Demand.Owners {
		f.Owners, err = s.owned(ctx, r, f)
	}
	return f, err
}

func demandTx(ctx context.Context, tx *store.Tx, spaces []string, r repository.Repository, branch string) (d Demand, err error) {
	rules, err := rulesOf(ctx, tx, spaces)
	if err != nil {
		return d, fault.Wrap(err, "read the rules of branches")
	}
	for _, rule := range rules {
		if rule.spec.holds(r.FullName(), branch, r.DefaultBranch) {
			d = d.add(rule.ref, rule.spec)
		}
	}
	return d, nil
}

// owned gives the rules of owners that the proposal's files fall under, each with those of the approving who are meant.
// The file of owners is that of the target: a proposal does not choose who looks at it.
func (s *Service) owned(ctx context.Context, r repository.Repository, f Facts) ([]Owned, error) {
	platform := s.Repositories.Platform()
	var text []byte
	for _, file := range ownersFiles {
		var err error
		if text, err = platform.ReadFile(ctx, r.FullName(), f.Proposal.Base, file, ownersLimit); err == nil {
			break
		}
		if !fault.Is(err, fault.NotFound) {
			return nil, err
		}
	}
	if len(text) == 0 {
		return nil, nil
	}
	changed, err := platform.ChangedPaths(ctx, r.FullName(), f.Proposal.Standing.Base, f.Proposal.Head)
	if err != nil {
		return nil, err
	}
	rules := parseOwners(string(text))
	byOwners := map[string]*Owned{}
	var out []*Owned
	for _, file := range changed {
		owners := ownersOf(rules, file)
		if len(owners) == 0 {
			continue
		}
		key := strings.Join(owners, " ")
		if byOwners[key] == nil {
			byOwners[key] = &Owned{Owners: owners}
			out = append(out, byOwners[key])
		}
		byOwners[key].Files = append(byOwners[key].Files, file)
	}
	approving, _ := standingVerdicts(f)
	list := make([]Owned, len(out))
	for i, o := range out {
		list[i] = *o
	}
	for _, id := range approving {
		who, err := s.People.Principal(ctx, id)
		if fault.Is(err, fault.NotFound) {
			continue // gone: nobody's word
		}
		if err != nil {
			return nil, err
		}
		for i := range list {
			if slices.ContainsFunc(list[i].Owners, func(owner string) bool { return means(owner, who) }) {
				list[i].People = append(list[i].People, id)
			}
		}
	}
	return list, nil
}

// means tells whether an owner, as a file of owners writes it, is somebody or a group of theirs: @name, @org/team, or an
// entity reference.
func means(owner string, who actor.Principal) bool {
	is := func(kind, text string) bool {
		r, err := ref.Parse(text, kind, ref.DefaultNamespace)
		if err != nil {
			return false
		}
		return r == who.Ref || slices.Contains(who.Groups, r.String())
	}
	name, at := strings.CutPrefix(owner, "@")
	if !at {
		return strings.Contains(owner, ":") && is("user", owner)
	}
	if _, team, ok := strings.Cut(name, "/"); ok {
		return is("group", team[strings.LastIndexByte(team, '/')+1:])
	}
	return is("user", name) || is("group", name)
}

// mayPush is the gate of pushes: a branch whose rules want proposals is moved by their merges alone. It may be made.
func (s *Service) mayPush(ctx context.Context, r repository.Repository, u git.Update) error {
	branch := strings.TrimPrefix(u.Ref, "refs/heads/")
	if u.Creates() {
		return nil
	}
	spaces, err := s.Access.Ancestors(ctx, r.Space)
	if err != nil {
		return err
	}
	var d Demand
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		d, err = demandTx(ctx, tx, spaces, r, branch)
		return err
	})
	if err != nil || d.Push != OnlyProposals {
		return err
	}
	return fault.Errorf(fault.Denied, "%s is moved by proposals only (%s): push another branch and open one with `roadbed proposal open`", branch, strings.Join(d.Rules, ", "))
}
