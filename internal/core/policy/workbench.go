package policy

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Policy is a policy as it is in effect.
type Policy struct {
	Ref         string
	Space       string
	Point       string
	Description string
	Rego        string
	Version     string // digest of its text
	Disabled    bool
	Labels      []string // of what it is asked about; with Subjects, empty for all in its space and below
	Subjects    []string
}

func (p attached) policy(disabled bool) Policy {
	return Policy{p.Ref, p.Space, p.Point, p.Description, p.Rego, p.Version, disabled, p.To.Labels, p.To.Subjects}
}

// Policies gives the policies that hold in a space in which the caller has policy:read, by reference; of one point and
// one space where they are named.
func (s *Service) Policies(ctx context.Context, at, space string, part page.Request) (list page.Of[Policy], err error) {
	spaces, err := s.above(ctx)
	if err != nil || spaces.Empty() {
		return list, err
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		w := &store.Where{}
		w.After("ref", part.Cursor)
		if at != "" {
			w.Equal("point", at)
		}
		if space != "" {
			w.Equal("space", space)
		}
		if !spaces.All {
			w.Add(w.In("space", spaces.List()))
		}
		rows, err := tx.Query(ctx, selectPolicies+w.String()+" ORDER BY ref LIMIT "+w.Arg(part.Window()), w.Args...)
		all, err := store.Collect(rows, err, scanWithState)
		list = page.Cut(all, part, func(p Policy) string { return p.Ref })
		return err
	})
	return list, fault.Wrap(err, "list policies")
}

// GetPolicy gives one policy, for whoever has policy:read in a space where it holds.
func (s *Service) GetPolicy(ctx context.Context, name string) (p Policy, err error) {
	r, err := ref.Parse(name, "policy", ref.DefaultNamespace)
	if err != nil {
		return p, err
	}
	spaces, err := s.above(ctx)
	if err != nil {
		return p, err
	}
	err = s.db.Read(ctx, func(tx *store.Tx) (err error) {
		p, err = store.One(tx.QueryRow(ctx, selectPolicies+` WHERE ref = $1`, r.String()), scanWithState, "%s", r)
		return err
	})
	if fault.Is(err, fault.NotFound) || err == nil && !spaces.Has(p.Space) {
		return Policy{}, access.NotFound(r.String())
	}
	return p, err
}

const selectPolicies = `SELECT ref, space, point, rego, version, description, attached, disabled FROM policy_policies`

func scanWithState(row store.Row) (Policy, error) {
	var p attached
	var to string
	var disabled int
	if err := row.Scan(&p.Ref, &p.Space, &p.Point, &p.Rego, &p.Version, &p.Description, &to, &disabled); err != nil {
		return Policy{}, err
	}
	err := json.Unmarshal([]byte(to), &p.To)
	return p.policy(disabled != 0), err
}

// above gives the spaces in which the caller has policy:read, and those above: what holds in them.
func (s *Service) above(ctx context.Context) (access.Set, error) {
	readable, err := s.access.Spaces(ctx, "policy:read")
	if err != nil || readable.All {
		return readable, err
	}
	all := access.Set{Names: map[string]bool{}}
	for _, space := range readable.List() {
		up, err := s.access.Ancestors(ctx, space)
		if err != nil {
			return all, err
		}
		for _, name := range up {
			all.Names[name] = true
		}
	}
	return all, nil
}

// Tried says how a candidate decides about one input.
type Tried struct {
	Vote    Vote                // what the candidate says
	Outcome map[string][]string // of it, united with what the others said in the decision that was tried again
	Before  map[string][]string // of that decision; nil when the input was the caller's own
}

// maxTried bounds an input that the caller brings, in bytes.
const maxTried = 4 << 20

// Try asks a candidate about the input of a recorded decision, or about one that the caller brings. Nothing is recorded
// and nothing takes effect. It takes policy:simulate, with policy:read in the space of the decision.
func (s *Service) Try(ctx context.Context, c Candidate, decision string, input json.RawMessage) (Tried, error) {
	visible, err := s.simulates(ctx)
	if err != nil {
		return Tried{}, err
	}
	if (decision == "") == (len(input) == 0) {
		return Tried{}, fault.Errorf(fault.Invalid, "name a decision whose input is tried, or bring an input")
	}
	if len(input) > maxTried {
		return Tried{}, fault.Errorf(fault.TooLarge, "an input to try has at most %d MB", maxTried>>20)
	}
	var d Decision
	if decision != "" {
		if d, input, err = s.GetDecision(ctx, decision); err != nil {
			return Tried{}, err
		}
		if !visible.Has(d.Space) {
			return Tried{}, fault.Errorf(fault.Denied, "policy:simulate is missing in space %s", d.Space)
		}
		if len(input) == 0 {
			return Tried{}, fault.Errorf(fault.NotFound, "the input of decision %s was too large to be kept", decision)
		}
		c.Point = cmp.Or(c.Point, d.Point)
	}
	p, err := s.candidate(ctx, c, visible)
	if err != nil {
		return Tried{}, err
	}
	compiled, err := s.cache.get(p.Point, p.Version, p.Rego)
	if err != nil {
		return Tried{}, err
	}
	vote, err := s.askOne(ctx, p, compiled, input)
	if err != nil {
		return Tried{}, err
	}
	if decision == "" || d.Point != p.Point {
		return Tried{Vote: vote, Outcome: unite([]Vote{vote})}, nil
	}
	return Tried{Vote: vote, Outcome: unite(withVote(d.Votes, vote)), Before: d.Outcome}, nil
}

// withVote gives votes with one in place of what its policy said, or added.
func withVote(votes []Vote, vote Vote) []Vote {
	votes = slices.Clone(votes)
	if i := slices.IndexFunc(votes, func(v Vote) bool { return v.Policy == vote.Policy }); i >= 0 {
		votes[i] = vote
		return votes
	}
	votes = append(votes, vote)
	slices.SortStableFunc(votes, func(a, b Vote) int { return strings.Compare(a.Policy, b.Policy) })
	return votes
}

// MaySimulate tells whether the caller may try policies somewhere.
func (s *Service) MaySimulate(ctx context.Context) bool {
	_, err := s.simulates(ctx)
	return err == nil
}
