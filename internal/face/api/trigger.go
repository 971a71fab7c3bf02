package api

import (
	"context"
	"github.com/roadbed-dev/roadbed/internal/product/trigger"
	"net/http"
)

func (a *API) triggerRoutes() {
	register(a, operation("listTriggerEvents", http.MethodGet, "/triggers/{namespace}/{name}/events", "triggers", "What pushes did to a trigger, newest first"), a.listTriggerEvents)
}

type triggerEventsInput struct {
	Named
	Paging
}

func (a *API) listTriggerEvents(ctx context.Context, in *triggerEventsInput) (*body[List[TriggerEvent]], error) {
	part, err := a.Triggers.Events(ctx, in.ref("trigger"), in.part())
	return listPart(part, func(e trigger.Event) TriggerEvent {
		return TriggerEvent{ID: e.ID, Repository: e.Repository, Ref: e.Ref, Commit: e.Commit, Outcome: e.Outcome, Message: e.Message, Run: e.Run, Time: e.Created}
	}), err
}
