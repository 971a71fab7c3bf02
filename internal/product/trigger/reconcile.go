package trigger

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

const jobFire = "trigger.fire"

// fireArgs asks a trigger about one push; without a commit, about the heads of its branches.
type fireArgs struct {
	Trigger string `json:"trigger"`
	Ref     string `json:"ref,omitempty"`
	Old     string `json:"old,omitempty"`
	Commit  string `json:"commit,omitempty"`
	Entry   string `json:"entry,omitempty"`
	Actor   string `json:"actor,omitempty"`
	Skip    bool   `json:"skip,omitempty"` // whoever pushed asked for no run
}

// fileLimit bounds a workflow's file, in bytes.
const fileLimit = 1 << 20

func (s *Service) subscribe() {
	queue.Handle(s.Queue, jobFire, queue.HandleOptions{Timeout: time.Minute}, func(ctx context.Context, a fireArgs) error {
		return s.fire(actor.AsSystem(ctx), a)
	})
	s.Ledger.Subscribe("trigger.pushes", []string{"repository.pushed"}, s.pushed)
}

func (s *Service) ask(ctx context.Context, tx *store.Tx, a fireArgs) error {
	return s.Queue.Insert(ctx, tx, jobFire, a, queue.InsertOptions{Unique: a.Trigger + " " + a.Ref + " " + a.Commit})
}

// pushed asks every trigger of the repository about a push.
func (s *Service) pushed(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
	var push repository.Push
	if err := json.Unmarshal(e.Data, &push); err != nil {
		return fault.Wrap(err, "read push %s", e.ID)
	}
	if push.Platform || isZero(push.New) {
		return nil
	}
	rows, err := tx.Query(ctx, "SELECT ref, space, spec, updated FROM triggers WHERE repository = $1", push.Repository)
	list, err := store.Collect(rows, err, scanTrigger)
	if err != nil {
		return fault.Wrap(err, "find the triggers of %s", push.Repository)
	}
	for _, t := range list {
		if !t.Spec.On.Push.wantsBranch(push.Ref) {
			continue
		}
		a := fireArgs{Trigger: t.Ref.String(), Ref: push.Ref, Old: push.Old, Commit: push.New, Entry: e.ID, Actor: e.Actor, Skip: push.SkipsRuns()}
		if err := s.ask(ctx, tx, a); err != nil {
			return err
		}
	}
	return nil
}

func isZero(commit string) bool { return strings.Trim(commit, "0") == "" }

func (s *Service) fire(ctx context.Context, a fireArgs) error {
	var t Trigger
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		t, err = getTrigger(ctx, tx, a.Trigger)
		return err
	})
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if a.Commit != "" {
		return s.consider(ctx, t, a)
	}
	for _, branch := range t.Spec.On.Push.heads() {
		head, err := s.Repositories.Head(ctx, t.Spec.On.Push.Repository, branch)
		if fault.Is(err, fault.NotFound) {
			continue // nothing pushed there so far: the push will ask
		}
		if err != nil {
			return err
		}
		here := a
		here.Ref, here.Commit = "refs/heads/"+branch, head
		if err := s.consider(ctx, t, here); err != nil {
			return err
		}
	}
	return nil
}

