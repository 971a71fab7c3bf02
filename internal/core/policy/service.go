package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// MaxInput is how many bytes of JSON policies are asked with at most.
const MaxInput = 32 << 20

const (
	inRow     = 4 << 10 // bytes of input, as it is or packed, that are kept in the decision's row; larger ones are a blob
	maxAsked  = 100     // policies of one decision
	maxFailed = 10      // policies of a space that are told of in one decision, since they could not decide
)

// Service asks policies and keeps their decisions. It is safe for concurrent use.
type Service struct {
	db     *store.DB
	blobs  blob.Store
	access *access.Service
	ledger *ledger.Ledger
	now    func() time.Time
	log    *slog.Logger

	lending Lending                                                            // zero: login policies give nothing
	people  func(ctx context.Context, ids []string) (map[string]Person, error) // nil: policies see ids

	cache cache
	slots chan struct{} // of evaluations at the same time: they need memory

	budget time.Duration // of all policies of a decision
}

// New gives the service. Nothing of OPA runs before the first policy is validated or asked.
func New(db *store.DB, blobs blob.Store, access *access.Service, ledger *ledger.Ledger, now func() time.Time, log *slog.Logger) *Service {
	return &Service{
		db: db, blobs: blobs, access: access, ledger: ledger, now: now, log: log,
		slots: make(chan struct{}, max(2, runtime.GOMAXPROCS(0))), budget: maxAllTime,
	}
}

// Refs says what a decision is about.
type Refs struct {
	Run     string   // run_…
	Subject string   // an entity reference or an id
	Labels  []string // of the subject, to which policies attach
	Having  string   // only policies that have this rule are asked; "" for all
	Foreign bool     // only policies that are written for Spacelift are asked
}

// Decision is what the policies of a space said at a point.
type Decision struct {
	ID       string // dec_…
	Point    string
	Space    string
	Run      string
	Subject  string
	Outcome  map[string][]string // rule → messages of all policies: "deny", "warn", "approve", "reject", …
	Policies []string            // references of the policies that were asked
	Votes    []Vote              // what each of them said
	Time     time.Time
	Size     int64    // of the input as it was recorded, bytes
	Digest   string   // of that input
	Labels   []string // of the subject
}

// Denied tells whether the decision forbids to go on.
func (d Decision) Denied() bool { return len(d.Outcome["deny"]) > 0 }

// attached is a policy that holds in a space.
type attached struct {
	Ref, Space, Point, Rego, Version, Description string
	Source                                        string // who brought it, as the catalog names sources
	To                                            attachment
	Above                                         int // how many spaces it lies above the one that is decided about
}

// saying is what a rule that is only true says.
func (p attached) saying() string {
	if p.Description != "" {
		return shorten(p.Description)
	}
	return "policy " + nameOf(p.Ref)
}

// Decide asks the policies that hold in a space at a point, and records what they said with the input. It must not be
// called inside a transaction. The input is a value or json.RawMessage; secrets don't belong into it, and what an engine
// marks as sensitive is taken out. Without policies the outcome is empty: the caller's own default holds.
//
// It asks for no right, since the platform decides and not the one who acts. Errors: Invalid (an unknown point, an input
// that is not JSON), NotFound (the space); no error means that the decision is on record.
func (s *Service) Decide(ctx context.Context, at, space string, input any, refs Refs) (Decision, error) {
	asked, space, err := s.holding(ctx, at, space, refs)
	if err != nil {
		return Decision{}, err
	}
	return s.decide(ctx, at, space, asked, input, refs)
}

// Consult is Decide where nothing is recorded unless some policy holds: then input is called, once. asked tells.
func (s *Service) Consult(ctx context.Context, at, space string, refs Refs, input func() (any, error)) (d Decision, asked bool, err error) {
	all, space, err := s.holding(ctx, at, space, refs)
	if err != nil || len(all) == 0 {
		return Decision{}, false, err
	}
	in, err := input()
	if err != nil {
		return Decision{}, true, err
	}
	d, err = s.decide(ctx, at, space, all, in, refs)
	return d, true, err
}

