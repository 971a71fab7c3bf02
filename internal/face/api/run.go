package api

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2/sse"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/product/scaffold"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/product/workflow"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// RunInput names a run.
type RunInput struct {
	ID string `path:"id" maxLength:"64"`
}

func (a *API) runRoutes() {
	register(a, operation("listRuns", http.MethodGet, "/runs", "runs", "Runs, newest first"), a.listRuns)
	register(a, operation("getRun", http.MethodGet, "/runs/{id}", "runs", "One run with its steps, reviews and decisions"), a.getRun)
	register(a, operation("getPlan", http.MethodGet, "/runs/{id}/plan", "runs", "The plan of a stack run, sensitive values taken out"), a.getPlan)
	for _, verb := range verbs {
		register(a, operation(verb.name+"Run", http.MethodPost, "/runs/{id}/"+verb.name, "runs", verb.summary),
			func(ctx context.Context, in *reviewInput) (*tagged[RunDetail], error) {
				seen, err := in.seen(ctx)
				if err != nil {
					return nil, err
				}
				if err := verb.do(a, seen, in); err != nil {
					return nil, err
				}
				return a.getRun(ctx, &RunInput{in.ID})
			})
	}
	op := operation("followRun", http.MethodGet, "/runs/{id}/events", "runs", "A run as it changes, as server-sent events")
	stream(a, op, map[string]any{"run": RunDetail{}}, a.followRun)
}

type listRunsInput struct {
	Paging
	Kind       string `query:"kind" doc:"With commas for several."`
	State      string `query:"state" doc:"With commas for several."`
	Space      string `query:"space" doc:"With commas for several."`
	Subject    string `query:"subject"`
	Repository string `query:"repository"`
	Commit     string `query:"commit"`
	Actor      string `query:"actor" doc:"Opaque id."`
	Waiting    bool   `query:"waiting" doc:"Only those that wait for a person."`
	Open       bool   `query:"open" doc:"Only those that have not ended."`
}

func (a *API) listRuns(ctx context.Context, in *listRunsInput) (*body[List[Run]], error) {
	page, err := a.Runs.List(ctx, run.Query{
		Kinds: words(in.Kind), States: words(in.State), Spaces: words(in.Space), Subject: in.Subject, Repository: in.Repository,
		Commit: in.Commit, Actor: in.Actor, Waiting: in.Waiting, Open: in.Open, Cursor: in.Cursor, Limit: in.Limit,
	})
	if err != nil {
		return nil, err
	}
	items, err := a.wireRuns(ctx, page.Runs)
	if err != nil {
		return nil, err
	}
	return list(items, page.Next), nil
}

func (a *API) wireRuns(ctx context.Context, runs []run.Run) ([]Run, error) {
	ids := make([]string, len(runs))
	for i, r := range runs {
		ids[i] = r.Actor
	}
	who, err := a.people(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]Run, len(runs))
	for i, r := range runs {
		out[i] = a.wireRun(ctx, r, who)
	}
	return out, nil
}

func (a *API) wireRun(ctx context.Context, r run.Run, who func(string) Actor) Run {
	w := Run{
		ID: r.ID, Kind: r.Kind, Space: r.Space, Subject: r.Subject, Refs: r.Refs, Title: r.Title, State: r.State, Reason: r.Reason,
		Terminal: r.Terminal, Waiting: r.Waiting, Actor: who(r.Actor), Cause: r.Cause, Input: r.Input, Output: r.Output,
		Warnings: r.Warnings, Created: r.Created, Started: moment(r.Started), Ended: moment(r.Ended), Updated: r.Updated,
		Version: r.Version, Can: a.can(ctx, r, nil), Prioritized: !r.Terminal && stack.Prioritized(r),
	}
	if r.Source.Repository != "" {
		w.Source = &RunSource{Repository: r.Source.Repository, Commit: r.Source.Commit, Ref: r.Source.Ref}
	}
	return w
}

