package api

import (
	"cmp"
	"context"
	"net/http"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
)

// What a client sees of external dependencies.
type (
	ExternalDependency = client.ExternalDependency
	MarkDependency     = client.MarkDependency
	DependencyMarking  = client.DependencyMarking
	MarkedRun          = client.MarkedRun
)

func (a *API) externalRoutes() {
	register(a, operation("markDependency", http.MethodPost, "/external-dependencies", "runs", "Say what became of something outside for which runs wait"), a.markDependency)
}

func (a *API) markDependency(ctx context.Context, in *struct{ Body MarkDependency }) (*body[DependencyMarking], error) {
	m, err := a.Stacks.Mark(ctx, stack.Marking{
		Space: cmp.Or(in.Body.Space, access.Root), Name: in.Body.Name, Status: in.Body.Status, Note: in.Body.Note,
	})
	if err != nil {
		return nil, err
	}
	out := DependencyMarking{
		Space: m.Space, Name: m.Name, Status: m.Status, Note: m.Note, Marked: m.Marked, Until: m.Until(), New: m.Changed, More: m.More, Runs: []MarkedRun{},
	}
	for _, told := range m.Runs {
		out.Runs = append(out.Runs, MarkedRun{ID: told.Run.ID, Subject: told.Run.Subject, State: told.Run.State, Says: told.Says})
	}
	return &body[DependencyMarking]{Body: out}, nil
}

// markers gives who marked the external dependencies of a run.
func markers(r run.Run, steps []run.Step) (ids []string) {
	for _, d := range stack.ExternalsOf(r, steps) {
		ids = append(ids, d.By)
	}
	return ids
}

func wireExternals(r run.Run, steps []run.Step, who func(string) Actor) (out []ExternalDependency) {
	for _, d := range stack.ExternalsOf(r, steps) {
		w := ExternalDependency{Name: d.Name, Status: d.Status, Note: d.Note, Marked: moment(d.Marked)}
		if d.By != "" {
			by := who(d.By)
			w.By = &by
		}
		out = append(out, w)
	}
	return out
}

// canMark tells whether the caller may mark something outside for which a run waits.
func (a *API) canMark(ctx context.Context, r run.Run, steps []run.Step) bool {
	return stack.MayMark(r, steps) && a.Access.May(ctx, stack.Right(stack.Tracked), r.Space)
}
