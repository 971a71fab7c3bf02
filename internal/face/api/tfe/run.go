package tfe

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
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

// statusOf gives what clients call the state of a run.
func statusOf(r run.Run) string {
	if r.CancelRequested && !r.Terminal {
		return "planning"
	}
	switch r.State {
	case "queued":
		return "pending"
	case "ready":
		return "plan_queued"
	case "planning", "judging", "replan_requested":
		return "planning"
	case "unconfirmed":
		return "planned"
	case "pending_review": // of a preview, whose plan is there
		return "planned_and_finished"
	case "finished":
		if in := inputOf(r); in.Type == stack.Proposed || outputOf(r).Summary.Empty() {
			return "planned_and_finished"
		}
		return "applied"
	case "failed":
		return "errored"
	}
	return r.State // confirmed, applying, discarded, canceled
}

func inputOf(r run.Run) (in stack.Input) {
	_ = json.Unmarshal(r.Input, &in) // one that can't be read is shown as none
	return in
}

func outputOf(r run.Run) (out stack.Output) {
	if len(r.Output) > 0 {
		_ = json.Unmarshal(r.Output, &out)
	}
	return out
}

func (h *Handler) wireRun(ctx context.Context, r run.Run) (object, error) {
	in, out := inputOf(r), outputOf(r)
	up := stack.Upload{}
	if in.Upload != nil {
		up = *in.Upload
	}
	subject, err := ref.Parse(r.Subject, "stack", ref.DefaultNamespace)
	if err != nil {
		return nil, err
	}
	workspace := ""
	if ws, err := h.Stacks.WorkspaceOf(ctx, subject); err == nil {
		workspace = ws.ID
	} else if !fault.Is(err, fault.NotFound) { // its stack is deleted, or may not be seen
		return nil, err
	}
	d, err := h.Runs.Detail(ctx, r.ID)
	if err != nil {
		return nil, err
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
		"plan-only": in.Type == stack.Proposed, "auto-apply": (in.Autodeploy || up.AutoApply) && !up.Save, "save-plan": up.Save, "refresh": !up.NoRefresh, "refresh-only": up.RefreshOnly,
		"target-addrs": up.Targets, "replace-addrs": up.Replace, "variables": nil, "source": runSource, "trigger-reason": "manual", "position-in-queue": 0,
		"terraform-version": "latest", "allow-empty-apply": false, "canceled-at": canceled, "force-cancel-available-at": canceled, "status-timestamps": times(d),
		"actions": object{
			"is-cancelable": h.Runs.MayCancel(r) && r.State != "unconfirmed", "is-confirmable": waits, "is-discardable": waits, "is-force-cancelable": false,
		},
		"permissions": object{"can-apply": may("run:confirm"), "can-cancel": may("run:cancel"), "can-discard": may("run:confirm"), "can-force-cancel": may("run:cancel"), "can-force-execute": false},
	}, object{
		"workspace": to("workspaces", workspace), "plan": to("plans", "plan"+own), "apply": to("applies", "apply"+own),
		"configuration-version": to("configuration-versions", wireID(up.Configuration)), "created-by": to("users", r.Actor), "confirmed-by": to("users", confirmed), "cost-estimate": to("cost-estimates", ""),
		"policy-checks": toNone(), "task-stages": toNone(), "run-events": object{"data": events}, "comments": object{"data": comments},
	}), nil
}

func (h *Handler) answerRun(w http.ResponseWriter, r *http.Request, status int, k run.Run) error {
	data, err := h.wireRun(r.Context(), k)
	if err != nil {
		return err
	}
	parts := beside{}
	if err := h.besideRun(r, &parts, k); err != nil {
		return err
	}
	return one(w, status, data, parts.all...)
}

// besideRun gathers what a client wants beside a run.
func (h *Handler) besideRun(r *http.Request, parts *beside, k run.Run) error {
	for _, what := range asksFor(r) {
		id := k.ID
		switch what {
		case "workspace":
			id = k.Subject
		case "created_by":
			id = k.Actor
		}
		if parts.has(what, id) {
			continue
		}
		part, err := h.include(r, what, k)
		if err != nil {
			return err
		}
		parts.add(part)
	}
	return nil
}