// can lists what the caller may do with a run now, as far as rights, its state and the steps that are known go; policies
// are asked when it is done.
func (a *API) can(ctx context.Context, r run.Run, steps []run.Step) []string {
	out := []string{}
	if r.Waiting && a.Access.May(ctx, "run:confirm", r.Space) {
		switch r.Kind {
		case stack.RunKind:
			if stack.HasPlanned(r) {
				out = append(out, "confirm", "discard")
			}
			out = append(out, "approve", "reject")
			if stack.MayReplan(r) && a.Access.May(ctx, stack.RightOf(r), r.Space) {
				out = append(out, "replan")
			}
		case workflow.RunKind:
			out = append(out, "approve", "reject")
		}
	}
	if !r.Terminal && !r.CancelRequested && a.Runs.MayCancel(r) && a.Access.May(ctx, "run:cancel", r.Space) {
		out = append(out, "cancel")
	}
	if r.Terminal && a.Runs.MayRetry(r, steps) && a.mayRetry(ctx, r) {
		out = append(out, "retry")
	}
	if a.canMark(ctx, r, steps) {
		out = append(out, "mark")
	}
	out = append(out, a.canOrder(ctx, r)...)
	if scaffold.MayUndo(r) && a.Access.May(ctx, "run:cancel", r.Space) && a.Access.May(ctx, "template:use", r.Space) {
		out = append(out, "undo")
	}
	return out
}

// mayRetry tells whether the caller has the rights to retry a run: those to begin it are among them.
func (a *API) mayRetry(ctx context.Context, r run.Run) bool {
	rights := append(stack.RightsToRetry(r), "run:retry")
	if r.Kind == scaffold.RunKind {
		rights = append(rights, "template:use")
	}
	return !slices.ContainsFunc(rights, func(right string) bool { return !a.Access.May(ctx, right, r.Space) })
}