// Attached tells whether some policy holds for a subject at a point. It asks for no right, and nothing is recorded.
func (s *Service) Attached(ctx context.Context, at, space string, refs Refs) (bool, error) {
	all, _, err := s.holding(ctx, at, space, refs)
	return len(all) > 0, err
}

// holding gives the policies that hold for a subject at a point, and the space.
func (s *Service) holding(ctx context.Context, at, space string, refs Refs) ([]attached, string, error) {
	if _, known := points()[at]; !known {
		return nil, space, fault.Errorf(fault.Invalid, "there is no policy point %q; known are %s", at, pointNames())
	}
	if space == "" {
		space = access.Root
	}
	up, err := s.access.Ancestors(ctx, space)
	if err != nil {
		return nil, space, err
	}
	near, err := s.access.Inherited(ctx, space)
	if err != nil {
		return nil, space, err
	}
	var asked []attached
	err = s.db.Read(ctx, func(tx *store.Tx) (err error) {
		asked, err = policiesAt(ctx, tx, at, up)
		return err
	})
	asked = slices.DeleteFunc(asked, func(p attached) bool {
		return !p.To.holds(refs.Subject, refs.Labels) || p.To.byLabel(refs.Subject) && !slices.Contains(near, p.Space) || !s.has(p, refs.Having) || refs.Foreign && !inSpacelift(p.Rego)
	})
	for i := range asked {
		asked[i].Above = slices.Index(up, asked[i].Space)
	}
	return asked, space, fault.Wrap(err, "read the policies of space %s", space)
}

// has tells whether a policy has a rule; one that can't be compiled is asked, and can't decide.
func (s *Service) has(p attached, rule string) bool {
	if rule == "" {
		return true
	}
	c, err := s.cache.get(p.Point, p.Version, p.Rego)
	return err != nil || slices.Contains(c.rules, rule)
}

func (s *Service) decide(ctx context.Context, at, space string, asked []attached, input any, refs Refs) (Decision, error) {
	d := Decision{
		ID: ref.NewID(ref.Decision, s.now()), Point: at, Space: space, Run: refs.Run, Subject: refs.Subject, Labels: refs.Labels, Time: s.now(),
	}
	raw, value, err := prepare(input)
	if err != nil && !fault.Is(err, fault.TooLarge) {
		return Decision{}, err
	}
	d.Size, d.Digest = int64(len(raw)), digestOf(string(raw))
	var keeping sync.WaitGroup
	var kept string
	var notKept error
	id, digest := d.ID, d.Digest
	keeping.Go(func() { kept, notKept = s.keep(ctx, id, digest, raw) }) // while the policies are asked
	defer keeping.Wait()
	for _, p := range asked {
		d.Policies = append(d.Policies, p.Ref)
		if err != nil {
			d.Votes = append(d.Votes, Vote{Policy: p.Ref, Space: p.Space, Version: p.Version, Error: fault.Message(err)})
		}
	}
	if err == nil && len(asked) > 0 {
		if d.Votes, err = s.ask(ctx, asked, value); err != nil {
			return Decision{}, fault.Wrap(err, "ask the policies at the point %s", at)
		}
	}
	d.Outcome = unite(d.Votes)
	if keeping.Wait(); notKept != nil {
		return d, notKept
	}
	return d, s.record(ctx, d, kept)
}

// Seen gives an input as it is recorded: without what is sensitive, and with ids of people.
func Seen(input any) (value any, err error) {
	_, value, err = prepare(input)
	return value, err
}

// prepare gives the input as it is recorded, and as policies see it: the same, without what is sensitive.
func prepare(input any) (raw []byte, value any, err error) {
	raw, err = json.Marshal(input)
	if err != nil {
		return nil, nil, fault.Errorf(fault.Invalid, "the input of the policies has no JSON form: %w", err)
	}
	if len(raw) > MaxInput {
		return nil, nil, fault.Errorf(fault.TooLarge, "the input has %d MB, and policies take %d; make the change in smaller parts", len(raw)>>20, MaxInput>>20)
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return nil, nil, fault.Errorf(fault.Invalid, "the input of the policies is not JSON: %w", err)
	}
	value = tame(value)
	redact(value)
	raw, err = json.Marshal(value)
	return raw, value, err
}