// include gives a part of a run; nil for what else there may be, which has no parts here.
func (h *Handler) include(r *http.Request, what string, k run.Run) (object, error) {
	switch what {
	case "workspace":
		subject, err := ref.Parse(k.Subject, "stack", ref.DefaultNamespace)
		if err != nil {
			return nil, err
		}
		ws, err := h.Stacks.WorkspaceOf(r.Context(), subject)
		if fault.Is(err, fault.NotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		data, _, err := h.wireWorkspace(r.Context(), ws)
		return data, err
	case "plan":
		return h.wirePlan(r, k)
	case "apply":
		return h.wireApply(r, k)
	case "created_by":
		return h.wireUser(r.Context(), k.Actor), nil
	case "configuration_version":
		in := inputOf(k)
		if in.Upload == nil {
			return nil, nil
		}
		c, err := h.Stacks.Configuration(r.Context(), in.Upload.Configuration)
		if fault.Is(err, fault.NotFound) {
			return nil, nil
		}
		return wireConfiguration(c, nil), err
	}
	return nil, nil
}

func (h *Handler) readRun(w http.ResponseWriter, r *http.Request) error {
	k, err := h.run(r.Context(), runID(r.PathValue("run")))
	if err != nil {
		return err
	}
	return h.answerRun(w, r, http.StatusOK, k)
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

// answerRuns answers with the newest runs of stacks that are asked for.
func (h *Handler) answerRuns(w http.ResponseWriter, r *http.Request, q run.Query) error {
	q.Kinds, q.Limit = []string{stack.RunKind}, mostOf
	list, err := h.Runs.List(r.Context(), q)
	if err != nil {
		return err
	}
	var left []run.Run
	for _, k := range list.Runs {
		if h.wanted(r, k) {
			left = append(left, k)
		}
	}
	p := pagingOf(r)
	var all []object
	parts := beside{}
	for _, k := range cut(left, p) {
		wired, err := h.wireRun(r.Context(), k)
		if err == nil {
			err = h.besideRun(r, &parts, k)
		}
		if err != nil {
			return err
		}
		all = append(all, wired)
	}
	return many(w, p, len(left), all, parts.all...)
}

// wanted tells whether a run is among those that a list is narrowed to.
func (h *Handler) wanted(r *http.Request, k run.Run) bool {
	q := r.URL.Query()
	among := func(name string, have ...string) bool {
		asked := words(q.Get(name))
		return len(asked) == 0 || slices.ContainsFunc(asked, func(a string) bool { return slices.Contains(have, a) })
	}
	in := inputOf(k)
	up := stack.Upload{}
	if in.Upload != nil {
		up = *in.Upload
	}
	operations := []string{"plan_and_apply"}
	if in.Type == stack.Proposed {
		operations = []string{"plan_only"}
	}
	for name, is := range map[string]bool{"save_plan": up.Save, "refresh_only": up.RefreshOnly, "destroy": in.Type == stack.Destroy || up.Destroy, "empty_apply": false} {
		if is {
			operations = append(operations, name)
		}
	}
	_, name, _ := strings.Cut(stackOf(k), "/")
	user, commit, text := q.Get("search[user]"), q.Get("search[commit]"), strings.ToLower(q.Get("search[basic]"))
	return among("filter[status]", statusOf(k)) && among("filter[source]", runSource) && among("filter[operation]", operations...) && among("filter[workspace_names]", name) &&
		among("filter[agent_pool_names]", in.Pool) &&
		(user == "" || strings.Contains(h.name(r.Context(), k.Actor), user)) && (commit == "" || k.Source.Commit != "" && strings.HasPrefix(k.Source.Commit, commit)) &&
		(text == "" || strings.Contains(strings.ToLower(k.ID+" "+wireID(k.ID)+" "+up.Message+" "+k.Title+" "+k.Source.Commit), text))
}

// runSource is what clients know runs by that this protocol begins.
const runSource = "tfe-api"

// stackOf gives NAMESPACE/NAME of a run's stack.
func stackOf(k run.Run) string {
	_, name, _ := strings.Cut(k.Subject, ":")
	return name
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
	ws, err := h.Stacks.Workspace(r.Context(), q.relation("workspace"))
	if err != nil {
		return err
	}
	configuration, kind := "", stack.Tracked
	if id := q.relation("configuration-version"); id != "" {
		configuration = houseID(id, "cv", "cfg")
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
	return h.answerRun(w, r, http.StatusCreated, k)
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
