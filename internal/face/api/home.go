package api

import (
	"context"
	"net/http"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/product/proposal"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

func (a *API) homeRoutes() {
	register(a, operation("getHome", http.MethodGet, "/home", "home", "What waits for the caller, and what happened lately"), a.getHome)
}

func (a *API) getHome(ctx context.Context, _ *none) (*body[Home], error) {
	h := Home{Waiting: []Run{}}
	reviewed, err := a.Access.Spaces(ctx, "run:confirm")
	if err != nil {
		return nil, err
	}
	for _, part := range []struct {
		into  *[]Run
		query run.Query
		empty bool
	}{
		{&h.Waiting, run.Query{Waiting: true, Spaces: reviewed.List(), Limit: 20}, reviewed.Empty()}, // what others review waits for them
		{&h.Failed, run.Query{Actor: actor.From(ctx).ID, States: []string{"failed", "error"}, Limit: 10}, false},
		{&h.Recent, run.Query{Limit: 15}, false},
	} {
		if part.empty {
			continue
		}
		page, err := a.Runs.List(ctx, part.query)
		if err != nil {
			return nil, err
		}
		if *part.into, err = a.wireRuns(ctx, page.Runs); err != nil {
			return nil, err
		}
	}
	proposals, err := a.Proposals.List(ctx, proposal.Query{Waiting: true}, page.Request{Limit: 20})
	if err != nil {
		return nil, err
	}
	if h.Proposals, err = a.wireLines(ctx, proposals.Items); err != nil {
		return nil, err
	}
	entries, err := a.listLedger(ctx, &listLedgerInput{Limit: 20})
	switch {
	case fault.Is(err, fault.Denied):
		h.Entries = []Entry{}
	case err != nil:
		return nil, err
	default:
		h.Entries = entries.Body.Items
	}
	return answer(h), nil
}
