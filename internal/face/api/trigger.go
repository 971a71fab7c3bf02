package api

import (
	"context"
	"net/http"
)

func (a *API) triggerRoutes() {
	register(a, operation("listTriggerEvents", http.MethodGet, "/triggers/{namespace}/{name}/events", "triggers", "What pushes did to a trigger, newest first"), a.listTriggerEvents)
}

type triggerEventsInput struct {
	Named
	Limit int `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

func (a *API) listTriggerEvents(ctx context.Context, in *triggerEventsInput) (*body[List[TriggerEvent]], error) {
	events, err := a.Triggers.Events(ctx, in.ref("trigger"), in.Limit)
	if err != nil {
		return nil, err
	}
	items := make([]TriggerEvent, len(events))
	for i, e := range events {
		items[i] = TriggerEvent{ID: e.ID, Repository: e.Repository, Ref: e.Ref, Commit: e.Commit, Outcome: e.Outcome, Message: e.Message, Run: e.Run, Time: e.Created}
	}
	return list(items, ""), nil
}