// ask gives the votes of policies over one input, in their order; it puts people's logins into that. They are asked from the root down, so that neither the
// number nor the time of a space's policies keeps one above from being asked.
func (s *Service) ask(ctx context.Context, asked []attached, value any) ([]Vote, error) {
	if err := s.named(ctx, value); err != nil {
		return nil, err
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	input, err := ast.InterfaceToValue(value)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "the input of the policies can't be read: %w", err)
	}
	deadline := time.Now().Add(s.budget) // a budget of the machine, not a time of the domain
	votes := make([]Vote, len(asked))
	for turn, i := range fromTheRoot(asked) {
		p := asked[i]
		v := Vote{Policy: p.Ref, Space: p.Space, Version: p.Version}
		c, err := s.cache.get(p.Point, p.Version, p.Rego)
		switch {
		case turn >= maxAsked:
			v.Error = fmt.Sprintf("more than %d policies hold here", maxAsked)
		case err != nil:
			v.Error = shorten(err.Error())
		case time.Now().After(deadline):
			v.Error = fmt.Sprintf("the policies before it took longer than %s together", s.budget)
		default:
			if v, err = c.vote(ctx, p, input); err != nil {
				return nil, err
			}
		}
		votes[i] = v
	}
	return votes, nil
}

// fromTheRoot gives the places of policies in the order in which they are asked.
func fromTheRoot(asked []attached) []int {
	turns := make([]int, len(asked))
	for i := range turns {
		turns[i] = i
	}
	slices.SortStableFunc(turns, func(a, b int) int { return asked[b].Above - asked[a].Above })
	return turns
}

// keep gives the input of a decision as its row keeps it; "" for what the row has no room for, which is kept as a blob.
func (s *Service) keep(ctx context.Context, id, digest string, raw []byte) (kept string, err error) {
	if len(raw) <= inRow {
		return string(raw), nil
	}
	if len(raw) <= mostPacked {
		if kept, err = pack(raw); err != nil || len(kept) <= inRow {
			return kept, fault.Wrap(err, "pack the input of decision %s", id)
		}
	}
	put, _, err := s.blobs.Put(ctx, bytes.NewReader(raw), MaxInput*2)
	if err != nil {
		return "", fault.Wrap(err, "keep the input of decision %s", id)
	}
	if put != digest {
		return "", fault.Errorf(fault.Internal, "the input of decision %s was kept as %s, not %s", id, put, digest)
	}
	return "", nil
}

// record writes a decision, with its entry in the ledger.
func (s *Service) record(ctx context.Context, d Decision, kept string) error {
	counts := map[string]int{}
	for rule, messages := range d.Outcome {
		counts[rule] = len(messages)
	}
	data, err := json.Marshal(map[string]any{"point": d.Point, "outcome": counts, "policies": len(d.Policies), "input": d.Digest})
	if err != nil {
		return err
	}
	e := ledger.Entry{Type: "policy.decided", Space: d.Space, Subject: d.ID, Run: d.Run, Data: data}
	if d.Subject != "" {
		e.Refs = []string{d.Subject}
	}
	err = s.db.Write(ctx, func(tx *store.Tx) error {
		if err := insertDecision(ctx, tx, d, kept); err != nil {
			return err
		}
		if _, err := s.ledger.Append(ctx, tx, e); err != nil {
			return err
		}
		return s.tellFailed(ctx, tx, d)
	})
	return fault.Wrap(err, "record decision %s", d.ID)
}

// tellFailed tells those who own policies that could not decide.
func (s *Service) tellFailed(ctx context.Context, tx *store.Tx, d Decision) error {
	told := map[string]int{} // of each space
	for _, v := range d.Votes {
		if v.Error == "" || told[v.Space] == maxFailed {
			continue
		}
		told[v.Space]++
		data, err := json.Marshal(map[string]any{"point": d.Point, "decision": d.ID, "reason": v.Error})
		if err != nil {
			return err
		}
		if _, err := s.ledger.Append(ctx, tx, ledger.Entry{Type: "policy.failed", Space: v.Space, Subject: v.Policy, Refs: []string{d.ID}, Run: d.Run, Data: data}); err != nil {
			return err
		}
	}
	return nil
}