// heads are the branches that a new trigger looks at: main, if it listens to it, and those it names without a pattern.
func (p Push) heads() []string {
	var out []string
	if p.wantsBranch("refs/heads/main") {
		out = append(out, "main")
	}
	for _, b := range p.Branches {
		if b != "main" && !strings.ContainsAny(b, `*?[\`) {
			out = append(out, b)
		}
	}
	return out
}

// consider decides about one commit and records what it did. A commit that was considered before is left alone; for
// one that the platform made, it is the one below that a person made.
func (s *Service) consider(ctx context.Context, t Trigger, a fireArgs) error {
	commit, err := s.authored(ctx, t.Spec.On.Push.Repository, a.Commit)
	if err != nil || commit == "" {
		return err
	}
	a.Commit = commit
	known := false
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		var n int
		err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM trigger_events WHERE trigger_ref=$1 AND ref=$2 AND commit_id=$3", a.Trigger, a.Ref, a.Commit).Scan(&n)
		known = n > 0
		return err
	})
	if err != nil || known {
		return err
	}
	e := Event{Trigger: a.Trigger, Repository: t.Spec.On.Push.Repository, Ref: a.Ref, Commit: a.Commit}
	e.Run, e.Message, err = s.start(ctx, t, a)
	switch {
	case err == nil && e.Run != "":
		e.Outcome = Started
	case err == nil:
		e.Outcome = Skipped
	case final(err):
		e.Outcome, e.Message = Refused, err.Error()
	default:
		return err // the queue tries again
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error { return s.record(ctx, tx, t, e, a) })
}

// final tells whether asking again would give the same answer: what is wrong is in the documents, which a push or an
// apply changes.
func final(err error) bool {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Denied, fault.NotFound, fault.TooLarge:
		return true
	}
	return false
}

// start gives the run that the commit has; without one, why not.
func (s *Service) start(ctx context.Context, t Trigger, a fireArgs) (runID, why string, err error) {
	push := t.Spec.On.Push
	space, err := s.Repositories.SpaceOf(ctx, push.Repository)
	if err != nil {
		return "", "", err
	}
	if space != t.Space {
		return "", "", fault.Errorf(fault.Denied, "the trigger is in space %s and repository %s in space %s; a trigger only acts within its own space", t.Space, push.Repository, space)
	}
	if a.Skip {
		return "", "whoever pushed asked for no run (" + repository.OptionSkip + ")", nil
	}
	if a.Old != "" && !isZero(a.Old) {
		changed, err := s.Repositories.ChangedPaths(ctx, push.Repository, a.Old, a.Commit)
		if err == nil && !push.wantsPaths(changed) {
			return "", "no path of interest changed", nil
		}
	}
	file := t.Spec.Run.Workflow.File
	data, err := s.Repositories.ReadFile(ctx, push.Repository, a.Commit, file, fileLimit)
	if err != nil {
		return "", "", fault.Wrap(err, "read %s at %.8s", file, a.Commit)
	}
	if a.Actor == "" {
		if a.Actor, err = s.Repositories.Pusher(ctx, push.Repository, a.Ref, a.Commit); err != nil {
			return "", "", err
		}
	}
	subject := t.Ref
	if component, err := ref.Parse(t.Spec.Component, "component", t.Ref.Namespace); err == nil {
		subject = component
	}
	runID, err = s.Workflows.SubmitFile(ctx, Submission{
		Space: t.Space, File: file, Document: data, Arguments: t.Spec.Run.Arguments, Cause: a.Entry, Actor: a.Actor,
		Source:  run.Source{Repository: push.Repository, Commit: a.Commit, Ref: a.Ref},
		Subject: subject.String(),
		Refs:    []string{a.Trigger, "repository:" + push.Repository},
		Key:     "trigger:" + a.Trigger + ":" + a.Ref + ":" + a.Commit,
	})
	return runID, "", err
}

func (s *Service) record(ctx context.Context, tx *store.Tx, t Trigger, e Event, a fireArgs) error {
	now := s.Now()
	e.ID = ref.NewID(ref.Delivery, now)
	n, err := tx.Exec(ctx, `INSERT INTO trigger_events (id, trigger_ref, repository, ref, commit_id, outcome, message, run, created)
 VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9) ON CONFLICT DO NOTHING`, e.ID, e.Trigger, e.Repository, e.Ref, e.Commit, e.Outcome, e.Message, e.Run, store.Micros(now))
	if err != nil || n == 0 {
		return fault.Wrap(err, "record the event of %s", e.Trigger)
	}
	message := e.Message
	if len(message) > 1000 {
		message = message[:1000]
	}
	raw, err := json.Marshal(map[string]any{"commit": e.Commit, "ref": e.Ref, "message": strings.ToValidUTF8(message, "")})
	if err != nil {
		return err
	}
	_, err = s.Ledger.Append(ctx, tx, ledger.Entry{
		Space: t.Space, Type: "trigger." + e.Outcome, Subject: e.Trigger, Refs: []string{"repository:" + e.Repository}, Run: e.Run, Cause: a.Entry, Data: raw,
	})
	return err
}
