package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Access is what this room asks of core/access.
type Access interface {
	Authorize(ctx context.Context, action, space string) error
	AuthorizeObject(ctx context.Context, action, space, object string) error
	Ancestors(ctx context.Context, space string) ([]string, error) // itself first
}

// Policy is what this room asks of core/policy.
type Policy interface {
	Approved(ctx context.Context, space string, input map[string]any, refs policy.Refs) error
}

// Runs is what this room asks of core/run.
type Runs interface {
	Register(k run.Kind)
	Create(ctx context.Context, tx *store.Tx, n run.New) (r run.Run, existed bool, err error)
	Change(ctx context.Context, tx *store.Tx, id string, fn func(v *run.View) error) error
	Review(ctx context.Context, tx *store.Tx, id, verdict, note string) error
	Detail(ctx context.Context, id string) (run.Detail, error)
	Open(steps []run.Step) error
	GetTx(ctx context.Context, tx *store.Tx, id string) (run.Run, error)
	ListTx(ctx context.Context, tx *store.Tx, q run.Query) (run.Page, error)
}

// Templates is what this room asks of core/catalog: WorkflowTemplates by name, unauthorised.
type Templates interface {
	// WorkflowTemplate gives the document and the space of its source; NotFound when there is none.
	WorkflowTemplate(ctx context.Context, tx *store.Tx, name string) (d document.Document, space string, err error)
}

// Plugin does one plugin template (roadbed/NAME) as a platform step.
type Plugin struct {
	// Check says what is wrong with the arguments, before tags are filled in; nil means that nothing is checked.
	Check func(args json.RawMessage) error
	// Do does it. The lease's Job.Input is a PluginCall; it is called again after a crash, so it must be idempotent.
	// Result.Outputs become the template's output parameters.
	Do worker.Handler
}

// Deps are the rooms this one stands on.
type Deps struct {
	DB        *store.DB
	Access    Access
	Runs      Runs
	Templates Templates
	Plugins   map[string]Plugin // by NAME of roadbed/NAME
	Most      execute.Limits    // memory and time that a step may ask for; 0 for any
	Policy    Policy
	Pools     Pools // nil: no workflow may name one
	Now       func() time.Time
	Log       *slog.Logger
}

// Service submits workflows and answers for them.
type Service struct{ Deps }

// New builds the room and registers its kind of run.
func New(d Deps) *Service {
	s := &Service{d}
	d.Runs.Register(Kind())
	return s
}

// Submission is a workflow to start. Either Document or Template is given.
type Submission struct {
	Space     string
	File      string // where Document was read, for errors
	Document  []byte // one Workflow or WorkflowTemplate
	Template  string // name of a WorkflowTemplate of the catalog
	Arguments map[string]string
	Source    run.Source
	Subject   string
	Refs      []string
	Title     string
	Lock      string // runs with the same lock go one after the other
	Key       string // one run for one key
	Cause     string // ledger entry
	Actor     string // principal; taken from the context when empty

	may func(action, object string) error // what the steps may ask for; nil for all that a step can be given
}

// Submit starts a workflow. Permission: workflow:create in its space, and each scope that its steps ask for. Invalid with file and line when the document or its
// arguments are wrong; then nothing has happened.
func (s *Service) Submit(ctx context.Context, n Submission) (r run.Run, err error) {
	if err := s.Access.Authorize(ctx, "workflow:create", n.Space); err != nil {
		return r, err
	}
	n.may = func(action, object string) error { return s.Access.AuthorizeObject(ctx, action, n.Space, object) }
	return s.SubmitFor(ctx, n)
}

// SubmitFor starts a workflow for a caller that has authorised it, such as a trigger whose document says what it runs.
// What it runs was pushed to the run's repository, so that its steps may have every scope that a step can be given.
func (s *Service) SubmitFor(ctx context.Context, n Submission) (r run.Run, err error) {
	spaces, err := s.Access.Ancestors(ctx, n.Space)
	if err != nil {
		return r, err
	}
	err = s.DB.Write(ctx, func(tx *store.Tx) (err error) {
		r, err = s.submit(ctx, tx, n, spaces)
		return err
	})
	return r, err
}

