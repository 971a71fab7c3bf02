package run

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Access is what this room asks of core/access.
type Access interface {
	Authorize(ctx context.Context, action, space string) error
	Spaces(ctx context.Context, action string) (access.Set, error)
}

// Tokens is what this room asks of core/identity: a token for the time of one step.
type Tokens interface {
	Workload(ctx context.Context, tx *store.Tx, run, step, space string, scopes []string, ttl time.Duration) (string, error)
	EndWorkload(ctx context.Context, tx *store.Tx, step string) error
}

// IDTokens is what this room asks of core/oidc: what a cloud is shown of one step.
type IDTokens interface {
	IDToken(ctx context.Context, tx *store.Tx, run, step, space string, asked worker.IDToken) (string, error)
}

// Secrets is what this room asks of core/secret: the values that a leased step needs, by reference.
type Secrets interface {
	Hand(ctx context.Context, tx *store.Tx, space string, refs []string) (map[string]string, error)
}

// Sealer encrypts the artifacts of jobs that are sealed, and what of steps has secrets; core/secret does.
type Sealer interface {
	Seal(plain []byte) ([]byte, error)
	Open(sealed []byte) ([]byte, error)
	Sealing(plain io.Reader) io.ReadCloser
	Opening(sealed io.Reader) (io.Reader, error)
}

// Deps are the rooms this one stands on.
type Deps struct {
	DB      *store.DB
	Ledger  *ledger.Ledger
	Blob    blob.Store
	Access  Access
	Tokens  Tokens
	IDs     IDTokens // nil: no step is given any
	Secrets Secrets
	Seal    Sealer
	Now     func() time.Time
	Log     *slog.Logger
}

// Channels on which this room wakes those who wait.
const (
	channelRuns  = "runs"      // a run or one of its steps changed
	channelReady = "run_ready" // a step became ready
	channelWake  = "run_wake"  // a timer was set or a lock freed
	channelStop  = "run_stop"  // a worker is asked to stop a step
)

// Service keeps runs.
type Service struct {
	Deps
	kinds map[string]Kind
}

// NewService builds the room; Register the kinds before Run.
func NewService(d Deps) *Service {
	return &Service{Deps: d, kinds: map[string]Kind{}}
}

// Register makes a kind of run known. It panics on a table with a mistake, since that is a defect of the program.
func (s *Service) Register(k Kind) {
	if err := k.Check(); err != nil {
		panic(err)
	}
	s.kinds[k.Name] = k
}

// Create starts a run in the caller's transaction; the product has authorised it. When n.Key is not empty and a
// run with that key exists, that one is given and existed is true.
func (s *Service) Create(ctx context.Context, tx *store.Tx, n New) (r Run, existed bool, err error) {
	kind, ok := s.kinds[n.Kind]
	if !ok {
		return Run{}, false, fault.Errorf(fault.Internal, "run kind %q is not registered", n.Kind)
	}
	if n.Actor == "" {
		n.Actor = actor.From(ctx).ID
	}
	input, err := json.Marshal(n.Input)
	if err != nil {
		return Run{}, false, fault.Wrap(err, "encode the input of a run")
	}
	now := s.Now()
	r = Run{
		ID: ref.NewID(ref.Run, now), Kind: n.Kind, Space: n.Space, Subject: n.Subject, Refs: n.Refs, Title: n.Title,
		State: kind.Initial, Actor: n.Actor, Cause: n.Cause, Source: n.Source, Input: input, Lock: n.Lock, Key: n.Key,
		Priority: n.Priority, Version: 1, Created: now, Updated: now,
	}
	id, err := insertRun(ctx, tx, r, kind.traits(r), NewView(kind, r, now).waits())
	if err != nil {
		return Run{}, false, fault.Wrap(err, "create run")
	}
	if id != r.ID {
		r, err := getRun(ctx, tx, id, "")
		return r, true, err
	}
	err = s.note(ctx, tx, &r, "run.created", r.Actor, map[string]any{"kind": r.Kind, "title": r.Title, "state": r.State, "commit": r.Source.Commit})
	if err != nil {
		return Run{}, false, err
	}
	if err := s.change(ctx, tx, r.ID, nil); err != nil {
		return Run{}, false, err
	}
	r, err = getRun(ctx, tx, r.ID, "")
	return r, false, err
}

