package proposal

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
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
	Catalog      *catalog.Service
	Runs         *run.Service
	People       People
	Outside      Outside
	BaseURL      string // by which people reach the portal
	Words        []Word // commands by comment that other products carry out
	Fresh        int    // proposals that are looked at when their target moves though nothing waits for that; 0 for freshMost
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
	Warnings []string // about the file of owners
	Talks    int      // that are not settled

	Assignees []string // ids of who looks after it
}

// Etag changes with what people say of a proposal, and not with what is pushed to it.
func (d Detail) Etag() string { return d.Proposal.etag(d.Assignees) }

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
	if p.Stale() {
		p = s.fresh(actor.AsSystem(ctx), r, p)
	}
	return s.detail(ctx, r, p)
}

// fresh works out how a proposal stands to its target now, for whoever looks at it; as it was when that can't be done.
func (s *Service) fresh(ctx context.Context, r repository.Repository, p Proposal) Proposal {
	now, err := s.look(ctx, r, p)
	if err == nil {
		err = s.DB.Write(ctx, func(tx *store.Tx) error { return s.ask(ctx, tx, p.ID) }) // its references, and whom it asks
	}
	if err != nil {
		s.Log.WarnContext(ctx, "look at a proposal whose target moved", "proposal", Full(r.FullName(), p.Number), "error", err)
		return p
	}
	return now
}

func (s *Service) detail(ctx context.Context, r repository.Repository, p Proposal) (Detail, error) {
	f, err := s.facts(ctx, r, p)
	if err != nil {
		return Detail{}, err
	}
	d := Detail{
		Proposal: f.Proposal, Full: Full(r.FullName(), p.Number), Reviews: f.Reviews, Checks: f.Checks, Demand: f.Demand,
		Blockers: blockers(f), Ways: f.Demand.ways(), Owners: f.Owners, Warnings: f.Warnings, Talks: f.Open,
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
	if there := f.Proposal.There; there != nil {
		f.Authors = append(f.Authors, there.Writers...)
		if f.Mute, err = s.mute(ctx, r, f.Reviews); err != nil {
			return f, err
		}
	}
	pushers, _, err := s.Repositories.Platform().Pushers(ctx, r.FullName(), "refs/heads/"+p.Source, f.Proposal.Standing.Base, f.Proposal.Head)
	if err != nil {
		return f, err
	}
	f.Authors = append(f.Authors, pushers...)
	if f.Demand.Owners {
		f.Owners, f.Warnings, err = s.owned(ctx, r, f)
	}
	return f, err
}

func demandTx(ctx context.Context, tx *store.Tx, spaces []string, r repository.Repository, branch string) (Demand, error) {
	rules, err := rulesOf(ctx, tx, spaces)
	if err != nil {
		return Demand{}, fault.Wrap(err, "read the rules of branches")
	}
	return demandBy(rules, r, branch), nil
}

// demandBy is what rules together ask of a merge into a branch.
func demandBy(rules []rule, r repository.Repository, branch string) (d Demand) {
	for _, rule := range rules {
		if rule.spec.holds(r.FullName(), branch, r.DefaultBranch) {
			d = d.add(rule.ref, rule.spec)
		}
	}
	return d
}

// owned gives the rules of owners that the proposal's files fall under, each with those of the approving who are meant,
// and what is wrong with the file. The file of owners is that of the target: a proposal does not choose who looks at it.
func (s *Service) owned(ctx context.Context, r repository.Repository, f Facts) (list []Owned, warnings []string, err error) {
	platform := s.Repositories.Platform()
	files, err := platform.ReadFiles(ctx, r.FullName(), f.Proposal.Base, ownersFiles[:], ownersLimit)
	if err != nil {
		return nil, nil, err
	}
	var text []byte
	for _, file := range ownersFiles {
		if text = files[file]; len(text) > 0 {
			break
		}
	}
	if len(text) == 0 {
		return nil, nil, nil
	}
	changed, err := platform.ChangedPaths(ctx, r.FullName(), f.Proposal.Standing.Base, f.Proposal.Head)
	if err != nil {
		return nil, nil, err
	}
	sections, warnings := parseOwners(string(text))
	list = ownedBy(sections, changed)
	approving, _ := standingVerdicts(f)
	for _, id := range approving {
		who, err := s.People.Principal(ctx, id)
		if fault.Is(err, fault.NotFound) {
			continue // gone: nobody's word
		}
		if err != nil {
			return nil, nil, err
		}
		for i := range list {
			if slices.ContainsFunc(list[i].Owners, func(owner string) bool { return means(owner, who) }) {
				list[i].People = append(list[i].People, id)
			}
		}
	}
	return list, warnings, nil
}

// wordOf gives an owner as it is kept; wordsFor gives all words that mean somebody or a group of theirs, so that the two
// meet where means says so.
func wordOf(owner string) string {
	name, at := strings.CutPrefix(owner, "@")
	if !at {
		r, err := ref.Parse(owner, "user", ref.DefaultNamespace)
		if err != nil || !strings.Contains(owner, ":") {
			return "nobody"
		}
		return r.String()
	}
	if _, team, ok := strings.Cut(name, "/"); ok {
		return "group @" + strings.ToLower(team[strings.LastIndexByte(team, '/')+1:])
	}
	return "@" + strings.ToLower(name)
}

func wordsFor(who actor.Principal) []string {
	out := []string{who.Ref.String()}
	if who.Ref.Kind == "user" && who.Ref.Namespace == ref.DefaultNamespace {
		out = append(out, "@"+who.Ref.Name)
	}
	for _, group := range who.Groups {
		out = append(out, group)
		if r, err := ref.Parse(group, "group", ref.DefaultNamespace); err == nil && r.Namespace == ref.DefaultNamespace {
			out = append(out, "@"+r.Name, "group @"+r.Name)
		}
	}
	return out
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