func (s *Service) submit(ctx context.Context, tx *store.Tx, n Submission, spaces []string) (run.Run, error) {
	p, subject, err := s.plan(ctx, tx, n, spaces)
	if err != nil {
		return run.Run{}, err
	}
	if n.Subject == "" {
		n.Subject = subject
	}
	if n.Title == "" {
		n.Title = p.Name
	}
	r, _, err := s.Runs.Create(ctx, tx, run.New{
		Kind: RunKind, Space: n.Space, Subject: n.Subject, Refs: n.Refs, Title: n.Title, Source: n.Source, Input: p, Lock: n.Lock,
		Priority: p.Spec.Priority, Key: n.Key, Cause: n.Cause, Actor: n.Actor,
	})
	return r, err
}

// Verdicts of a review on a suspended workflow.
const (
	verdictApproved = "approve"
	verdictRejected = "reject"
)

// Resume lets suspended nodes go on: that of the given key, or all when it is "". Permission: run:confirm in the run's
// space, and the approval policies agree. Conflict when nothing is suspended.
func (s *Service) Resume(ctx context.Context, runID, node, note string) error {
	return s.decide(ctx, runID, node, verdictApproved, note)
}

// Reject makes suspended nodes fail; see Resume. Permission: run:confirm in the run's space.
func (s *Service) Reject(ctx context.Context, runID, node, note string) error {
	return s.decide(ctx, runID, node, verdictRejected, note)
}

func (s *Service) decide(ctx context.Context, runID, node, verdict, note string) error {
	detail, err := s.Runs.Detail(ctx, runID)
	if err != nil {
		return err
	}
	if err := s.Access.Authorize(ctx, "run:confirm", detail.Run.Space); err != nil {
		return err
	}
	if detail.Run.Kind != RunKind {
		return fault.Errorf(fault.Conflict, "run %s is a %s, not a workflow", runID, detail.Run.Kind)
	}
	waits := waiting(detail.Steps, node)
	if len(waits) == 0 {
		return nothingWaits(runID)
	}
	if verdict == verdictApproved {
		switch err := s.approved(ctx, detail.Run, waits); {
		case errors.Is(err, policy.ErrMoreApprovals):
			return s.vote(ctx, runID, waits, note, err)
		case err != nil:
			return err
		}
	}
	by := actor.From(ctx).ID
	return s.mark(ctx, runID, waits, verdict, note, func(d *stepData) { d.Verdict, d.By = verdict, by })
}

func nothingWaits(runID string) error {
	return fault.Errorf(fault.Conflict, "run %s has nothing suspended that this names", runID)
}

// waiting gives the suspended steps that wait, by their keys: of the node, or all for "".
func waiting(steps []run.Step, node string) map[string]stepData {
	waits := map[string]stepData{}
	for _, step := range steps {
		if d := dataOf(&step); step.State == run.StepWaiting && d.Type == TypeSuspend && (node == "" || nodeKey(step.Key) == node) {
			waits[step.Key] = d
		}
	}
	return waits
}

// mark records what somebody said of suspended steps, as far as they still wait: of those alone, also when more have come
// to wait since they were looked at.
func (s *Service) mark(ctx context.Context, runID string, waits map[string]stepData, verdict, note string, change func(d *stepData)) error {
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		if err := s.Runs.Review(ctx, tx, runID, verdict, note); err != nil {
			return err
		}
		return s.Runs.Change(ctx, tx, runID, func(v *run.View) error {
			marked := 0
			for _, step := range v.Steps {
				if _, asked := waits[step.Key]; !asked || step.State != run.StepWaiting {
					continue
				}
				d := dataOf(step)
				change(&d)
				v.SetData(step, d)
				marked++
			}
			if marked == 0 {
				return nothingWaits(runID)
			}
			return nil
		})
	})
}

// approved asks the approval policies whether what waits may go on, with all who have said so of each of it.
func (s *Service) approved(ctx context.Context, r run.Run, waits map[string]stepData) error {
	me := actor.From(ctx)
	type vote struct {
		Author string `json:"author"`
	}
	said := map[string]int{}
	nodes := make([]string, 0, len(waits))
	for key, d := range waits {
		nodes = append(nodes, nodeKey(key))
		for _, who := range d.Votes {
			said[who]++
		}
	}
	slices.Sort(nodes)
	approvals := []vote{{me.ID}}
	for _, who := range slices.Sorted(maps.Keys(said)) {
		if who != me.ID && said[who] == len(waits) {
			approvals = append(approvals, vote{who})
		}
	}
	return s.Policy.Approved(ctx, r.Space, map[string]any{
		"run":      map[string]any{"id": r.ID, "state": r.State, "author": r.Actor, "authors": []string{r.Actor}, "commit": map[string]any{"hash": r.Source.Commit}, "warnings": r.Warnings},
		"workflow": map[string]any{"ref": r.Subject, "space": map[string]any{"id": r.Space}, "waits": nodes},
		"reviews":  map[string]any{"current": map[string]any{"approvals": approvals, "rejections": []vote{}}},
		"session":  map[string]any{"login": me.ID, "groups": me.Groups},
	}, policy.Refs{Run: r.ID, Subject: r.Subject})
}