// Change takes a run's row, applies fn (nil for none; it may be called twice), lets its kind advance until it rests, and
// writes what changed with its ledger entries, in the caller's transaction. A run that can't advance, by a defect of its
// kind, ends as failed: nothing that happens to it later would help.
func (s *Service) Change(ctx context.Context, tx *store.Tx, id string, fn func(v *View) error) error {
	err := s.change(ctx, tx, id, fn)
	var stuck *stuckRun
	if !errors.As(err, &stuck) {
		return err
	}
	s.Log.ErrorContext(ctx, "a run can't go on", "run", id, "error", err)
	v, err := s.view(ctx, tx, id)
	if err != nil {
		return err
	}
	if state, ok := v.kind.States[failedState]; !ok || !state.Terminal || v.Run.Terminal {
		return stuck
	}
	if fn != nil {
		if err := fn(v); err != nil {
			return err
		}
	}
	v.force(failedState, "a defect of the platform keeps it from going on; the server's log has the details", v.kind.States[failedState])
	return s.save(ctx, tx, v, v.Run.Wake)
}

// failedState is what a kind's table calls the end of what went wrong.
const failedState = "failed"

// stuckRun is a run whose kind can't say what comes next.
type stuckRun struct{ err error }

func (s *stuckRun) Error() string { return s.err.Error() }
func (s *stuckRun) Unwrap() error { return s.err }

func (s *Service) change(ctx context.Context, tx *store.Tx, id string, fn func(v *View) error) error {
	v, err := s.view(ctx, tx, id)
	if err != nil {
		return err
	}
	before := v.Run.Wake
	if !v.Run.Wake.IsZero() && !v.Run.Wake.After(v.Now) {
		v.Run.Wake, v.dirty = time.Time{}, true
	}
	if fn != nil {
		if err := fn(v); err != nil {
			return err
		}
	}
	if err := s.advance(ctx, tx, v); err != nil {
		return err
	}
	if !v.dirty {
		return nil
	}
	return s.save(ctx, tx, v, before)
}

func (s *Service) view(ctx context.Context, tx *store.Tx, id string) (*View, error) {
	r, err := getRun(ctx, tx, id, tx.ForUpdate())
	if err != nil {
		return nil, err
	}
	kind, ok := s.kinds[r.Kind]
	if !ok {
		return nil, fault.Errorf(fault.Internal, "run %s is of kind %q, which this server does not know", id, r.Kind)
	}
	steps, err := getSteps(ctx, tx, id)
	if err != nil {
		return nil, fault.Wrap(err, "read steps of run %s", id)
	}
	reviews, err := getReviews(ctx, tx, id)
	if err != nil {
		return nil, fault.Wrap(err, "read reviews of run %s", id)
	}
	v := &View{Run: &r, Steps: steps, Reviews: reviews, Now: s.Now(), Locked: r.Lock == "", kind: kind}
	for _, step := range steps {
		if err := s.open(step); err != nil {
			v.broken = err
		}
	}
	if r.Lock != "" {
		holder, err := lockHolder(ctx, tx, r.Lock)
		if err != nil {
			return nil, err
		}
		v.Locked = holder == r.ID
	}
	return v, nil
}

// rounds bounds how often Advance is called for one change; a kind that never rests is a defect.
const rounds = 1000

func (s *Service) advance(ctx context.Context, tx *store.Tx, v *View) error {
	for range rounds {
		if v.Run.Terminal {
			return nil
		}
		if v.waits() == waitsTakes {
			var err error
			if v.Locked, err = takeLock(ctx, tx, v.Run, v.Now); err != nil {
				return err
			}
		}
		if v.broken != nil {
			return &stuckRun{v.broken}
		}
		moves := len(v.moves)
		if err := v.kind.Advance(v); err != nil {
			return &stuckRun{fault.Wrap(err, "advance run %s", v.Run.ID)}
		}
		if len(v.moves) == moves {
			return nil
		}
	}
	return &stuckRun{fault.Errorf(fault.Internal, "run %s of kind %s does not come to rest", v.Run.ID, v.kind.Name)}
}

