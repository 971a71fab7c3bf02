package tfe

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
)

func (h *Handler) runRoutes() {
	h.handle("POST runs", h.createRun)
	h.handle("runs/{run}", h.readRun)
	h.handle("workspaces/{workspace}/runs", h.listRuns)
	h.handle("organizations/{organization}/runs", h.listOrganizationRuns)
	h.handle("POST runs/{run}/actions/apply", h.deciding(func(ctx context.Context, r run.Run, note string) error { return h.Stacks.Confirm(ctx, r.ID, note) }))
	h.handle("POST runs/{run}/actions/discard", h.deciding(func(ctx context.Context, r run.Run, note string) error { return h.Stacks.Discard(ctx, r.ID, note) }))
	cancel := h.deciding(func(ctx context.Context, r run.Run, _ string) error { return h.Runs.Cancel(ctx, r.ID) })
	h.handle("POST runs/{run}/actions/cancel", cancel)
	h.handle("POST runs/{run}/actions/force-cancel", cancel)
	for _, none := range []string{"task-stages", "policy-checks"} {
		h.handle("runs/{run}/"+none, func(w http.ResponseWriter, r *http.Request) error {
			if _, err := h.run(r.Context(), runID(r.PathValue("run"))); err != nil {
				return err
			}
			return empty(w, r)
		})
	}
}

// run gives a run of a stack.
func (h *Handler) run(ctx context.Context, id string) (run.Run, error) {
	r, err := h.Runs.Get(ctx, id)
	if err == nil && r.Kind != stack.RunKind {
		err = access.NotFound("run " + id)
	}
	return r, err
}

// inputOf and outputOf show what can't be read as nothing.
func inputOf(r run.Run) (in stack.Input) {
	if json.Unmarshal(r.Input, &in) != nil {
		return stack.Input{}
	}
	return in
}

func outputOf(r run.Run) (out stack.Output) {
	if len(r.Output) > 0 && json.Unmarshal(r.Output, &out) != nil {
		return stack.Output{}
	}
	return out
}

// wireRun gives a run; of the workspace with an id, "" for one that is deleted, or may not be seen.
func (h *Handler) wireRun(ctx context.Context, d run.Detail, workspace string) object {
	r := d.Run
	in, out := inputOf(r), outputOf(r)
	up := stack.Upload{}
	if in.Upload != nil {
		up = *in.Upload
	}
	may := func(action string) bool { return h.Access.May(ctx, action, r.Space) }
	message := up.Message
	if message == "" {
		message = r.Title
	}
	var canceled any // what is canceled is stopped by force as soon as it can be
	if r.State == "canceled" {
		canceled = moment(r.Ended)
	}
	confirmed := ""
	if v := confirmation(d); v != nil {
		confirmed = v.Actor
	}
	events, comments := []object{}, []object{}
	for _, e := range eventsOf(d) {
		events = append(events, object{"type": "run-events", "id": e.id})
	}
	for _, v := range commentsOf(d) {
		comments = append(comments, object{"type": "comments", "id": partID(commentKind, r.ID, reviewPart(v))})
	}
	waits := r.State == "unconfirmed" && !r.CancelRequested
	own := strings.TrimPrefix(wireID(r.ID), "run")
	return resource("runs", wireID(r.ID), object{
		"status": statusOf(r), "message": message, "created-at": moment(r.Created), "has-changes": !out.Summary.Empty(), "is-destroy": in.Type == stack.Destroy || up.Destroy,
		"plan-only": in.OnlyPlans(), "auto-apply": (in.Autodeploy || up.AutoApply) && !up.Save, "save-plan": up.Save, "refresh": !up.NoRefresh, "refresh-only": up.RefreshOnly,
		"target-addrs": up.Targets, "replace-addrs": up.Replace, "variables": nil, "source": sourceOf(in), "trigger-reason": "manual", "position-in-queue": 0,
		"terraform-version": "latest", "allow-empty-apply": false, "canceled-at": canceled, "force-cancel-available-at": canceled, "status-timestamps": times(d),
		"actions": object{
			"is-cancelable": h.Runs.MayCancel(r) && r.State != "unconfirmed", "is-confirmable": waits, "is-discardable": waits, "is-force-cancelable": false,
		},
		"permissions": object{"can-apply": may("run:confirm"), "can-cancel": may("run:cancel"), "can-discard": may("run:confirm"), "can-force-cancel": may("run:cancel"), "can-force-execute": false},
	}, object{
		"workspace": to("workspaces", workspace), "plan": to("plans", "plan"+own), "apply": to("applies", "apply"+own),
		"configuration-version": to("configuration-versions", wireID(up.Configuration)), "created-by": to("users", r.Actor), "confirmed-by": to("users", confirmed), "cost-estimate": to("cost-estimates", estimateID(r)),
		"policy-checks": toNone(), "task-stages": toNone(), "run-events": object{"data": events}, "comments": object{"data": comments},
	})
}