// vote keeps an approval that is not enough by itself, and says so.
func (s *Service) vote(ctx context.Context, runID string, waits map[string]stepData, note string, missing error) error {
	me := actor.From(ctx).ID
	err := s.mark(ctx, runID, waits, verdictApproved, note, func(d *stepData) {
		if !slices.Contains(d.Votes, me) {
			d.Votes = append(d.Votes, me)
		}
	})
	if err != nil {
		return err
	}
	return fault.Wrap(missing, "your approval counts, but")
}

// Graph gives the nodes of a run as they stand. Permission: run:read in its space; otherwise NotFound.
func (s *Service) Graph(ctx context.Context, runID string) ([]Node, error) {
	detail, err := s.Runs.Detail(ctx, runID)
	if err != nil {
		return nil, err
	}
	if detail.Run.Kind != RunKind {
		return nil, fault.Errorf(fault.NotFound, "run %s is a %s, which has no graph", runID, detail.Run.Kind)
	}
	if err := s.Runs.Open(detail.Steps); err != nil {
		return nil, err
	}
	return graph(&detail.Run, detail.Steps, s.Now())
}

// graph evaluates a run as it stands. The steps' keys in the nodes are those of the run's steps.
func graph(r *run.Run, steps []run.Step, now time.Time) ([]Node, error) {
	p, err := planOf(r)
	if err != nil {
		return nil, err
	}
	list := make([]*run.Step, len(steps))
	for i := range steps {
		list[i] = &steps[i]
	}
	if r.Terminal {
		now = r.Ended
	}
	nodes := evaluate(p, r.ID, factsOf(r, list, now), true).Nodes
	keys, hide := current(list), run.Hiding(list)
	for i := range nodes {
		nodes[i].show(hide)
		if step := keys[nodes[i].Step]; step != nil {
			nodes[i].Step = step.Key
		}
	}
	return nodes, nil
}

// show takes the secrets out of a node that was computed of what steps gave as it was.
func (n *Node) show(hide func(string) string) {
	n.Name, n.Message = hide(n.Name), hide(n.Message)
	n.Inputs, n.Outputs.Parameters = hideAll(n.Inputs, hide), hideAll(n.Outputs.Parameters, hide)
	if n.Outputs.Result != nil {
		shown := hide(*n.Outputs.Result)
		n.Outputs.Result = &shown
	}
	for name, a := range n.Outputs.Artifacts {
		if a.IsRaw && hide(a.Raw) != a.Raw {
			n.Outputs.Artifacts = maps.Clone(n.Outputs.Artifacts)
			a.Raw = hide(a.Raw)
			n.Outputs.Artifacts[name] = a
		}
	}
}

func hideAll(texts map[string]string, hide func(string) string) map[string]string {
	if texts == nil {
		return nil
	}
	shown := make(map[string]string, len(texts))
	for name, text := range texts {
		shown[name] = hide(text)
	}
	return shown
}

// Status is how the workflows of a commit stand.
type Status string

const (
	StatusNone      Status = "none"
	StatusRunning   Status = "running"
	StatusSucceeded Status = "succeeded"
	StatusFailed    Status = "failed"
)

// PipelineStatus tells how the workflows of a commit stand: failed when one failed, else running when one has not
// ended. It asks for no right.
func (s *Service) PipelineStatus(ctx context.Context, tx *store.Tx, repository, commit string) (Status, error) {
	page, err := s.Runs.ListTx(ctx, tx, run.Query{Kinds: []string{RunKind}, Repository: repository, Commit: commit, Limit: 200})
	if err != nil {
		return "", fault.Wrap(err, "find the workflows of %s at %s", repository, commit)
	}
	status := StatusNone
	for _, r := range page.Runs {
		switch {
		case r.Terminal && r.State != stateSucceeded:
			return StatusFailed, nil
		case !r.Terminal:
			status = StatusRunning
		case status == StatusNone:
			status = StatusSucceeded
		}
	}
	return status, nil
}