func (a *API) getRun(ctx context.Context, in *RunInput) (*tagged[RunDetail], error) {
	d, err := a.Runs.Detail(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	decisions, err := a.Policy.ListDecisions(ctx, in.ID)
	if err != nil && !fault.Is(err, fault.Denied) { // whoever may not read policies sees the run without them
		return nil, err
	}
	ids := append([]string{d.Run.Actor}, markers(d.Run, d.Steps)...)
	for _, r := range d.Reviews {
		ids = append(ids, r.Actor)
	}
	who, err := a.people(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := RunDetail{Run: a.wireRun(ctx, d.Run, who), Steps: make([]Step, len(d.Steps)), Reviews: []Review{}, Decisions: []Decision{}}
	out.Can = a.can(ctx, d.Run, d.Steps)
	for i, s := range d.Steps {
		out.Steps[i] = wireStep(s)
	}
	if err := a.tellWaits(ctx, &out.Run, d.Steps, out.Steps); err != nil {
		return nil, err
	}
	wait, err := a.Stacks.WaitOf(ctx, d.Run, d.Steps)
	if err != nil {
		return nil, err
	}
	out.Wait, out.External = wireWait(wait), wireExternals(d.Run, d.Steps, who)
	for _, r := range d.Reviews {
		out.Reviews = append(out.Reviews, Review{ID: r.ID, Actor: who(r.Actor), Verdict: r.Verdict, Note: r.Note, State: r.State, Time: r.Time})
	}
	for _, dec := range decisions {
		out.Decisions = append(out.Decisions, wireDecision(dec))
	}
	return withTag(strconv.FormatInt(out.Version, 10), out), nil
}

func wireStep(s run.Step) Step {
	w := Step{
		ID: s.ID, Key: s.Key, Title: s.Title, State: string(s.State), Reason: s.Reason, Attempt: s.Attempt, Group: s.Group,
		Position: s.Position, Worker: s.Worker, Data: s.Data, Outputs: s.Result.Outputs, Started: moment(s.Started), Ended: moment(s.Ended),
	}
	if len(s.Result.Artifacts) > 0 {
		w.Artifacts = map[string]Artifact{}
		for name, x := range s.Result.Artifacts {
			w.Artifacts[name] = Artifact{Digest: x.Digest, Size: x.Size, Kind: x.Kind}
		}
	}
	return w
}

type reviewInput struct {
	RunInput
	Match // a run's version: what was decided on is what was seen
	Body  struct {
		Note string `json:"note,omitempty" maxLength:"4096"`
		Node string `json:"node,omitempty" maxLength:"1000" doc:"To approve or reject in a workflow: the key of the one node that is meant; absent for all that wait."`
	}
}

func (in *reviewInput) seen(ctx context.Context) (context.Context, error) {
	return seenRun(ctx, in.Match)
}

func seenRun(ctx context.Context, in Match) (context.Context, error) {
	etag := in.etag()
	if etag == "" || etag == "*" {
		return ctx, nil
	}
	version, err := strconv.ParseInt(etag, 10, 64)
	if err != nil {
		return nil, fault.Errorf(fault.Stale, "If-Match %q is no etag of a run; read the run and take its ETag", in.IfMatch)
	}
	return run.Seen(ctx, version), nil
}

// verb is what a person may do with a run. Those of a kind go to the product that owns it.
type verb struct {
	name, summary string
	do            func(a *API, ctx context.Context, in *reviewInput) error
}

var verbs = []verb{
	{"confirm", "Let a plan be applied, if the approval policies agree", func(a *API, ctx context.Context, in *reviewInput) error {
		return a.Stacks.Confirm(ctx, in.ID, in.Body.Note)
	}},
	{"discard", "End a run that waits for review", func(a *API, ctx context.Context, in *reviewInput) error {
		return a.Stacks.Discard(ctx, in.ID, in.Body.Note)
	}},
	{"approve", "Vote for a run that waits for review", func(a *API, ctx context.Context, in *reviewInput) error {
		return a.vote(ctx, in, a.Stacks.Approve, a.Workflows.Resume)
	}},
	{"reject", "Vote against a run that waits for review", func(a *API, ctx context.Context, in *reviewInput) error {
		return a.vote(ctx, in, a.Stacks.Reject, a.Workflows.Reject)
	}},
	{"cancel", "Stop a run", func(a *API, ctx context.Context, in *reviewInput) error { return a.Runs.Cancel(ctx, in.ID) }},
	{"retry", "Let an ended run go on from where it failed", func(a *API, ctx context.Context, in *reviewInput) error { return a.Runs.Retry(ctx, in.ID) }},
}

func (a *API) vote(ctx context.Context, in *reviewInput, stacks func(ctx context.Context, id, note string) error, workflows func(ctx context.Context, id, node, note string) error) error {
	r, err := a.Runs.Get(ctx, in.ID)
	switch {
	case err != nil:
		return err
	case r.Kind == workflow.RunKind:
		return workflows(ctx, in.ID, in.Body.Node, in.Body.Note)
	case in.Body.Node != "":
		return fault.Errorf(fault.Invalid, "run %s is a %s, which has no nodes to choose from", in.ID, r.Kind)
	}
	return stacks(ctx, in.ID, in.Body.Note)
}

type followInput struct {
	RunInput
	LastEventID string `header:"Last-Event-ID" doc:"Version of the run that was seen last."`
}

// followRun tells a run as it changes, also after its end: a retry or an undo opens it again.
func (a *API) followRun(ctx context.Context, in *followInput, send sse.Sender) {
	seen, waits := int64(number(in.LastEventID)), ""
	for {
		r, err := a.waitRun(ctx, in.ID, seen, waits)
		if err != nil {
			a.sendProblem(ctx, send, err)
			return
		}
		d, err := a.getRun(ctx, &RunInput{in.ID})
		if err != nil {
			a.sendProblem(ctx, send, err)
			return
		}
		now := waitsFor(d.Body)
		if r.Version <= seen && now == waits {
			continue
		}
		seen, waits = max(r.Version, d.Body.Version), now
		if err := send(sse.Message{ID: int(seen), Data: d.Body}); err != nil {
			return
		}
	}
}
