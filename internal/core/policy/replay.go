package policy

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Candidate is a policy that might come into effect.
type Candidate struct {
	Policy string  // the policy that it replaces, by name or reference; empty for a further one
	Rego   string  // empty: as the policy is now
	Space  string  // where a further one would be attached; default the root
	Point  string  // of a further one
	Attach *Attach // what it would hold for; nil: as the policy is now, and a further one for all
	Gone   bool    // the policy would be disabled, or deleted
}

// Attach is what a policy holds for, within its space and below; empty for everything.
type Attach struct {
	Labels []string // of what it is asked about; * for all
	Stacks []string // by name or reference
}

// Replayed says what a candidate would have changed.
type Replayed struct {
	Examined int      // decisions that it would have taken part in
	Failed   int      // of these, how many it could not decide
	Skipped  int      // whose input is no longer kept
	Changed  []Change // the newest first
	Looked   int      // decisions at the point that were looked at
	Total    int      // of how many in all, as a first part tells; 0 in later ones
	Next     string   // cursor of the next part; "" when all were looked at
	Stopped  bool     // time ran out, or enough has changed, before the limit was reached; Next goes on
}

// Change is one decision that would have come out differently.
type Change struct {
	Decision Decision
	Before   map[string][]string
	After    map[string][]string
}

const (
	maxReplay   = 10 * time.Second // of one part
	maxReplayed = 10_000           // decisions of one part
	maxChanged  = 500              // changes of one part
	replayBatch = 200              // decisions that are read at once
)

// Replay asks a candidate over the inputs of recorded decisions, in place of what the policy said then, and gives what
// would have changed. Nothing is recorded and nothing takes effect. It examines decisions of spaces in which the caller
// has both policy:read and policy:simulate, the newest first, up to the filter's limit (default and at most 10,000) and
// for ten seconds; Next goes on from there, so that in the end all decisions are examined.
func (s *Service) Replay(ctx context.Context, c Candidate, f Filter, cursor string) (Replayed, error) {
	visible, err := s.simulates(ctx)
	if err != nil {
		return Replayed{}, err
	}
	p, err := s.candidate(ctx, c, visible)
	if err != nil {
		return Replayed{}, err
	}
	again := replaying{p: p, leaves: c.Gone || c.Attach != nil}
	if !c.Gone {
		if again.compiled, err = s.cache.get(p.Point, p.Version, p.Rego); err != nil {
			return Replayed{}, err
		}
	}
	if cursor != "" && !ref.IsID(cursor, ref.Decision) {
		return Replayed{}, fault.Errorf(fault.Invalid, "cursor %q is not one that a replay gave", cursor)
	}
	f.Point, f.before = p.Point, cursor
	most := f.Limit
	if most <= 0 || most > maxReplayed {
		most = maxReplayed
	}
	var out Replayed
	if cursor == "" {
		err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
			out.Total, err = countDecisions(ctx, tx, f, visible)
			return err
		})
		if err != nil {
			return out, fault.Wrap(err, "count the recorded decisions")
		}
	}
	deadline := time.Now().Add(maxReplay) // a budget of the machine, not a time of the domain
	for {
		f.Limit = min(replayBatch, most-out.Looked)
		var past []recorded
		err = s.db.Read(ctx, func(tx *store.Tx) (err error) {
			past, err = recordedDecisions(ctx, tx, f, visible)
			return err
		})
		if err != nil {
			return out, fault.Wrap(err, "read the recorded decisions")
		}
		for _, r := range past {
			if time.Now().After(deadline) || len(out.Changed) >= maxChanged {
				out.Next, out.Stopped = f.before, true
				return out, nil
			}
			if err := s.replayOne(ctx, &out, r, again); err != nil {
				return out, fault.Wrap(err, "replay decision %s", r.ID)
			}
			out.Looked++
			f.before = r.ID
		}
		switch {
		case len(past) < f.Limit:
			return out, nil
		case out.Looked >= most:
			out.Next = f.before
			return out, nil
		}
	}
}

// replaying is a candidate as it is asked.
type replaying struct {
	p        attached
	compiled *compiled // nil: it says nothing any more
	leaves   bool      // it would have had no part in decisions that it had one in
}

// asks tells whether the candidate would have been asked of a decision.
func (again replaying) asks(r recorded) bool {
	if again.compiled == nil || !again.p.To.holds(r.Subject, r.Labels) {
		return false
	}
	return !strings.HasPrefix(r.Subject, "module:") || slices.Contains(again.compiled.rules, "module_version") // of pushes of modules only those are asked
}

