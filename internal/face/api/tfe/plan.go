package tfe

import (
	"net/http"

	"github.com/roadbed-dev/roadbed/internal/core/run"
)

func (h *Handler) planRoutes() {
	h.handle("plans/{plan}", func(w http.ResponseWriter, r *http.Request) error {
		return h.part(w, r, houseID(r.PathValue("plan"), "plan", "run"), h.wirePlan)
	})
	h.handle("runs/{run}/plan", func(w http.ResponseWriter, r *http.Request) error {
		return h.part(w, r, runID(r.PathValue("run")), h.wirePlan)
	})
	h.handle("applies/{apply}", func(w http.ResponseWriter, r *http.Request) error {
		return h.part(w, r, houseID(r.PathValue("apply"), "apply", "run"), h.wireApply)
	})
	h.handle("runs/{run}/apply", func(w http.ResponseWriter, r *http.Request) error {
		return h.part(w, r, runID(r.PathValue("run")), h.wireApply)
	})
	h.handle("plans/{plan}/json-output", func(w http.ResponseWriter, r *http.Request) error {
		return h.planJSON(w, r, houseID(r.PathValue("plan"), "plan", "run"))
	})
	h.handle("runs/{run}/plan/json-output", func(w http.ResponseWriter, r *http.Request) error { return h.planJSON(w, r, runID(r.PathValue("run"))) })
	h.open("plan-logs/{pass}", h.log(planPieces))
	h.open("apply-logs/{pass}", h.log(h.applyPieces))
}

func (h *Handler) part(w http.ResponseWriter, r *http.Request, id string, wire func(r *http.Request, d run.Detail) (object, error)) error {
	d, err := h.detail(r.Context(), id)
	if err != nil {
		return err
	}
	data, err := wire(r, d)
	if err != nil {
		return err
	}
	return one(w, http.StatusOK, data)
}

func counted(k run.Run, more object, at object) object {
	s := outputOf(k).Summary
	more["resource-additions"], more["resource-changes"], more["resource-destructions"], more["resource-imports"] = s.Create+s.Replace, s.Update, s.Delete+s.Replace, s.Import
	more["status-timestamps"] = at
	return more
}

func (h *Handler) wirePlan(r *http.Request, d run.Detail) (object, error) {
	k := d.Run
	read, err := h.link(r, "plan-logs", toLog, k.ID, logTime)
	if err != nil {
		return nil, err
	}
	status, out := "finished", outputOf(k)
	switch {
	case k.State == "queued":
		status = "pending"
	case k.State == "ready":
		status = "queued"
	case k.State == "planning" || k.State == "judging":
		status = "running"
	case out.Plan == "" && k.State == "canceled":
		status = "canceled"
	case out.Plan == "":
		status = "errored"
	}
	own := wireID(k.ID)[len("run"):]
	data := resource("plans", "plan"+own, counted(k, object{"status": status, "has-changes": !out.Summary.Empty(), "log-read-url": read, "generated-configuration": false}, stepTimes(newest(d.Steps, "plan"))), nil)
	data["links"] = object{"self": Prefix + "plans/plan" + own, "json-output": Prefix + "plans/plan" + own + "/json-output"}
	return data, nil
}

func (h *Handler) wireApply(r *http.Request, d run.Detail) (object, error) {
	k := d.Run
	read, err := h.link(r, "apply-logs", toLog, k.ID, logTime)
	if err != nil {
		return nil, err
	}
	step := newest(d.Steps, "apply")
	begun := step != nil
	status := "pending"
	switch {
	case k.State == "confirmed":
		status = "queued"
	case k.State == "applying":
		status = "running"
	case k.State == "finished" && begun:
		status = "finished"
	case k.State == "failed" && begun:
		status = "errored"
	case k.State == "canceled":
		status = "canceled"
	case k.Terminal:
		status = "unreachable"
	}
	attributes := object{"status": status, "log-read-url": read, "status-timestamps": stepTimes(step)}
	if status == "finished" {
		attributes = counted(k, attributes, stepTimes(step))
	}
	return resource("applies", "apply"+wireID(k.ID)[len("run"):], attributes, nil), nil
}

func (h *Handler) planJSON(w http.ResponseWriter, r *http.Request, id string) error {
	data, err := h.Stacks.PlanJSON(r.Context(), id)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(data) //nolint:gosec // JSON with its content type, never taken for a page
	return nil
}