func (h *Handler) answerRun(w http.ResponseWriter, r *http.Request, status int, id string) error {
	d, err := h.detail(r.Context(), id)
	if err != nil {
		return err
	}
	data, parts, err := h.wireRuns(r, []run.Detail{d})
	if err != nil {
		return err
	}
	wait, err := h.Stacks.WaitOf(r.Context(), d.Run, d.Steps)
	if err != nil {
		return err
	}
	if attributes, ok := data[0]["attributes"].(object); ok && wait != nil {
		attributes["position-in-queue"] = wait.Position
	}
	return one(w, status, data[0], parts...)
}

func (h *Handler) readRun(w http.ResponseWriter, r *http.Request) error {
	return h.answerRun(w, r, http.StatusOK, runID(r.PathValue("run")))
}

func (h *Handler) listRuns(w http.ResponseWriter, r *http.Request) error {
	ws, err := h.asked(r)
	if err != nil {
		return err
	}
	return h.answerRuns(w, r, run.Query{Spaces: []string{ws.Space}, Subject: ws.Ref.String()})
}

func (h *Handler) listOrganizationRuns(w http.ResponseWriter, r *http.Request) error {
	space := r.PathValue("organization")
	if err := h.Stacks.MaySpace(r.Context(), space); err != nil {
		return err
	}
	return h.answerRuns(w, r, run.Query{Spaces: []string{space}})
}

// What clients know runs by that this protocol begins, and those that follow others.
const (
	runSource     = "tfe-api"
	triggerSource = "tfe-run-trigger"
)

func sourceOf(in stack.Input) string {
	if in.Follows() {
		return triggerSource
	}
	return runSource
}

type runAttributes struct {
	Message     string   `json:"message"`
	IsDestroy   bool     `json:"is-destroy"`
	PlanOnly    bool     `json:"plan-only"`
	AutoApply   bool     `json:"auto-apply"`
	SavePlan    bool     `json:"save-plan"`
	Refresh     *bool    `json:"refresh"`
	RefreshOnly bool     `json:"refresh-only"`
	Targets     []string `json:"target-addrs"`
	Replace     []string `json:"replace-addrs"`
	Variables   []struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	} `json:"variables"`
}

func (in runAttributes) upload() stack.Upload {
	up := stack.Upload{
		Targets: in.Targets, Replace: in.Replace, RefreshOnly: in.RefreshOnly, NoRefresh: in.Refresh != nil && !*in.Refresh, Message: in.Message,
		AutoApply: in.AutoApply, Save: in.SavePlan, Destroy: in.IsDestroy,
	}
	for _, v := range in.Variables {
		if up.Variables == nil {
			up.Variables = map[string]string{}
		}
		up.Variables[v.Key] = v.Value
	}
	return up
}

func (h *Handler) createRun(w http.ResponseWriter, r *http.Request) error {
	var in runAttributes
	q, err := read(w, r, bodyLimit, &in)
	if err != nil {
		return err
	}
	of, err := q.relation("workspace")
	if err != nil {
		return err
	}
	uploaded, err := q.relation("configuration-version")
	if err != nil {
		return err
	}
	ws, err := h.Stacks.Workspace(r.Context(), of.ID)
	if err != nil {
		return err
	}
	configuration, kind := "", stack.Tracked
	if uploaded.ID != "" {
		configuration = houseID(uploaded.ID, "cv", "cfg")
		c, err := h.Stacks.Configuration(r.Context(), configuration)
		if err != nil {
			return err
		}
		in.PlanOnly = in.PlanOnly || c.Speculative
	}
	switch {
	case in.PlanOnly:
		kind, in.AutoApply = stack.Proposed, false
	case in.IsDestroy:
		kind = stack.Destroy
	}
	var k run.Run
	if configuration == "" && !ws.Remote() {
		k, err = h.Stacks.Start(r.Context(), ws.Ref, kind, "")
	} else {
		k, err = h.Stacks.StartUpload(r.Context(), ws.Ref, stack.UploadRun{Type: kind, Configuration: configuration, Upload: in.upload()})
	}
	if err != nil {
		return err
	}
	return h.answerRun(w, r, http.StatusCreated, k.ID)
}

// deciding gives a route by which somebody decides on a run.
func (h *Handler) deciding(do func(ctx context.Context, r run.Run, note string) error) func(w http.ResponseWriter, r *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		var in struct {
			Comment string `json:"comment"`
		}
		if err := decode(w, r, bodyLimit, &in); err != nil {
			return err
		}
		k, err := h.run(r.Context(), runID(r.PathValue("run")))
		if err == nil {
			err = do(r.Context(), k, in.Comment)
		}
		if err == nil {
			w.WriteHeader(http.StatusAccepted)
		}
		return err
	}
}