func (s *Service) replayOne(ctx context.Context, out *Replayed, r recorded, again replaying) error {
	if within, err := s.access.Within(ctx, r.Space, again.p.Space); err != nil || !within {
		return err
	}
	asked := again.asks(r)
	if asked && again.p.To.byLabel(r.Subject) {
		near, err := s.access.MayUse(ctx, r.Space, again.p.Space)
		if err != nil {
			return err
		}
		asked = near
	}
	votes := slices.DeleteFunc(slices.Clone(r.Votes), func(v Vote) bool { return v.Policy == again.p.Ref })
	if !asked {
		if again.leaves && len(votes) < len(r.Votes) {
			out.note(r, votes)
		}
		return nil
	}
	raw, err := s.input(ctx, r.Decision, r.kept)
	if len(raw) == 0 || fault.Is(err, fault.NotFound) {
		out.Skipped++
		return nil
	}
	if err != nil {
		return err
	}
	vote, err := s.askOne(ctx, again.p, again.compiled, raw)
	if err != nil {
		return err
	}
	if vote.Error != "" {
		out.Failed++
	}
	out.note(r, withVote(r.Votes, vote))
	return nil
}

// note counts a decision with the votes that it would have had.
func (out *Replayed) note(r recorded, votes []Vote) {
	out.Examined++
	if after := unite(votes); !reflect.DeepEqual(after, r.Outcome) || gave(votes) != gave(r.Votes) {
		out.Changed = append(out.Changed, Change{Decision: r.Decision, Before: r.Outcome, After: after})
	}
}

// gave writes what rules gave in full, for comparison.
func gave(votes []Vote) string {
	var text strings.Builder
	for _, v := range votes {
		for _, rule := range slices.Sorted(maps.Keys(v.Gives)) {
			text.WriteString(v.Policy + " " + rule + " " + string(v.Gives[rule]) + "\n")
		}
	}
	return text.String()
}

func (s *Service) askOne(ctx context.Context, p attached, c *compiled, raw json.RawMessage) (Vote, error) {
	_, value, err := prepare(raw)
	if err != nil {
		return Vote{}, err
	}
	votes, err := s.ask(ctx, []attached{p}, value)
	if err != nil {
		return Vote{}, err
	}
	return votes[0], nil
}

// candidate finds what a candidate replaces, and where it would be asked.
func (s *Service) candidate(ctx context.Context, c Candidate, visible access.Set) (p attached, err error) {
	if c.Gone && (c.Policy == "" || c.Rego != "" || c.Attach != nil) {
		return p, fault.Errorf(fault.Invalid, "what is gone is a policy that is there, with no other source and attached to nothing; name it alone")
	}
	if p, err = s.replaced(ctx, c, visible); err != nil || c.Attach == nil {
		return p, err
	}
	p.To, err = spec{Attach: attach{Labels: c.Attach.Labels, Stacks: c.Attach.Stacks}}.attachment()
	return p, err
}

func (s *Service) replaced(ctx context.Context, c Candidate, visible access.Set) (attached, error) {
	if c.Policy == "" {
		p := attached{Ref: "policy:default/candidate", Space: c.Space, Point: c.Point, Rego: c.Rego, Version: digestOf(c.Rego)}
		if p.Space == "" {
			p.Space = access.Root
		}
		if _, known := points()[p.Point]; !known {
			return p, fault.Errorf(fault.Invalid, "there is no policy point %q; known are %s", p.Point, pointNames())
		}
		return p, nil
	}
	r, err := ref.Parse(c.Policy, "policy", ref.DefaultNamespace)
	if err != nil {
		return attached{}, err
	}
	var p attached
	err = s.db.Read(ctx, func(tx *store.Tx) (err error) {
		p, err = policyByRef(ctx, tx, r.String())
		return err
	})
	if err != nil {
		return p, err
	}
	if reaches, err := s.reaches(ctx, p.Space, visible); err != nil || !reaches {
		return p, cmp.Or(err, access.NotFound(r.String()))
	}
	if c.Rego != "" {
		p.Rego, p.Version = c.Rego, digestOf(c.Rego)
	}
	return p, nil
}

// reaches tells whether a policy of a space holds in one that the caller sees.
func (s *Service) reaches(ctx context.Context, space string, visible access.Set) (bool, error) {
	if visible.Has(space) {
		return true, nil
	}
	for _, name := range visible.List() {
		if within, err := s.access.Within(ctx, name, space); err != nil || within {
			return within, err
		}
	}
	return false, nil
}

// simulates gives the spaces in which the caller may try policies; none is fault.Denied.
func (s *Service) simulates(ctx context.Context) (access.Set, error) {
	read, err := s.access.Spaces(ctx, "policy:read")
	if err != nil {
		return read, err
	}
	try, err := s.access.Spaces(ctx, "policy:simulate")
	if err != nil {
		return try, err
	}
	both := access.Set{All: read.All && try.All, Names: map[string]bool{}}
	for _, name := range append(read.List(), try.List()...) {
		if read.Has(name) && try.Has(name) {
			both.Names[name] = true
		}
	}
	if both.Empty() {
		return both, fault.Errorf(fault.Denied, "policy:simulate is missing in every space; ask an administrator for a role that has it")
	}
	return both, nil
}
