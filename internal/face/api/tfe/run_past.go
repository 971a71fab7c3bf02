package tfe

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (h *Handler) runPastRoutes() {
	h.handle("runs/{run}/run-events", h.listRunEvents)
	h.handle("run-events/{event}", h.readRunEvent)
	h.handle("runs/{run}/comments", h.listComments)
	h.handle("POST runs/{run}/comments", h.createComment)
	h.handle("comments/{comment}", h.readComment)
}

// detail gives a run of a stack with its steps and reviews.
func (h *Handler) detail(ctx context.Context, id string) (run.Detail, error) {
	d, err := h.Runs.Detail(ctx, id)
	if err == nil && d.Run.Kind != stack.RunKind {
		err = access.NotFound("run " + id)
	}
	return d, err
}

// times gives when a run came to what clients call its states. What it has not come to is missing.
func times(d run.Detail) object {
	at := object{}
	set := func(name string, t time.Time) {
		if !t.IsZero() {
			at[name] = moment(t)
		}
	}
	r := d.Run
	set("plan-queueable-at", r.Created)
	set("plan-queued-at", r.Started)
	if plan := newest(d.Steps, "plan"); plan != nil {
		set("planning-at", plan.Started)
		if outputOf(r).Plan != "" {
			set("planned-at", plan.Ended)
		}
	}
	if confirmed := confirmation(d); confirmed != nil {
		set("confirmed-at", confirmed.Time)
	}
	if apply := newest(d.Steps, "apply"); apply != nil {
		set("apply-queued-at", apply.Ready)
		set("applying-at", apply.Started)
	}
	if name, ok := map[string]string{
		"applied": "applied-at", "planned_and_finished": "planned-and-finished-at", "errored": "errored-at", "discarded": "discarded-at", "canceled": "canceled-at",
	}[statusOf(r)]; ok && r.Terminal {
		set(name, r.Ended)
	}
	return at
}

// stepTimes gives when a step was queued, begun and done.
func stepTimes(step *run.Step) object {
	at := object{}
	if step == nil {
		return at
	}
	set := func(name string, t time.Time) {
		if !t.IsZero() {
			at[name] = moment(t)
		}
	}
	set("queued-at", step.Ready)
	set("started-at", step.Started)
	switch step.State {
	case run.StepSucceeded:
		set("finished-at", step.Ended)
	case run.StepFailed:
		set("errored-at", step.Ended)
	case run.StepCanceled:
		set("canceled-at", step.Ended)
	}
	return at
}

// confirmation gives the review by which the newest plan of a run was confirmed; nil for none.
func confirmation(d run.Detail) *run.Review {
	for i := len(d.Reviews) - 1; i >= 0; i-- {
		if d.Reviews[i].Verdict == "confirm" {
			return &d.Reviews[i]
		}
	}
	return nil
}

// partID names a part of a run, such as a comment.
func partID(kind, runID, part string) string { return kind + wireID(runID)[len("run"):] + "-" + part }

// partOf gives the run and the name of what partID has named.
func partOf(kind, id string) (runID, part string, ok bool) {
	rest, ok := strings.CutPrefix(id, kind+"-")
	if !ok {
		return "", "", false
	}
	own, part, ok := strings.Cut(rest, "-")
	return houseID("run-"+own, "run", "run"), part, ok
}

func reviewPart(v run.Review) string {
	_, own, _ := strings.Cut(v.ID, "_")
	return own
}

const (
	eventKind   = "re"
	commentKind = "wsc"
)

// event is something that happened to a run.
type event struct {
	id, action, actor string
	at                time.Time
	comment           *run.Review
}

// actions are what clients call verdicts.
var actions = map[string]string{"confirm": "confirmed", "discard": "discarded", "approve": "approved", "reject": "rejected", stack.VerdictComment: "commented"}

func eventsOf(d run.Detail) []event {
	id := func(part string) string { return partID(eventKind, d.Run.ID, part) }
	all := []event{{id: id("created"), action: "created", actor: d.Run.Actor, at: d.Run.Created}}
	if plan := newest(d.Steps, "plan"); plan != nil && !plan.Ended.IsZero() && outputOf(d.Run).Plan != "" {
		all = append(all, event{id: id("planned"), action: "planned", at: plan.Ended})
	}
	for i, v := range d.Reviews {
		action := actions[v.Verdict]
		if action == "" {
			action = v.Verdict
		}
		e := event{id: id(reviewPart(v)), action: action, actor: v.Actor, at: v.Time}
		if v.Note != "" {
			e.comment = &d.Reviews[i]
		}
		all = append(all, e)
	}
	if d.Run.Terminal && d.Run.State != "discarded" {
		all = append(all, event{id: id("ended"), action: statusOf(d.Run), at: d.Run.Ended})
	}
	slices.SortStableFunc(all, func(a, b event) int { return a.at.Compare(b.at) })
	return all
}

