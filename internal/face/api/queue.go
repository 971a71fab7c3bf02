package api

import (
	"context"
	"net/http"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

func (a *API) queueRoutes() {
	register(a, operation("listStackQueue", http.MethodGet, "/stacks/{namespace}/{name}/queue", "stacks", "Runs of a stack that are under way, in the order in which they go on"), a.listStackQueue)
	op := operation("promoteRun", http.MethodPost, "/runs/{id}/promote", "runs", "Begin a tracked run at the commit of a preview")
	op.DefaultStatus = 201
	register(a, op, a.promoteRun)
	register(a, operation("replanRun", http.MethodPost, "/runs/{id}/replan", "runs", "Plan anew, for resources that are chosen of the plan"), a.replanRun)
	a.stackSetRoutes()
	a.externalRoutes()
	register(a, operation("prioritizeRun", http.MethodPost, "/runs/{id}/prioritize", "runs", "Have a run go before others in its queues"), a.prioritizeRun)
}

// canOrder lists what the caller may do about where a run goes.
func (a *API) canOrder(ctx context.Context, r run.Run) (out []string) {
	if stack.MayPromote(r) && a.Access.May(ctx, stack.Right(stack.Tracked), r.Space) {
		out = append(out, "promote")
	}
	if r.Kind == stack.RunKind && !r.Terminal && a.Access.May(ctx, "run:prioritize", r.Space) {
		if stack.Prioritized(r) {
			return append(out, "unprioritize")
		}
		return append(out, "prioritize")
	}
	return out
}

func wireWait(w *stack.Wait) *RunWait {
	if w == nil {
		return nil
	}
	return &RunWait{For: w.For, Reason: w.Reason, Behind: w.Behind, Position: w.Position, Queued: w.Queued}
}

type listStackQueueInput struct {
	Named
	Paging
}

func (a *API) listStackQueue(ctx context.Context, in *listStackQueueInput) (*body[List[QueuedRun]], error) {
	part := in.part()
	all, err := a.Stacks.QueueOf(ctx, in.ref("stack"))
	if err != nil {
		return nil, err
	}
	for i, one := range all { // the order is none of the ids: what is before the cursor was given
		if part.Cursor == one.Run.ID {
			all = all[i+1:]
			break
		}
	}
	seen := page.Cut(all[:min(len(all), part.Window())], part, func(w stack.Waiting) string { return w.Run.ID })
	runs := make([]run.Run, len(seen.Items))
	for i, one := range seen.Items {
		runs[i] = one.Run
	}
	wired, err := a.wireRuns(ctx, runs)
	if err != nil {
		return nil, err
	}
	items := make([]QueuedRun, len(wired))
	for i, one := range seen.Items {
		items[i] = QueuedRun{Run: wired[i], Holds: one.Holds, Wait: wireWait(one.Wait)}
	}
	return list(items, seen.Next), nil
}

func (a *API) promoteRun(ctx context.Context, in *RunInput) (*tagged[RunDetail], error) {
	made, err := a.Stacks.Promote(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return a.getRun(ctx, &RunInput{made.ID})
}

type replanInput struct {
	RunInput
	Match
	Body Replan
}

func (a *API) replanRun(ctx context.Context, in *replanInput) (*tagged[RunDetail], error) {
	seen, err := seenRun(ctx, in.Match)
	if err != nil {
		return nil, err
	}
	if err := a.Stacks.Replan(seen, in.ID, stack.Replan{Targets: in.Body.Targets, Replace: in.Body.Replace}, in.Body.Note); err != nil {
		return nil, err
	}
	return a.getRun(ctx, &in.RunInput)
}

type prioritizeInput struct {
	RunInput
	Body struct {
		Off bool `json:"off,omitempty" doc:"Take the priority back."`
	}
}

func (a *API) prioritizeRun(ctx context.Context, in *prioritizeInput) (*tagged[RunDetail], error) {
	if err := a.Stacks.Prioritize(ctx, in.ID, !in.Body.Off); err != nil {
		return nil, err
	}
	return a.getRun(ctx, &in.RunInput)
}