func (s *Service) save(ctx context.Context, tx *store.Tx, v *View, wakeBefore time.Time) error {
	r := v.Run
	r.Version++
	r.Updated = v.Now
	ready, stop := false, false
	for _, step := range v.Steps {
		if !step.changed {
			continue
		}
		if step.fresh {
			step.ID = ref.NewID(ref.Step, v.Now)
		}
		ready = ready || step.State == StepReady
		stop = stop || step.State == StepLeased && step.cancelRequest
		if err := s.seal(step); err != nil {
			return err
		}
		if err := saveStep(ctx, tx, step, r.Priority); err != nil {
			return fault.Wrap(err, "save step %s of run %s", step.Key, r.ID)
		}
	}
	for _, stream := range v.logs {
		if _, err := tx.Exec(ctx, "INSERT INTO run_ended_logs (stream, ended) VALUES ($1, $2)", stream, store.Micros(v.Now)); err != nil {
			return fault.Wrap(err, "note the end of log %s", stream)
		}
	}
	if err := updateRun(ctx, tx, r, v.kind.traits(*r), v.waits()); err != nil {
		return fault.Wrap(err, "save run %s", r.ID)
	}
	for _, m := range v.moves {
		data := map[string]any{"from": m.from, "to": m.to}
		if m.reason != "" {
			data["reason"] = m.reason
		}
		if v.kind.States[m.to].Terminal {
			data["terminal"] = true
		}
		if err := s.note(ctx, tx, r, "run.state-changed", "", data); err != nil {
			return err
		}
	}
	for _, why := range v.awaits {
		if err := s.note(ctx, tx, r, "run.review-requested", "", map[string]any{"reason": why, "state": r.State}); err != nil {
			return err
		}
	}
	if r.Terminal && len(v.moves) > 0 && v.kind.Ended != nil {
		if err := v.kind.Ended(ctx, tx, *r); err != nil {
			return err
		}
	}
	freed := false
	if r.Terminal && r.Lock != "" && v.Locked {
		freed = true
		if err := dropLock(ctx, tx, r, v.Now); err != nil {
			return fault.Wrap(err, "free lock %s", r.Lock)
		}
	}
	if r.Terminal && r.Lock != "" && !v.Locked && v.kind.Turn != nil { // it may have kept others from a lock that is free
		if err := wakeFirst(ctx, tx, r.Lock, v.Now); err != nil {
			return fault.Wrap(err, "wake who waits for %s", r.Lock)
		}
		freed = true
	}
	s.DB.Notify(tx, channelRuns)
	if ready {
		s.DB.Notify(tx, channelReady)
	}
	if stop {
		s.DB.Notify(tx, channelStop)
	}
	if freed || (!r.Wake.IsZero() && !r.Wake.Equal(wakeBefore)) {
		s.DB.Notify(tx, channelWake)
	}
	return nil
}

func (s *Service) note(ctx context.Context, tx *store.Tx, r *Run, kind, by string, data map[string]any) error {
	data["run_kind"] = r.Kind
	raw, err := encodeNote(data)
	if err != nil {
		return err
	}
	refs := r.Refs
	if r.Subject != "" {
		refs = append([]string{r.Subject}, refs...)
	}
	_, err = s.Ledger.Append(ctx, tx, ledger.Entry{
		Actor: by, Space: r.Space, Type: kind, Subject: r.ID, Refs: refs, Run: r.ID, Cause: r.Cause, Data: raw,
	})
	return fault.Wrap(err, "note %s of run %s", kind, r.ID)
}

// encodeNote gives the data of an entry, with a reason that is cut until all of it fits: JSON may make six bytes of one.
func encodeNote(data map[string]any) (raw []byte, err error) {
	reason, _ := data["reason"].(string)
	for n := 2000; ; n /= 2 {
		if reason != "" {
			data["reason"] = clip(reason, n)
		}
		if raw, err = json.Marshal(data); err != nil || len(raw) <= ledger.MaxData || reason == "" || n == 0 {
			return raw, err
		}
	}
}

// clip shortens text to at most n bytes, at a rune's border.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && text[n]&0xC0 == 0x80 {
		n--
	}
	return text[:n] + "…"
}

func optional(row store.Row) (string, error) {
	var s string
	err := row.Scan(&s)
	if fault.Is(err, fault.NotFound) {
		return "", nil
	}
	return s, err
}