func wireEvent(d run.Detail, e event) object {
	relations := object{"run": to("runs", wireID(d.Run.ID)), "comment": to("comments", ""), "actor": to("users", e.actor)}
	if e.comment != nil {
		relations["comment"] = to("comments", partID(commentKind, d.Run.ID, reviewPart(*e.comment)))
	}
	return resource("run-events", e.id, object{"action": e.action, "created-at": moment(e.at), "description": nil}, relations)
}

func wireComment(d run.Detail, v run.Review) object {
	id := partID(commentKind, d.Run.ID, reviewPart(v))
	return resource("comments", id, object{"body": v.Note}, object{"run-event": to("run-events", partID(eventKind, d.Run.ID, reviewPart(v)))})
}

func wireUser(names map[string]string, id string) object {
	return resource("users", id, object{"username": names[id]}, nil)
}

// besideEvents gathers what a client wants beside events.
func (h *Handler) besideEvents(r *http.Request, d run.Detail, all []event) []object {
	parts := beside{}
	for _, what := range asksFor(r) {
		switch what {
		case "actor":
			var ids []string
			for _, e := range all {
				ids = append(ids, e.actor)
			}
			h.besideUsers(r, &parts, ids)
		case "comment":
			for _, e := range all {
				if e.comment != nil && !parts.has("comments", e.id) {
					parts.add(wireComment(d, *e.comment))
				}
			}
		}
	}
	return parts.all
}

func (h *Handler) listRunEvents(w http.ResponseWriter, r *http.Request) error {
	d, err := h.detail(r.Context(), runID(r.PathValue("run")))
	if err != nil {
		return err
	}
	var all []object
	events := eventsOf(d)
	for _, e := range events {
		all = append(all, wireEvent(d, e))
	}
	return many(w, paging{1, max(len(all), 1)}, len(all), all, h.besideEvents(r, d, events)...)
}

func (h *Handler) readRunEvent(w http.ResponseWriter, r *http.Request) error {
	none := fault.Errorf(fault.NotFound, "there is no such event, or you may not see it")
	id, _, ok := partOf(eventKind, r.PathValue("event"))
	if !ok {
		return none
	}
	d, err := h.detail(r.Context(), id)
	if err != nil {
		return err
	}
	for _, e := range eventsOf(d) {
		if e.id == r.PathValue("event") {
			return one(w, http.StatusOK, wireEvent(d, e), h.besideEvents(r, d, []event{e})...)
		}
	}
	return none
}

func commentsOf(d run.Detail) []run.Review {
	return slices.DeleteFunc(slices.Clone(d.Reviews), func(v run.Review) bool { return v.Note == "" })
}

func (h *Handler) listComments(w http.ResponseWriter, r *http.Request) error {
	d, err := h.detail(r.Context(), runID(r.PathValue("run")))
	if err != nil {
		return err
	}
	var all []object
	for _, v := range commentsOf(d) {
		all = append(all, wireComment(d, v))
	}
	return many(w, paging{1, max(len(all), 1)}, len(all), all)
}

func (h *Handler) readComment(w http.ResponseWriter, r *http.Request) error {
	none := fault.Errorf(fault.NotFound, "there is no such comment, or you may not see it")
	id, part, ok := partOf(commentKind, r.PathValue("comment"))
	if !ok {
		return none
	}
	d, err := h.detail(r.Context(), id)
	if err != nil {
		return err
	}
	for _, v := range commentsOf(d) {
		if reviewPart(v) == part {
			return one(w, http.StatusOK, wireComment(d, v))
		}
	}
	return none
}

func (h *Handler) createComment(w http.ResponseWriter, r *http.Request) error {
	k, err := h.run(r.Context(), runID(r.PathValue("run")))
	if err != nil {
		return err
	}
	var in struct {
		Body string `json:"body"`
	}
	if _, err := read(w, r, bodyLimit, &in); err != nil {
		return err
	}
	made, err := h.Stacks.Comment(r.Context(), k.ID, in.Body)
	if err != nil {
		return err
	}
	return one(w, http.StatusCreated, wireComment(run.Detail{Run: k}, made))
}
